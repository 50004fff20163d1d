package repo

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pigsty/internal/repo/deb"
	"pigsty/internal/repo/fetch"
	"pigsty/internal/repo/pgp"
)

// debian is a flat repository of apt.
type debian struct {
	arch     string // amd64
	codename string // of the release that it is for: bookworm
	host     string // of the host's own release
}

// ClientKey is where clients that use apt have the repository's public key. A
// source that names it is the repository itself, not an upstream.
const ClientKey = "/etc/apt/keyrings/pigsty.asc"

// sources returns what b takes packages from.
func (d debian) sources(b *Build) ([]deb.Source, error) {
	var all []deb.Source
	for _, u := range b.upstreams("InRelease", " ./") {
		s, ok := deb.ParseLine(u.URL, d.arch)
		if !ok {
			return nil, fmt.Errorf("upstream %s: baseurl %q is not URL, suite and components, as in sources.list", u.Name, shownLine(u.URL))
		}
		s.Name, s.SignedBy, s.Trusted = u.Name, u.Key, false
		all = append(all, s)
	}
	if !b.Base {
		return all, nil
	}
	own, err := deb.ReadSources("/", d.arch)
	if err != nil {
		return nil, err
	}
	for _, s := range own {
		s.Suite = d.suite(s.Suite)
		known := slices.ContainsFunc(all, func(o deb.Source) bool { return o.URI == s.URI && o.Suite == s.Suite })
		if s.SignedBy != ClientKey && !known {
			all = append(all, s)
		}
	}
	return all, nil
}

// suite returns what the release that d is for has as the host's release has
// suite: beside it, in the same archive.
func (d debian) suite(suite string) string {
	if rest, ok := strings.CutPrefix(suite, d.host); ok && d.host != "" {
		return d.codename + rest
	}
	return suite
}

func (d debian) kept(_ context.Context, b *Build, dir string) (*set, error) {
	kept, origins, err := d.read(dir)
	if err != nil || len(kept) == 0 {
		return nil, err
	}
	found, err := deb.NewPool(nil, kept).Resolve(b.Wants)
	if err != nil || !leftOutBefore(dir, found.LeftOut) {
		return nil, nil // upstreams may have what is missing
	}
	return d.set(found, origins, dir), nil
}

func (d debian) resolve(ctx context.Context, b *Build, dir string, c *fetch.Client) (*set, error) {
	sources, err := d.sources(b)
	if err != nil {
		return nil, err
	}
	if len(sources) == 0 {
		return nil, errNoUpstream
	}
	var kept []*deb.Package
	var origins map[string]string
	if dir != "" {
		if kept, origins, err = d.read(dir); err != nil {
			return nil, err
		}
	}
	suites, err := deb.ReadAll(ctx, sources, d.arch, deb.Trust{Root: "/"}, c)
	if err != nil {
		return nil, err
	}
	var upstream []*deb.Package
	for _, s := range suites {
		upstream = append(upstream, s.Packages...)
	}
	found, err := deb.NewPool(upstream, kept).Resolve(b.Wants)
	if err != nil {
		return nil, err
	}
	out := d.set(found, origins, dir)
	for _, s := range suites {
		out.upstreams = append(out.upstreams, LockedUpstream{Name: s.Source.String(), Date: s.Date, Digest: s.Digest, Signer: s.Signer})
	}
	return out, nil
}

// set lists the files of a resolution. origins are those of packages that are
// kept, by the name of their file.
func (d debian) set(found deb.Resolution, origins map[string]string, dir string) *set {
	out := &set{leftOut: found.LeftOut}
	for _, p := range found.Packages {
		name := p.FileName()
		i := item{
			Locked: Locked{Name: p.Name, Version: p.Version, Arch: p.Arch, File: name, Size: p.Size, SHA256: p.SHA256, Origin: p.Origin.Name},
			entry:  p.Entry(name),
		}
		if p.Origin == keptOrigin {
			i.Origin = origins[p.File]
			i.urls = []string{"file://" + filepath.Join(dir, p.File)}
		} else {
			i.urls = []string{p.Origin.Base + p.File}
		}
		out.items = append(out.items, i)
	}
	return out
}

