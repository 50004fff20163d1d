package repo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pigsty/internal/repo/fetch"
	"pigsty/internal/repo/rpm"
	"pigsty/internal/repo/want"
	"pigsty/internal/resource"
	"pigsty/internal/secret"
)

// Build is the repository in a directory of the host, signed with the
// deployment's key.
type Build struct {
	Dir       string         // its name is the last part: /www/pigsty
	For       System         // of the hosts that use it; empty for that of the host itself
	Wants     []want.Package // with all that they need
	Upstreams []Upstream
	Base      bool   // packages come from the host's own repositories too
	Files     []File // put in as they are, in place of packages of the same file name
	Update    bool   // take the newest versions, not those that are there
	PublicKey []byte // the deployment's, in armor

	HTTPProxy, HTTPSProxy secret.Value // URLs; empty for none
	NoProxy               string
}

var (
	_ resource.Signed   = (*Build)(nil)
	_ resource.Requirer = (*Build)(nil)
)

// Resources returns one of every resource of this package, for resource.Register.
func Resources() []resource.Resource { return []resource.Resource{&Build{}, &Trust{}} }

// Key returns "repository " and the directory.
func (b *Build) Key() string { return "repository " + b.Dir }

// Requires returns the directory above.
func (b *Build) Requires() []string {
	above := filepath.Dir(b.Dir)
	return []string{"dir " + above, "link " + above}
}

// SignedByControl marks Build as a resource whose index the deployment's key signs.
func (b *Build) SignedByControl() {}

// Diff says what a build would change. It reads the upstreams' indexes only if
// the repository lacks something or Update is set; what no upstream has is then
// an error, before anything is downloaded.
func (b *Build) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	reason, err := b.reason(h)
	if err != nil || reason == "" && !b.Update {
		return resource.Change{}, err
	}
	next, err := b.resolved(ctx, h)
	if err != nil {
		return resource.Change{}, err
	}
	old, err := ReadLock(b.Dir)
	if err != nil {
		return resource.Change{}, err
	}
	c := resource.Change{Paths: []string{b.Dir}}
	if old == nil {
		c.Action, c.Reason = resource.Create, reason
	} else {
		for _, d := range Differences(old.packages(b.Files), locked(next.items)) {
			c.Attrs = append(c.Attrs, resource.Attr{Name: d.Name, Old: d.Old, New: d.New})
		}
		if reason == "" && len(c.Attrs) == 0 {
			return resource.Change{}, nil
		}
		c.Action, c.Reason = resource.Update, reason
		if reason == "" {
			c.Reason = "upstreams have other versions"
		}
	}
	c.Note = fmt.Sprintf("%d packages, %s", len(next.items), megabytes(next.items))
	if hand := fileNames(next.given.items); len(hand) > 0 {
		c.Note += "; " + byHand + ", and kept: " + strings.Join(hand, " ")
	}
	if bare := next.given.bare; len(bare) > 0 {
		c.Note += "; of these not in the index: " + strings.Join(bare, ", ")
	}
	if len(next.leftOut) > 0 {
		c.Note += "; left out, as no upstream has them: " + strings.Join(names(next.leftOut), " ")
	}
	return c, nil
}

// reason says why the repository has to be built, "" if it need not.
func (b *Build) reason(h *resource.Host) (string, error) {
	if _, err := os.Stat(filepath.Join(b.Dir, Complete)); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(b.Dir); err == nil {
			return "not complete", nil
		}
		return "does not exist", nil
	} else if err != nil {
		return "", err
	}
	lock, err := ReadLock(b.Dir)
	if err != nil {
		return "", err
	}
	if lock == nil {
		return "made by another program, with no " + LockFile, nil
	}
	if system := b.system(h).String(); lock.System != system {
		return "", fmt.Errorf("the repository in %s is for %s, and is to be for %s: remove it, or give another repo_name", b.Dir, lock.System, system)
	}
	if lacks := lock.lacks(b.wants()); len(lacks) > 0 {
		return "lacks " + strings.Join(lacks, " "), nil
	}
	for _, p := range lock.Packages {
		if info, err := os.Stat(filepath.Join(b.Dir, p.File)); err != nil || p.Size > 0 && info.Size() != p.Size {
			return p.File + " is missing or damaged", nil
		}
	}
	f, err := b.format(h)
	if err != nil {
		return "", err
	}
	if why := b.misfit(f, lock); why != "" {
		return why, nil
	}
	if _, unseen, err := b.unknown(f); err != nil || len(unseen) > 0 {
		return byHand + ": " + strings.Join(unseen, " "), err
	}
	switch err := f.signed(b.Dir, b.PublicKey); {
	case errors.Is(err, errDamaged):
		return errDamaged.Error(), nil
	case err != nil:
		return "not signed with this deployment's key", nil
	}
	return "", nil
}

