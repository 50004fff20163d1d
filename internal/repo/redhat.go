package repo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"pigsty/internal/repo/fetch"
	"pigsty/internal/repo/pgp"
	"pigsty/internal/repo/rpm"
)

// redhat is a repository of dnf: for EL and what is like it.
type redhat struct{ version, arch string } // 9.6, x86_64

// ClientKeyRPM is ClientKey of hosts that use dnf.
const ClientKeyRPM = "/etc/pki/rpm-gpg/pigsty.asc"

// PackageKeys is the file of a repository of dnf that has the keys which signed
// its packages. It is itself signed with the deployment's key.
const PackageKeys = "packages.asc"

// signatureOf is what the name of a detached signature ends in.
const signatureOf = ".asc"

const repomd = "repodata/repomd.xml"

// sources returns what b takes packages from.
func (r redhat) sources(b *Build) ([]rpm.Source, error) {
	vars, err := rpm.ReadVars("/", r.version, r.arch)
	if err != nil {
		return nil, err
	}
	var all []rpm.Source
	for _, u := range b.upstreams(repomd+signatureOf, "/") {
		base := vars.Expand(u.URL)
		if strings.ContainsAny(base, " $") || !strings.Contains(base, "://") {
			return nil, fmt.Errorf("upstream %s: baseurl %q is not the URL of a repository, as in baseurl of *.repo files", u.Name, fetch.Shown(u.URL))
		}
		all = append(all, rpm.Source{Name: u.Name, Bases: []string{strings.TrimRight(base, "/") + "/"}, Keys: u.Key})
	}
	if !b.Base {
		return all, nil
	}
	own, err := rpm.ReadSources("/", vars)
	if err != nil {
		return nil, err
	}
	for _, s := range own {
		known := slices.ContainsFunc(all, func(o rpm.Source) bool { return slices.Equal(o.Bases, s.Bases) })
		if !known && !strings.Contains(s.Keys, ClientKeyRPM) {
			all = append(all, s)
		}
	}
	return all, nil
}

func (r redhat) kept(ctx context.Context, b *Build, dir string) (*set, error) {
	kept, origins, err := r.read(ctx, dir)
	if err != nil || kept == nil {
		return nil, err
	}
	found, err := rpm.Resolve(ctx, nil, kept, b.Wants, &fetch.Client{})
	if err != nil || !leftOutBefore(dir, found.LeftOut) {
		return nil, nil // upstreams may have what is missing
	}
	return r.set(found, origins), nil
}

func (r redhat) resolve(ctx context.Context, b *Build, dir string, c *fetch.Client) (*set, error) {
	sources, err := r.sources(b)
	if err != nil {
		return nil, err
	}
	if len(sources) == 0 {
		return nil, errNoUpstream
	}
	var kept *rpm.Index
	var origins map[string]string
	if dir != "" {
		if kept, origins, err = r.read(ctx, dir); err != nil {
			return nil, err
		}
	}
	indexes, err := rpm.ReadAll(ctx, sources, r.arch, rpm.Trust{Root: "/"}, c)
	if err != nil {
		return nil, err
	}
	found, err := rpm.Resolve(ctx, indexes, kept, b.Wants, c)
	if err != nil {
		return nil, err
	}
	out := r.set(found, origins)
	for _, x := range indexes {
		out.upstreams = append(out.upstreams, LockedUpstream{Name: x.Source.Name, Date: x.Date, Digest: x.Digest, Signer: x.Signer})
	}
	return out, nil
}

// set lists the files of a resolution. origins are those of packages that are
// kept, by the name of their file.
func (r redhat) set(found rpm.Resolution, origins map[string]string) *set {
	out := &set{leftOut: found.LeftOut}
	for _, p := range found.Packages {
		i := item{
			Locked: Locked{Name: p.Name, Version: p.EVR.String(), Arch: p.Arch, File: p.FileName(), Size: p.Size, SHA256: p.SHA256, Origin: p.Origin.Name},
			keys:   p.Origin.Keys,
		}
		if p.Origin.Name == keptOrigin.Name {
			i.Origin = origins[p.File]
		}
		for _, base := range p.Origin.Bases {
			i.urls = append(i.urls, base+p.File)
		}
		out.items = append(out.items, i)
	}
	return out
}

