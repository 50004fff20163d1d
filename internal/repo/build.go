package repo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"pigsty/internal/repo/fetch"
	"pigsty/internal/repo/want"
	"pigsty/internal/resource"
	"pigsty/internal/secret"
)

// Build is the repository in a directory of the host, signed with the
// deployment's key, with packages for hosts of the same system.
type Build struct {
	Dir       string         // its name is the last part: /www/pigsty
	Wants     []want.Package // with all that they need
	Upstreams []Upstream
	Base      bool   // packages come from the host's own repositories too
	Files     []File // put in as they are
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
func Resources() []resource.Resource { return []resource.Resource{&Build{}} }

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
		for _, d := range Differences(old.packages(), locked(next.items)) {
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
	if system := systemOf(h.Facts); lock.System != system {
		return "", fmt.Errorf("the repository in %s is for %s, this host is %s: remove it, or give another repo_name", b.Dir, lock.System, system)
	}
	if lacks := lock.lacks(b.wants()); len(lacks) > 0 {
		return "lacks " + strings.Join(lacks, " "), nil
	}
	for _, p := range lock.Packages {
		if info, err := os.Stat(filepath.Join(b.Dir, p.File)); err != nil || p.Size > 0 && info.Size() != p.Size {
			return p.File + " is missing or damaged", nil
		}
	}
	f, err := formatOf(h.Facts)
	if err != nil {
		return "", err
	}
	if err := f.signed(b.Dir, b.PublicKey); err != nil {
		return "not signed with this deployment's key", nil
	}
	return "", nil
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
		f, err := formatOf(h.Facts)
		if err != nil {
			return nil, err
		}
		dir := b.Dir
		if b.Update {
			dir = ""
		} else if kept, err := f.kept(b, dir); err != nil || kept != nil {
			if err == nil {
				if lock, _ := ReadLock(dir); lock != nil {
					kept.upstreams = lock.Upstreams
				}
			}
			return kept, err
		}
		return f.resolve(ctx, b, dir, b.client(ctx, h))
	})
	if err != nil {
		h.Forget(b.state())
		return nil, err
	}
	return v.(*set), nil
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

