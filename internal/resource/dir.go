package resource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
)

// Dir is a directory. A link that leads to a directory will do: people move
// data to other disks that way.
type Dir struct {
	Path  string
	Owner Owner
	Mode  fs.FileMode // 0 means 0755
}

var (
	_ Resource = (*Dir)(nil)
	_ Requirer = (*Dir)(nil)
)

// Key returns "dir " and the path.
func (d *Dir) Key() string { return "dir " + d.Path }

// Requires returns the directories above and the owner.
func (d *Dir) Requires() []string { return above(d.Path, d.Owner) }

// Diff compares mode and owner.
func (d *Dir) Diff(_ context.Context, h *Host) (Change, error) {
	_, info, err := d.find(h)
	if errors.Is(err, fs.ErrNotExist) {
		return Change{Action: Create, Reason: "does not exist",
			Attrs: []Attr{{Name: "mode", New: modeText(d.mode())}, {Name: "owner", New: d.Owner.String()}}}, nil
	}
	if err != nil {
		return Change{}, err
	}
	var c Change
	attributes(&c, info, d.mode(), d.Owner)
	return c, nil
}

// Apply makes the directory, or gives it the mode and owner wanted. What is in
// it stays as it is.
func (d *Dir) Apply(_ context.Context, h *Host) error {
	at, info, err := d.find(h)
	if errors.Is(err, fs.ErrNotExist) {
		return h.Files.Mkdir(d.Path, d.mode(), d.Owner)
	}
	if err != nil {
		return err
	}
	return setAttributes(h, at, info, d.mode(), d.Owner)
}

// find returns the directory itself, behind any links.
func (d *Dir) find(h *Host) (at string, info FileInfo, err error) {
	at = d.Path
	for range 16 {
		info, err = h.Files.Stat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist) && at != d.Path:
			return "", info, fmt.Errorf("%s is a link to %s, which does not exist: make that directory, or remove the link, and apply again", d.Path, at)
		case err != nil:
			return "", info, err
		case info.Mode.IsDir():
			return at, info, nil
		case info.Mode&fs.ModeSymlink == 0:
			return "", info, fmt.Errorf("%s is not a directory: move it away (mv %s %s.old) and apply again", at, at, at)
		}
		if path.IsAbs(info.Target) {
			at = path.Clean(info.Target)
		} else {
			at = path.Join(path.Dir(at), info.Target)
		}
	}
	return "", info, fmt.Errorf("%s is a link that leads back to itself: remove it and apply again", d.Path)
}

func (d *Dir) mode() fs.FileMode {
	if d.Mode == 0 {
		return 0o755
	}
	return d.Mode
}
