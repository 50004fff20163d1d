package resource

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"
)

// stale says why a running unit has not read what triggers (files, or trees
// ending in "/") hold now; "" if it has.
func stale(h *Host, unit string, st UnitState, planning bool, triggers []string) (string, error) {
	loaded, known := h.Manifest.Unit(unit)
	known = known && loaded.Invocation == st.Invocation
	for _, t := range triggers {
		if file, ok := h.pendingPath(t); ok && planning {
			return file + " changes", nil
		}
		sum, changed, err := observe(h, t)
		if err != nil {
			return "", err
		}
		if last, ok := loaded.Digests[t]; known && ok {
			if last != sum {
				return t + " changed since it was last read", nil
			}
			continue
		}
		// Somebody else started the unit, or it was not told of this file yet.
		if changed.After(st.Since) {
			return t + " is newer than the running unit", nil
		}
	}
	return "", nil
}

// digests returns the digest of each trigger.
func digests(h *Host, triggers ...[]string) (map[string]string, error) {
	out := map[string]string{}
	for _, list := range triggers {
		for _, t := range list {
			sum, _, err := observe(h, t)
			if err != nil {
				return nil, err
			}
			out[t] = sum
		}
	}
	return out, nil
}

// observe returns the digest of what is at trigger and when that last changed.
// A trigger that does not exist has a digest too: its going is a change.
func observe(h *Host, trigger string) (string, time.Time, error) {
	sum := sha256.New()
	var newest time.Time
	var walk func(p string, depth int) error
	walk = func(p string, depth int) error {
		info, err := h.Files.Stat(p)
		if errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(sum, "absent %s\n", p)
			return nil
		}
		if err != nil {
			return err
		}
		if info.MTime.After(newest) {
			newest = info.MTime
		}
		switch {
		case info.Mode.IsDir():
			if depth > 8 {
				return fmt.Errorf("%s: too deep to tell whether it changed", p)
			}
			names, err := h.Files.List(p)
			if err != nil {
				return err
			}
			for _, name := range names {
				if err := walk(path.Join(p, name), depth+1); err != nil {
					return err
				}
			}
		case info.Mode&fs.ModeSymlink != 0:
			fmt.Fprintf(sum, "link %s %s\n", p, info.Target)
			if depth > 8 {
				return nil // it leads in a circle
			}
			to := info.Target
			if !path.IsAbs(to) {
				to = path.Join(path.Dir(p), to)
			}
			return walk(to, depth+1)
		case info.Mode.IsRegular():
			data, err := h.Files.Read(p)
			if err != nil {
				return err
			}
			fmt.Fprintf(sum, "file %s %d\n", p, len(data))
			_, _ = sum.Write(data)
		}
		return nil
	}
	if err := walk(strings.TrimSuffix(trigger, "/"), 0); err != nil {
		return "", newest, fmt.Errorf("look at %s: %w", trigger, err)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16], newest, nil
}
