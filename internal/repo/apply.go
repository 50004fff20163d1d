package repo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"pigsty/internal/repo/fetch"
	"pigsty/internal/repo/want"
	"pigsty/internal/resource"
)

// Apply downloads what is missing, builds the repository beside the one that is
// there, and puts it in its place. Any failure leaves the old one as it is, and
// what was downloaded for the next try.
func (b *Build) Apply(ctx context.Context, h *resource.Host) error {
	next, err := b.resolved(ctx, h)
	if err != nil {
		return err
	}
	defer h.Forget(b.state())
	f, err := b.format(h)
	if err != nil {
		return err
	}
	stage := staging(b.Dir)
	if err := makeDirs(stage); err != nil {
		return err
	}
	if err := unique(next.items); err != nil {
		return err
	}
	client := b.client(ctx, h)
	if err := reuse(ctx, stage, next.items, append(f.caches(), b.Dir)...); err != nil {
		return err
	}
	if err := b.download(ctx, h, client, stage, next.items); err != nil {
		return err
	}
	files, err := b.extra(ctx, client, f, stage)
	if err != nil {
		return err
	}
	if err := unique(files); err != nil {
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
	if err := b.finish(stage, b.system(h).String(), items, next); err != nil {
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
	if err := writeFiles(stage, map[string][]byte{LockFile: text, PublicKey: b.PublicKey}); err != nil {
		return err
	}
	return writeFiles(stage, map[string][]byte{Complete: []byte(hex.EncodeToString(sum[:]) + "  " + LockFile + "\n")})
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
	if err := space(stage, todo); err != nil {
		return err
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

// extra downloads what is put in as it is. Where nothing says what a file should be,
// it is taken anew unless the lock knows it.
func (b *Build) extra(ctx context.Context, c *fetch.Client, f format, stage string) ([]item, error) {
	lock, err := ReadLock(b.Dir)
	if err != nil {
		return nil, err
	}
	var out []item
	for _, file := range b.Files {
		i := item{Locked: Locked{Name: file.Name, File: file.Name, SHA256: file.SHA256, Origin: fetch.Shown(file.URL)}, urls: []string{file.URL}}
		if known, ok := lock.file(file); ok && !b.Update && file.accepts(known.SHA256) {
			i.Size, i.SHA256 = known.Size, known.SHA256
		}
		if i.SHA256 == "" {
			if err := os.RemoveAll(filepath.Join(stage, file.Name)); err != nil {
				return nil, err
			}
		} else if err := reuse(ctx, stage, []item{i}, b.Dir); err != nil {
			return nil, err
		}
		if err := c.Download(ctx, stage, []fetch.File{i.file()}, nil); err != nil {
			return nil, err
		}
		if i.SHA256, i.Size, err = digestFile(filepath.Join(stage, file.Name)); err != nil {
			return nil, err
		}
		if strings.HasSuffix(file.Name, f.ending()) {
			if i, err = f.describe(b, stage, i.Locked); err != nil {
				return nil, fmt.Errorf("%s of repo_url_packages cannot be in the index, %w: have a package there that hosts can verify, or take it out", file.Name, err)
			}
		}
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