// keptOrigin marks packages of the repository that is there already.
var keptOrigin = &deb.Origin{Name: "the repository that is there", Pin: 500}

// read returns the packages of the repository in dir and where its lock says
// that they came from.
func (d debian) read(dir string) ([]*deb.Package, map[string]string, error) {
	text, err := readIndex(dir)
	if err != nil || text == "" {
		return nil, nil, err
	}
	list, err := deb.ParseIndex(text, keptOrigin)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", filepath.Join(dir, "Packages"), err)
	}
	origins, err := originsIn(dir)
	if err != nil {
		return nil, nil, err
	}
	there := list[:0]
	for _, p := range list {
		if info, err := os.Stat(filepath.Join(dir, p.File)); err == nil && info.Size() == p.Size {
			there = append(there, p)
		}
	}
	return there, origins, nil
}

// indexNames are the forms of an index; other programs may have made one only.
var indexNames = []string{"Packages", "Packages.gz"}

// readIndex returns the index of dir, "" if it has none, or one that is not what
// its table of contents says. Whose signature that has does not matter here.
func readIndex(dir string) (string, error) {
	release, err := tableOfContents(dir)
	if err != nil {
		return "", err
	}
	for _, name := range indexNames {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil || release != "" && !deb.Lists(release, name, text) {
			return "", err
		}
		if filepath.Ext(name) != ".gz" {
			return string(text), nil
		}
		z, err := gzip.NewReader(bytes.NewReader(text))
		if err != nil {
			return "", nil
		}
		if text, err = io.ReadAll(z); err != nil {
			return "", nil
		}
		return string(text), nil
	}
	return "", nil
}

// tableOfContents returns the text of InRelease or Release, "" if dir has neither.
func tableOfContents(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, "InRelease"))
	if err == nil {
		text, err = pgp.Plain(text)
		if err != nil {
			return "damaged", nil // and lists nothing
		}
		return string(text), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	text, err = os.ReadFile(filepath.Join(dir, "Release"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(text), err
}

func (d debian) caches() []string { return []string{"/var/cache/apt/archives"} }

func (d debian) ending() string { return ".deb" }

func (d debian) describe(_ *Build, dir string, file Locked) (item, error) {
	text, err := deb.DescribeFile(filepath.Join(dir, file.File))
	if err != nil {
		return item{}, errors.New("it is no package")
	}
	list, err := deb.ParseIndex(text, keptOrigin)
	if err != nil || len(list) != 1 {
		return item{}, errors.New("it does not say what it is")
	}
	p := list[0]
	file.Name, file.Version, file.Arch = p.Name, p.Version, p.Arch
	return item{Locked: file, entry: p.Entry(file.File)}, nil
}

func (d debian) write(dir string, items []item, sign signer) error {
	entries := make([]string, 0, len(items))
	for _, i := range items {
		if i.entry != "" {
			entries = append(entries, i.entry)
		}
	}
	index, err := deb.NewIndex("pigsty", d.arch, entries, time.Now())
	if err != nil {
		return err
	}
	if index.Files["InRelease"], err = sign(index.Release, true); err != nil {
		return err
	}
	return writeFiles(dir, index.Files)
}

func (d debian) signed(dir string, key []byte) error {
	text, err := os.ReadFile(filepath.Join(dir, "InRelease"))
	if err != nil {
		return err
	}
	ring := &pgp.Keyring{}
	if err := ring.Add(key); err != nil {
		return err
	}
	release, _, err := ring.VerifyClear(text)
	if err != nil {
		return err
	}
	for _, name := range indexNames {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !deb.Lists(string(release), name, data) {
			return fmt.Errorf("%w: %s", errDamaged, filepath.Join(dir, name))
		}
	}
	return nil
}

// shownLine is a line of sources.list as it may be printed.
func shownLine(line string) string {
	words := strings.Fields(line)
	for i, w := range words {
		words[i] = fetch.Shown(w)
	}
	return strings.Join(words, " ")
}
