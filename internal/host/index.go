package host

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// indexStamp holds the digest of the repositories' configuration as of the last
// time that we read the index; its modification time is when. The index's own
// files will not do: apt gives them the server's times.
const indexStamp = "/var/lib/pigsty/package-index"

// indexTime returns when the index in cache was last read from the
// repositories as sources configure them now; zero if it was not.
func indexTime(sources []string, cache string) (time.Time, error) {
	sum, configured, err := digestSources(sources)
	if err != nil {
		return time.Time{}, err
	}
	newest, err := newestChange(cache)
	if err != nil || newest.IsZero() {
		return time.Time{}, err
	}
	last, err := os.ReadFile(indexStamp)
	if err == nil && strings.TrimSpace(string(last)) == sum {
		info, err := os.Stat(indexStamp)
		if err != nil {
			return time.Time{}, err
		}
		if newest.Before(info.ModTime()) {
			newest = info.ModTime()
		}
		return newest, nil
	}
	if newest.After(configured) {
		return newest, nil // somebody else read it
	}
	return time.Time{}, nil
}

// stampIndex remembers that the index was read just now.
func stampIndex(sources []string) error {
	sum, _, err := digestSources(sources)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(indexStamp), 0o755); err != nil {
		return err
	}
	return os.WriteFile(indexStamp, []byte(sum+"\n"), 0o644)
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
