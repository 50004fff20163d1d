package resource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Absent is a path where nothing should be.
type Absent struct {
	Path   string
	Tree   bool   // a directory goes with all that is in it
	Empty  bool   // a directory goes if nothing is in it
	Reason string // why it goes; "no longer wanted" if empty
	Impact Impact // of its going: ImpactDataLoss for what holds people's data
}

var _ Resource = (*Absent)(nil)

// Key returns "absent " and the path.
func (a *Absent) Key() string { return "absent " + a.Path }

// Diff is a Remove if there is anything at the path.
func (a *Absent) Diff(_ context.Context, h *Host) (Change, error) {
	if err := a.sane(); err != nil {
		return Change{}, err
	}
	info, err := h.Files.Stat(a.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return Change{}, nil
	}
	if err != nil {
		return Change{}, err
	}
	if a.Empty {
		if left, err := a.left(h, info); err != nil || left {
			return Change{}, err
		}
	}
	c := Change{Action: Remove, Reason: a.Reason, Impact: a.Impact, Paths: []string{a.Path}}
	if c.Reason == "" {
		c.Reason = "no longer wanted"
	}
	if info.Mode.IsDir() && a.Tree {
		c.Note = "with everything in it"
	}
	return c, nil
}

// left reports whether anything is in the directory that is not about to go.
func (a *Absent) left(h *Host, info FileInfo) (bool, error) {
	if !info.Mode.IsDir() {
		return true, nil
	}
	names, err := h.Files.List(a.Path)
	for _, name := range names {
		if !h.goes(path.Join(a.Path, name)) {
			return true, nil
		}
	}
	return false, err
}

// Apply removes it. A link goes; what it leads to stays.
func (a *Absent) Apply(_ context.Context, h *Host) error {
	if err := a.sane(); err != nil {
		return err
	}
	remove := h.Files.Remove
	if a.Tree {
		remove = h.Files.RemoveAll
	}
	if err := remove(a.Path); err != nil {
		return err
	}
	h.Manifest.ForgetFile(a.Path)
	return nil
}

// sane refuses trees that no inventory can mean, such as "/" or "/etc", which
// an empty name in a path gives.
func (a *Absent) sane() error {
	if !path.IsAbs(a.Path) || path.Clean(a.Path) != a.Path || a.Tree && strings.Count(a.Path, "/") < 2 {
		return fmt.Errorf("refusing to remove %q: it is not a clean path below a top-level directory", a.Path)
	}
	return nil
}
