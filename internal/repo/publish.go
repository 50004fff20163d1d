package repo

import (
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

	"golang.org/x/sys/unix"

	"pigsty/internal/repo/fetch"
)

// staging is where the repository of dir is built: beside it, so that it can
// take its place. What a build that was cut left there is used by the next.
func staging(dir string) string {
	return filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".new")
}

// reuse puts into stage the files of items that are on the host already: in the
// repository itself, or kept by the package manager. Each is checked as a
// downloaded one would be.
func reuse(ctx context.Context, stage string, items []item, dirs ...string) error {
	for _, i := range items {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		at := filepath.Join(stage, i.File)
		if ok, err := fetch.Matches(at, i.file()); ok || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		if err := os.RemoveAll(at); err != nil { // damaged: it would pass for what is to be there
			return err
		}
		for _, dir := range dirs {
			for _, name := range []string{i.File, cacheName(i.Locked)} {
				from := filepath.Join(dir, name)
				if ok, _ := fetch.Matches(from, i.file()); !ok {
					continue
				}
				if err := place(from, at); err != nil {
					return err
				}
				break
			}
		}
	}
	return nil
}

// cacheName is what apt calls the file of a package that it keeps.
func cacheName(p Locked) string {
	return p.Name + "_" + strings.ReplaceAll(p.Version, ":", "%3a") + "_" + p.Arch + ".deb"
}

// place links from to the name at, or copies it to another file system.
func place(from, at string) error {
	if err := os.RemoveAll(at); err != nil {
		return err
	}
	if os.Link(from, at) == nil {
		return os.Chmod(at, 0o644)
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Chmod(0o644), out.Close()); err != nil {
		return errors.Join(err, os.Remove(at))
	}
	return nil
}

// writeFiles writes files below dir for everybody to read, whatever the umask.
func writeFiles(dir string, files map[string][]byte) error {
	for name, data := range files {
		at := filepath.Join(dir, name)
		if err := makeDirs(filepath.Dir(at)); err != nil {
			return err
		}
		if err := os.WriteFile(at, data, 0o644); err != nil {
			return err
		}
		if err := os.Chmod(at, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// makeDirs makes the directory dir and those above it that are not there, for
// everybody to enter, whatever the umask.
func makeDirs(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := makeDirs(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Chmod(dir, 0o755)
}

// space returns an error if the file system of dir has no room for items.
func space(dir string, items []item) error {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return err
	}
	var need int64
	for _, i := range items {
		need += i.Size
	}
	if free := int64(s.Bavail) * s.Bsize; need > free {
		return fmt.Errorf("the packages to download take %s, and %s has room for %.1f MB: make room, or let nginx_data be on a larger disk",
			megabytes(items), filepath.Dir(dir), float64(free)/1e6)
	}
	return nil
}

// tidy removes from stage what is not among names.
func tidy(stage string, names []string) error {
	entries, err := os.ReadDir(stage)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !slices.Contains(names, e.Name()) {
			if err := os.RemoveAll(filepath.Join(stage, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// swap makes stage the repository at dir and removes the one that was there.
// Readers see the one or the other at every moment, where the file system can
// exchange two names.
func swap(stage, dir string) error {
	if err := syncTree(stage); err != nil {
		return err
	}
	// Writing may have taken long: an index that somebody read meanwhile is older.
	if err := os.Chtimes(filepath.Join(stage, LockFile), time.Time{}, time.Now()); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.Rename(stage, dir)
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory: move it away", dir)
	}
	old := stage
	err = unix.Renameat2(unix.AT_FDCWD, stage, unix.AT_FDCWD, dir, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EXDEV) {
		old = filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".old")
		if err := os.RemoveAll(old); err != nil {
			return err
		}
		if err := os.Rename(dir, old); err != nil {
			return err
		}
		if err = os.Rename(stage, dir); err != nil {
			return errors.Join(err, os.Rename(old, dir))
		}
	}
	if err != nil {
		return fmt.Errorf("put the new repository in place: %w", err)
	}
	return os.RemoveAll(old)
}

// syncTree makes the files of dir last, so that a crash right after the swap
// does not leave empty ones. One call for the file system is faster than one for
// each of hundreds of files.
func syncTree(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Syncfs(int(d.Fd()))
}
