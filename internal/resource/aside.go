package resource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Aside is files of others that are kept where nothing reads them, or come back
// from there. Files of ours, by their first line, stay where they are.
type Aside struct {
	Dir   string   // where they are found
	Globs []string // of names in Dir, as path.Match takes it
	Files []string // more of them, elsewhere
	// To is the directory that keeps them. What it has already is never
	// overwritten: the first file of a name is the one that comes back.
	To     string
	Header string // the first line of files that are ours
	Back   bool
	// Rescue has files come back only where none of others is left, so that they are
	// missed.
	Rescue bool
}

var (
	_ Resource = (*Aside)(nil)
	_ Requirer = (*Aside)(nil)
)

// Key returns "aside " and the directory.
func (a *Aside) Key() string { return "aside " + a.Dir }

// Requires returns the directories above.
func (a *Aside) Requires() []string { return above(a.To, Owner{}) }

// Diff names the files to move.
func (a *Aside) Diff(_ context.Context, h *Host) (Change, error) {
	moves, err := a.moves(h)
	if err != nil || len(moves) == 0 {
		return Change{}, err
	}
	c := Change{Action: Update, Reason: "set aside"}
	if a.Back {
		c.Reason = "what was there before comes back"
	}
	for _, m := range moves {
		c.Attrs = append(c.Attrs, Attr{Name: path.Base(m.from), Old: m.from, New: m.to})
		c.Paths = append(c.Paths, m.from, m.to)
	}
	return c, nil
}

// Apply moves them. One that is there twice when a run is cut off is moved again.
func (a *Aside) Apply(_ context.Context, h *Host) error {
	moves, err := a.moves(h)
	if err != nil {
		return err
	}
	for _, m := range moves {
		info, err := h.Files.Stat(m.from)
		if err != nil {
			return err
		}
		data, err := h.Files.Read(m.from)
		if err != nil {
			return err
		}
		if err := h.Files.Mkdir(path.Dir(m.to), 0o755, Owner{}); err != nil {
			return err
		}
		if err := h.Files.Write(m.to, data, info.Mode&permissions, info.Owner); err != nil {
			return err
		}
		if err := h.Files.Remove(m.from); err != nil {
			return err
		}
		h.Manifest.ForgetFile(m.to)
	}
	if left, err := h.Files.List(a.To); a.Back && err == nil && len(left) == 0 {
		return h.Files.Remove(a.To)
	}
	return nil
}

type movedFile struct{ from, to string }

func (a *Aside) moves(h *Host) ([]movedFile, error) {
	if a.Header == "" {
		return nil, fmt.Errorf("aside %s: no header tells our files from others", a.Dir)
	}
	if spared, err := a.spared(h); err != nil || spared {
		return nil, err
	}
	var out []movedFile
	for _, file := range a.places(h) {
		kept := path.Join(a.To, path.Base(file))
		from, to := file, kept
		if a.Back {
			from, to = kept, file
		}
		info, err := h.Files.Stat(from)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode.IsRegular() {
			continue
		}
		if err != nil {
			return nil, err
		}
		// Ours stays where it is, and gives way to what it took the place of.
		mine, err := a.ours(h, file)
		if err != nil {
			return nil, err
		}
		if mine != a.Back && exists(h, file) {
			continue
		}
		for n := 1; !a.Back && exists(h, to); n++ {
			to = fmt.Sprintf("%s.%d", kept, n)
		}
		out = append(out, movedFile{from, to})
	}
	return out, nil
}

// spared reports whether files of others are left where Rescue looks for them.
func (a *Aside) spared(h *Host) (bool, error) {
	if !a.Rescue {
		return false, nil
	}
	where := *a
	where.Back = false
	for _, file := range where.places(h) {
		ours, err := a.ours(h, file)
		if err != nil {
			return false, err
		}
		if !ours && exists(h, file) {
			return true, nil
		}
	}
	return false, nil
}

// places returns where files are, or were.
func (a *Aside) places(h *Host) []string {
	from := a.Dir
	if a.Back {
		from = a.To
	}
	out := slices.Clone(a.Files)
	names, _ := h.Files.List(from) // nothing where there is no such directory
	for _, name := range names {
		for _, glob := range a.Globs {
			if match, _ := path.Match(glob, name); match && !slices.ContainsFunc(a.Files, func(f string) bool { return path.Base(f) == name }) {
				out = append(out, path.Join(a.Dir, name))
				break
			}
		}
	}
	return out
}

func (a *Aside) ours(h *Host, file string) (bool, error) {
	data, err := h.Files.Read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	first, _, _ := strings.Cut(string(data), "\n")
	return first == a.Header, err
}
