package host

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// indexStamp holds the digest of the repositories' configuration as of the last
// time that we read the index, and when we began; its modification time is when we
// were done. The index's own files will not do: apt gives them the server's times.
const indexStamp = "/var/lib/pigsty/package-index"

// index is what a package manager has read of the repositories.
type index struct {
	sources []string // files, and directories of files, that say which repositories there are
	choice  []string // the same for what else decides which version is a package's candidate
	caches  []string // where it may be kept: the first that has something counts
}

// read returns since when what it has may be outdated: since it was last begun to
// be read from the repositories as sources configure them now; zero if it was not.
func (x index) read() (time.Time, error) {
	sum, configured, err := digestSources(x.sources)
	if err != nil {
		return time.Time{}, err
	}
	newest, err := x.changed()
	if err != nil || newest.IsZero() {
		return time.Time{}, err
	}
	if data, err := os.ReadFile(indexStamp); err == nil {
		last := strings.Fields(string(data))
		info, err := os.Stat(indexStamp)
		if err != nil {
			return time.Time{}, err
		}
		if len(last) == 2 && last[0] == sum && !newest.After(info.ModTime()) {
			return time.Parse(time.RFC3339Nano, last[1])
		}
	}
	if newest.After(configured) {
		return newest, nil // somebody else read it
	}
	return time.Time{}, nil
}

// stamp remembers that it has been read, and when that began.
func (x index) stamp(began time.Time) error {
	sum, _, err := digestSources(x.sources)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(indexStamp), 0o755); err != nil {
		return err
	}
	return os.WriteFile(indexStamp, fmt.Appendf(nil, "%s %s\n", sum, began.UTC().Format(time.RFC3339Nano)), 0o644)
}

// state names what it holds and what is chosen of that: it is another after every
// change. It is empty if there is no index.
func (x index) state() (string, error) {
	sum, _, err := digestSources(slices.Concat(x.sources, x.choice))
	if err != nil {
		return "", err
	}
	newest, err := x.changed()
	if err != nil || newest.IsZero() {
		return "", err
	}
	return fmt.Sprintf("%s %d", sum, newest.UnixNano()), nil
}

// changed returns when something was last put there, zero if there is nothing.
func (x index) changed() (time.Time, error) {
	for _, cache := range x.caches {
		if t, err := newestChange(cache); err != nil || !t.IsZero() {
			return t, err
		}
	}
	return time.Time{}, nil
}

// digestSources returns the digest of the files at or right below paths, and
// when the last of them changed.
func digestSources(paths []string) (sum string, changed time.Time, err error) {
	h := sha256.New()
	add := func(p string) error {
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%s %d\n%s", p, len(data), data)
		return nil
	}
	for _, p := range paths {
		info, err := os.Stat(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", changed, err
		}
		if info.ModTime().After(changed) {
			changed = info.ModTime()
		}
		if !info.IsDir() {
			if err := add(p); err != nil {
				return "", changed, err
			}
			continue
		}
		entries, err := os.ReadDir(p)
		if err != nil {
			return "", changed, err
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), ".") || !e.Type().IsRegular() {
				continue
			}
			if err := add(filepath.Join(p, e.Name())); err != nil {
				return "", changed, err
			}
			if info, err := e.Info(); err == nil && info.ModTime().After(changed) {
				changed = info.ModTime()
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil)), changed, nil
}

// newestChange returns the latest time that something in dir, or one level
// below, was put there; zero if there is nothing.
func newestChange(dir string) (time.Time, error) {
	var newest time.Time
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		if e.IsDir() && strings.Count(strings.TrimPrefix(p, dir), "/") > 2 {
			return fs.SkipDir
		}
		if !e.Type().IsRegular() || e.Name() == "lock" {
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return nil
		}
		// The status change and not the modification, which is the server's.
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			if t := time.Unix(st.Ctim.Unix()); t.After(newest) {
				newest = t
			}
		}
		return nil
	})
	return newest, err
}