// hostProxies returns the proxies that apt is configured to use.
func hostProxies(ctx context.Context, h *resource.Host) fetch.Proxies {
	var p fetch.Proxies
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

// Apply downloads what is missing, builds the repository beside the one that is
// there, and puts it in its place. Any failure leaves the old one as it is, and
// what was downloaded for the next try.
func (b *Build) Apply(ctx context.Context, h *resource.Host) error {
	next, err := b.resolved(ctx, h)
	if err != nil {
		return err
	}
	defer h.Forget(b.state())
	f, err := formatOf(h.Facts)
	if err != nil {
		return err
	}
	stage := staging(b.Dir)
	if err := os.MkdirAll(stage, 0o755); err != nil {
		return err
	}
	if err := unique(next.items); err != nil {
		return err
	}
	client := b.client(ctx, h)
	if err := reuse(ctx, stage, next.items, b.Dir, "/var/cache/apt/archives"); err != nil {
		return err
	}
	if err := b.download(ctx, h, client, stage, next.items); err != nil {
		return err
	}
	files, err := b.extra(ctx, client, stage)
	if err != nil {
		return err
	}
	items := append(slices.Clip(next.items), files...)
	if err := tidy(stage, fileNames(items)); err != nil {
		return err
	}
	if err := f.write(stage, items, b.signer(ctx, h)); err != nil {
		return err
	}
	if err := f.signed(stage, b.PublicKey); err != nil {
		return fmt.Errorf("the new index is not signed as clients will expect: %w", err)
	}
	if err := b.finish(stage, systemOf(h.Facts), items, next); err != nil {
		return err
	}
	return swap(stage, b.Dir)
}

// finish writes the lock, the public key and last the mark.
func (b *Build) finish(stage, system string, items []item, next *set) error {
	lock := Lock{Format: 1, System: system, Upstreams: next.upstreams, Packages: locked(items), LeftOut: names(next.leftOut)}
	for _, w := range b.wants() {
		lock.Wants = append(lock.Wants, w.String())
	}
	slices.Sort(lock.Wants)
	lock.Wants = slices.Compact(lock.Wants)
	text := lock.Bytes()
	sum := sha256.Sum256(text)
	for _, f := range []struct {
		name string
		data []byte
	}{{LockFile, text}, {PublicKey, b.PublicKey}, {Complete, []byte(hex.EncodeToString(sum[:]) + "  " + LockFile + "\n")}} {
		if err := os.WriteFile(filepath.Join(stage, f.name), f.data, 0o644); err != nil {
			return err
		}
	}
	return os.Chmod(stage, 0o755)
}

// download fetches what stage does not have, saying now and then how far it is.
func (b *Build) download(ctx context.Context, h *resource.Host, c *fetch.Client, stage string, items []item) error {
	var todo []item
	var files []fetch.File
	for _, i := range items {
		if _, err := os.Stat(filepath.Join(stage, i.File)); err != nil { // reuse checked what is there
			todo = append(todo, i)
			files = append(files, i.file())
		}
	}
	if len(todo) == 0 {
		return nil
	}
	h.Control.Log(ctx, fmt.Sprintf("downloading %d packages, %s", len(todo), megabytes(todo)))
	var mu sync.Mutex
	count, last := 0, time.Now()
	return c.Download(ctx, stage, files, func(fetch.File) {
		mu.Lock()
		defer mu.Unlock()
		if count++; time.Since(last) > 2*time.Second {
			last = time.Now()
			h.Control.Log(ctx, fmt.Sprintf("downloaded %d of %d packages", count, len(todo)))
		}
	})
}

// extra downloads what is put in as it is. Nothing says what these files should
// be, so each is taken anew unless the lock knows it.
func (b *Build) extra(ctx context.Context, c *fetch.Client, stage string) ([]item, error) {
	lock, err := ReadLock(b.Dir)
	if err != nil {
		return nil, err
	}
	var out []item
	for _, f := range b.Files {
		i := item{Locked: Locked{Name: f.Name, File: f.Name, Origin: fetch.Shown(f.URL)}, urls: []string{f.URL}}
		if lock != nil && !b.Update {
			for _, p := range lock.Packages {
				if p.File == f.Name && p.Origin == i.Origin {
					i.Locked = p
				}
			}
		}
		if i.SHA256 == "" {
			if err := os.RemoveAll(filepath.Join(stage, f.Name)); err != nil {
				return nil, err
			}
		} else if err := reuse(ctx, stage, []item{i}, b.Dir); err != nil {
			return nil, err
		}
		if err := c.Download(ctx, stage, []fetch.File{i.file()}, nil); err != nil {
			return nil, err
		}
		data, err := os.ReadFile(filepath.Join(stage, f.Name))
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(data)
		i.Size, i.SHA256 = int64(len(data)), hex.EncodeToString(sum[:])
		out = append(out, i)
	}
	return out, nil
}

// unique reports two packages that would have one file name.
func unique(items []item) error {
	seen := map[string]string{}
	for _, i := range items {
		if other, ok := seen[i.File]; ok {
			return fmt.Errorf("two packages want the file name %s: %s and %s", i.File, other, i.Version)
		}
		seen[i.File] = i.Version
	}
	return nil
}

func locked(items []item) []Locked {
	out := make([]Locked, len(items))
	for i, it := range items {
		out[i] = it.Locked
	}
	return out
}

func fileNames(items []item) []string {
	out := make([]string, len(items))
	for i, it := range items {
		out[i] = it.File
	}
	return out
}

func names(wants []want.Package) []string {
	var out []string
	for _, w := range wants {
		out = append(out, w.String())
	}
	return out
}

// megabytes is the size of items together.
func megabytes(items []item) string {
	var n int64
	for _, i := range items {
		n += i.Size
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// systemOf names what the packages of a repository are for. Those for EL are the
// same for all minor versions.
func systemOf(f resource.Facts) string {
	version := f.Version
	if f.Family == "rpm" {
		version, _, _ = strings.Cut(version, ".")
	}
	return strings.Join(strings.Fields(f.OS+" "+version+" "+f.Arch), " ")
}
