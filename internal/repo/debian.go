package repo

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"pigsty/internal/repo/deb"
	"pigsty/internal/repo/fetch"
	"pigsty/internal/repo/pgp"
)

// debian is a flat repository of apt.
type debian struct{ arch string }

// ClientKey is where clients that use apt have the repository's public key. A
// source that names it is the repository itself, not an upstream.
const ClientKey = "/etc/apt/keyrings/pigsty.asc"

// sources returns what b takes packages from.
func (d debian) sources(b *Build) ([]deb.Source, error) {
	var all []deb.Source
	for _, u := range b.Upstreams {
		s, ok := deb.ParseLine(u.URL, d.arch)
		if !ok {
			return nil, fmt.Errorf("upstream %s: baseurl %q is not URL, suite and components, as in sources.list", u.Name, u.URL)
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
		known := slices.ContainsFunc(all, func(o deb.Source) bool { return o.URI == s.URI && o.Suite == s.Suite })
		if s.SignedBy != ClientKey && !known {
			all = append(all, s)
		}
	}
	return all, nil
}

func (d debian) kept(b *Build, dir string) (*set, error) {
	kept, origins, err := d.read(dir)
	if err != nil || len(kept) == 0 {
		return nil, err
	}
	found, err := deb.NewPool(nil, kept).Resolve(b.Wants)
	if err != nil || len(found.LeftOut) > 0 {
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
		return nil, errors.New("there is no upstream to take packages from: see repo_modules and repo_upstream")
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
	origins := map[string]string{}
	lock, err := ReadLock(dir)
	if err != nil {
		return nil, nil, err
	}
	if lock != nil {
		for _, p := range lock.Packages {
			origins[p.File] = p.Origin
		}
	}
	there := list[:0]
	for _, p := range list {
		if info, err := os.Stat(filepath.Join(dir, p.File)); err == nil && info.Size() == p.Size {
			there = append(there, p)
		}
	}
	return there, origins, nil
}

// readIndex returns the Packages file of dir, which other programs may have
// made in compressed form only; "" if there is none.
func readIndex(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, "Packages"))
	if !errors.Is(err, fs.ErrNotExist) {
		return string(text), err
	}
	f, err := os.Open(filepath.Join(dir, "Packages.gz"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return "", err
	}
	text, err = io.ReadAll(z)
	return string(text), err
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
	for name, data := range index.Files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
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
	_, _, err = ring.VerifyClear(text)
	return err
}