// misfit says which of Files the lock has not, or otherwise than it should be; "" if
// all is well.
func (b *Build) misfit(f format, lock *Lock) string {
	for _, file := range b.Files {
		switch have, ok := lock.file(file); {
		case !ok:
			return "lacks " + file.Name
		case !file.accepts(have.SHA256):
			return file.Name + " has not the SHA-256 that repo_url_packages says"
		case have.Version == "" && strings.HasSuffix(file.Name, f.ending()):
			return file.Name + " is not in the index"
		}
	}
	return ""
}

// wants returns what a lock has of b: packages, and files under their names.
func (b *Build) wants() []want.Package {
	all := slices.Clone(b.Wants)
	for _, f := range b.Files {
		all = append(all, want.Package{Name: fetch.Shown(f.URL)})
	}
	return all
}

// resolved returns what the repository is to have. Applying uses what a plan
// found right before.
func (b *Build) resolved(ctx context.Context, h *resource.Host) (*set, error) {
	v, err := h.State(b.state(), func() (any, error) {
		f, err := b.format(h)
		if err != nil {
			return nil, err
		}
		next, err := b.chosen(ctx, h, f)
		if err != nil {
			return nil, err
		}
		next.items = slices.DeleteFunc(next.items, func(i item) bool { return b.puts(i.File) })
		if next.given, err = b.givenByHand(f, next); err != nil {
			return nil, err
		}
		next.items = append(next.items, next.given.items...)
		return next, nil
	})
	if err != nil {
		h.Forget(b.state())
		return nil, err
	}
	return v.(*set), nil
}

// puts reports whether a file of that name comes from its own URL.
func (b *Build) puts(name string) bool {
	return slices.ContainsFunc(b.Files, func(f File) bool { return f.Name == name })
}

// chosen resolves what is wanted: from what is there if that will do, and no newer
// versions are asked for.
func (b *Build) chosen(ctx context.Context, h *resource.Host, f format) (*set, error) {
	if b.Update {
		return f.resolve(ctx, b, "", b.client(ctx, h))
	}
	kept, err := f.kept(ctx, b, b.Dir)
	if err != nil {
		return nil, err
	}
	if kept == nil {
		return f.resolve(ctx, b, b.Dir, b.client(ctx, h))
	}
	if lock, _ := ReadLock(b.Dir); lock != nil {
		kept.upstreams = lock.Upstreams
	}
	return kept, nil
}

func (b *Build) state() string { return "resolved " + b.Key() }

func (b *Build) client(ctx context.Context, h *resource.Host) *fetch.Client {
	p := hostProxies(ctx, h)
	if !b.HTTPProxy.IsEmpty() {
		p.HTTP = b.HTTPProxy.Reveal()
	}
	if !b.HTTPSProxy.IsEmpty() {
		p.HTTPS = b.HTTPSProxy.Reveal()
	}
	p.No = b.NoProxy
	return fetch.New(p)
}

// hostProxies returns the proxies that the host's package manager is configured
// to use.
func hostProxies(ctx context.Context, h *resource.Host) fetch.Proxies {
	var p fetch.Proxies
	if h.Facts.Family == "rpm" {
		proxy := rpm.Proxy("/")
		return fetch.Proxies{HTTP: proxy, HTTPS: proxy}
	}
	if _, ok := h.Commands.Look("apt-config"); !ok {
		return p
	}
	out, err := h.Commands.Run(ctx, resource.Command{Args: []string{"apt-config", "dump", "--format", "%f %v%n"}})
	if err != nil {
		return p // it is only a default
	}
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if value == "DIRECT" {
			continue
		}
		switch key {
		case "Acquire::http::Proxy":
			p.HTTP = value
		case "Acquire::https::Proxy":
			p.HTTPS = value
		}
	}
	return p
}
