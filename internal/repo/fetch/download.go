package fetch

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"
)

// File is something to download.
type File struct {
	URLs   []string // where it is to be had; the next one is tried when one fails
	Name   string   // in the directory that it goes to
	Size   int64    // bytes; 0 if it is not known
	SHA256 string   // in hex; empty if it is not known
}

// Download brings files into dir. One that is there already and is what it
// should be is left alone. done is called, by one goroutine at a time or more,
// as each file is in place. The first failure stops what has not begun.
func (c *Client) Download(ctx context.Context, dir string, files []File, done func(File)) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cmp.Or(c.Parallel, 6))
	for _, f := range files {
		group.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err := c.download(ctx, dir, f); err != nil {
				return fmt.Errorf("download %s: %w", f.Name, err)
			}
			if done != nil {
				done(f)
			}
			return nil
		})
	}
	return group.Wait()
}

func (c *Client) download(ctx context.Context, dir string, f File) error {
	path := filepath.Join(dir, f.Name)
	if ok, err := Matches(path, f); ok || err != nil {
		return err
	}
	var failed []error
	for _, u := range f.URLs {
		err := c.retry(ctx, func() error { return c.part(ctx, u, path+partial, f) })
		if err == nil {
			return os.Rename(path+partial, path)
		}
		failed = append(failed, fmt.Errorf("%s: %w", Shown(u), err))
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

// partial is how the name of a file ends that is not whole yet.
const partial = ".part"

// part goes on with what path has of f and checks the whole. A part of which the
// whole is not f is removed, so that trying again begins anew.
func (c *Client) part(ctx context.Context, url, path string, f File) error {
	out, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return &permanent{err}
	}
	defer out.Close()
	have, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return &permanent{err}
	}
	if f.SHA256 == "" { // nothing would tell that the part is of another version
		have = 0
	}
	resumed := have > 0
	if f.Size == 0 || have < f.Size {
		body, at, err := c.open(ctx, url, have)
		if errors.Is(err, errRange) {
			_ = os.Remove(path)
		}
		if err != nil {
			return err
		}
		defer body.Close()
		resumed = at > 0
		if err := errors.Join(out.Truncate(at), seek(out, at)); err != nil {
			return &permanent{err}
		}
		limit := io.Reader(body)
		if f.Size > 0 {
			limit = io.LimitReader(body, f.Size-at+1)
		}
		if _, err := io.Copy(out, limit); err != nil {
			return err
		}
	}
	if err := seek(out, 0); err != nil {
		return &permanent{err}
	}
	sum := sha256.New()
	size, err := io.Copy(sum, out)
	if err != nil {
		return &permanent{err}
	}
	if err := f.check(size, sum); err != nil {
		_ = os.Remove(path)
		if resumed { // the part was of another file; the whole may be right
			return err
		}
		return &permanent{err}
	}
	if err := errors.Join(out.Chmod(0o644), out.Sync()); err != nil {
		return &permanent{err}
	}
	return nil
}

func seek(f *os.File, at int64) error {
	_, err := f.Seek(at, io.SeekStart)
	return err
}

// check compares a size and a digest with those of f.
func (f File) check(size int64, sum hash.Hash) error {
	if f.Size > 0 && size != f.Size {
		return fmt.Errorf("it has %d bytes, the index says %d", size, f.Size)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); f.SHA256 != "" && got != f.SHA256 {
		return fmt.Errorf("its SHA-256 is %s, the index says %s", got, f.SHA256)
	}
	return nil
}

// Matches reports whether the file at path is f, reading it as a whole.
func Matches(path string, f File) (bool, error) {
	in, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer in.Close()
	if info, err := in.Stat(); err != nil || f.Size > 0 && info.Size() != f.Size {
		return false, err
	}
	sum := sha256.New()
	size, err := io.Copy(sum, in)
	if err != nil {
		return false, err
	}
	return f.check(size, sum) == nil, nil
}
