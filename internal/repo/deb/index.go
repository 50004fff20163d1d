package deb

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/ulikunitz/xz"
	"golang.org/x/sync/errgroup"

	"pigsty/internal/repo/fetch"
)

// Suite is a source as it was read: what its index is and what it has.
type Suite struct {
	Source   Source
	Digest   string // SHA-256 of the Release text
	Date     string // of the index, as Release has it
	Signer   string // fingerprint of the key; empty if signatures were waived
	Packages []*Package
}

// ReadAll reads the indexes of sources for packages of arch (amd64), all at
// once. One that cannot be read or trusted is an error that names it.
func ReadAll(ctx context.Context, sources []Source, arch string, t Trust, c *fetch.Client) ([]Suite, error) {
	suites := make([]Suite, len(sources))
	errs := make([]error, len(sources))
	var all sync.WaitGroup
	for i, s := range sources {
		all.Go(func() {
			suite, err := read(ctx, s, arch, t, c)
			if err != nil {
				errs[i] = fmt.Errorf("upstream %s: %w", s, err)
			}
			suites[i] = suite
		})
	}
	all.Wait()
	return suites, errors.Join(errs...)
}

func read(ctx context.Context, s Source, arch string, t Trust, c *fetch.Client) (Suite, error) {
	r, err := readRelease(ctx, s, t, c)
	if err != nil {
		return Suite{}, err
	}
	sum := sha256.Sum256([]byte(r.text))
	suite := Suite{Source: s, Digest: hex.EncodeToString(sum[:]), Date: field(r.text, "Date"), Signer: r.signer}
	origin := &Origin{Name: s.String(), Base: s.URI + "/", Pin: pin(r.text)}
	paths := []string{"Packages"}
	if len(s.Components) == 0 {
		origin.Base = r.base
	} else {
		paths = nil
		for _, component := range s.Components {
			for _, a := range []string{arch, "all"} {
				p := component + "/binary-" + a + "/Packages"
				// Most archives list what is for all architectures with each of them.
				if a == "all" && !strings.Contains(" "+field(r.text, "Architectures")+" ", " all ") ||
					a == "all" && field(r.text, "No-Support-for-Architecture-all") == "Packages" {
					continue
				}
				if a == arch && !r.has(p) {
					return suite, fmt.Errorf("it has no component %s for %s", component, arch)
				}
				paths = append(paths, p)
			}
		}
	}
	lists := make([][]*Package, len(paths))
	group, ctx := errgroup.WithContext(ctx)
	for i, p := range paths {
		group.Go(func() error {
			text, err := r.index(ctx, p, c)
			if err != nil {
				return err
			}
			lists[i], err = ParseIndex(text, origin)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return suite, err
	}
	for _, list := range lists {
		for _, p := range list {
			if p.Arch == arch || p.Arch == "all" {
				suite.Packages = append(suite.Packages, p)
			}
		}
	}
	return suite, nil
}

// pin is the priority that apt gives a suite, see apt_preferences(5).
func pin(release string) int {
	switch {
	case field(release, "NotAutomatic") != "yes":
		return 500
	case field(release, "ButAutomaticUpgrades") == "yes":
		return 100
	}
	return 1
}

// has reports whether the table of contents has the index called name in some form.
func (r *release) has(name string) bool {
	for _, suffix := range []string{"", ".gz", ".xz"} {
		if _, ok := r.files[name+suffix]; ok {
			return true
		}
	}
	return false
}

// index returns the index called name in the form that takes least to read. An
// index that the table of contents does not have is empty.
func (r *release) index(ctx context.Context, name string, c *fetch.Client) (string, error) {
	for _, form := range []struct {
		suffix string
		open   func(io.Reader) (io.Reader, error)
	}{
		{".gz", func(in io.Reader) (io.Reader, error) { return gzip.NewReader(in) }},
		{".xz", func(in io.Reader) (io.Reader, error) { return xz.NewReader(in) }},
		{"", func(in io.Reader) (io.Reader, error) { return in, nil }},
	} {
		want, ok := r.files[name+form.suffix]
		if !ok {
			continue
		}
		data, err := r.get(ctx, name+form.suffix, want, c)
		var missing *fetch.NotFound
		if errors.As(err, &missing) && form.suffix != "" {
			continue // listed, but this form is not kept
		}
		if err != nil {
			return "", err
		}
		in, err := form.open(bytes.NewReader(data))
		if err != nil {
			return "", fmt.Errorf("%s: %w", name+form.suffix, err)
		}
		var text strings.Builder
		if size := r.files[name].size; size > 0 {
			text.Grow(int(size))
		}
		if _, err := io.Copy(&text, in); err != nil {
			return "", fmt.Errorf("%s: %w", name+form.suffix, err)
		}
		return text.String(), nil
	}
	return "", nil
}

// get fetches a file of the table of contents, by its digest where the archive
// offers that: such a file stays while a mirror is being updated.
func (r *release) get(ctx context.Context, name string, want indexFile, c *fetch.Client) ([]byte, error) {
	urls := []string{r.base + name}
	if field(r.text, "Acquire-By-Hash") == "yes" {
		dir := name[:strings.LastIndex(name, "/")+1]
		urls = []string{r.base + dir + "by-hash/SHA256/" + want.sha256, r.base + name}
	}
	var err error
	for _, u := range urls {
		var data []byte
		if data, err = c.Get(ctx, u); err != nil {
			continue
		}
		sum := sha256.Sum256(data)
		if hex.EncodeToString(sum[:]) == want.sha256 {
			return data, nil
		}
		err = fmt.Errorf("%s is not what its signed table of contents says; the mirror is being updated or damaged: try again later", fetch.Shown(u))
	}
	return nil, err
}