// read returns the index of the repository in dir with the packages that are
// there, and where its lock says that they came from; nil if there is none that
// can be used.
func (r redhat) read(ctx context.Context, dir string) (*rpm.Index, map[string]string, error) {
	ring := &pgp.Keyring{}
	keys, err := os.ReadFile(filepath.Join(dir, PackageKeys))
	if err != nil || ring.Add(keys) != nil {
		return nil, nil, nil // without keys nobody can say whose its packages are
	}
	origin := &rpm.Origin{Name: keptOrigin.Name, Bases: []string{"file://" + dir + "/"}, Keys: ring}
	index, err := rpm.Dir(ctx, dir, r.arch, origin)
	if err != nil {
		return nil, nil, nil // none, or damaged: upstreams have the packages
	}
	origins, err := originsIn(dir)
	if err != nil {
		return nil, nil, err
	}
	index.Packages = slices.DeleteFunc(index.Packages, func(p *rpm.Package) bool {
		info, err := os.Stat(filepath.Join(dir, p.File))
		return err != nil || info.Size() != p.Size
	})
	return index, origins, nil
}

// caches returns the directories in which dnf keeps packages if keepcache is on.
func (r redhat) caches() []string {
	found, _ := filepath.Glob("/var/cache/dnf/*/packages")
	return found
}

func (r redhat) ending() string { return ".rpm" }

// describe takes what the deployment has signed, an upstream of packages that are
// there, or whom the host trusts.
func (r redhat) describe(b *Build, dir string, file Locked) (item, error) {
	ring := &pgp.Keyring{}
	if err := ring.Add(b.PublicKey); err != nil {
		return item{}, err
	}
	host, _ := filepath.Glob("/etc/pki/rpm-gpg/*")
	for _, name := range append(host, filepath.Join(b.Dir, PackageKeys)) {
		if keys, err := os.ReadFile(name); err == nil {
			_ = ring.Add(keys) // others may do
		}
	}
	f, _, err := rpm.OpenFile(filepath.Join(dir, file.File), file.File, file.SHA256, ring)
	if err != nil {
		return item{}, errors.New("no key that is known has signed it")
	}
	file.Name, file.Version, file.Arch = f.Identity()
	return item{Locked: file, keys: ring}, nil
}

func (r redhat) write(dir string, items []item, sign signer) error {
	files := make([]*rpm.File, len(items))
	signers := make([]string, len(items))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for n, i := range items {
		if i.keys == nil {
			continue // no package, or one that clients could not make sure of
		}
		group.Go(func() error {
			var err error
			if files[n], signers[n], err = rpm.OpenFile(filepath.Join(dir, i.File), i.File, i.SHA256, i.keys); err != nil {
				return fmt.Errorf("a package of %s: %w", i.Origin, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	files = slices.DeleteFunc(files, func(f *rpm.File) bool { return f == nil })
	metadata, err := rpm.NewMetadata(files, time.Now())
	if err != nil {
		return err
	}
	out := maps.Clone(metadata.Files)
	if out[PackageKeys], err = keysOf(items, signers); err != nil {
		return err
	}
	for _, name := range []string{repomd, PackageKeys} {
		if out[name+signatureOf], err = sign(out[name], false); err != nil {
			return err
		}
	}
	return writeFiles(dir, out)
}

// keysOf returns in armor the keys that signed items.
func keysOf(items []item, signers []string) ([]byte, error) {
	var out []byte
	written := map[string]bool{}
	for n, i := range items {
		if signers[n] == "" || written[signers[n]] {
			continue
		}
		key, err := i.keys.Export(signers[n])
		if err != nil {
			return nil, err
		}
		written[signers[n]] = true
		out = append(out, key...)
	}
	return out, nil
}

func (r redhat) signed(dir string, key []byte) error {
	ring := &pgp.Keyring{}
	if err := ring.Add(key); err != nil {
		return err
	}
	for _, name := range []string{repomd, PackageKeys} {
		if err := verifyFile(filepath.Join(dir, name), ring); err != nil {
			return err
		}
	}
	if err := rpm.Check(dir); err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	return nil
}

// verifyFile checks a file against the signature beside it.
func verifyFile(path string, ring *pgp.Keyring) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	signature, err := os.ReadFile(path + signatureOf)
	if err != nil {
		return err
	}
	_, err = ring.VerifyDetached(text, signature)
	return err
}
