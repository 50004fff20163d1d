package resource

import (
	"context"
	"errors"
	"io/fs"
	"strings"
)

// originalSuffix ends the name of what a File with Keep took the place of.
const originalSuffix = ".before-pigsty"

// Original is a file of a distribution's as it was before a File with Keep took
// its place, or nothing if there was none.
type Original struct {
	Path   string
	Header string // the first line of files that are ours; others are left alone
}

var _ Resource = (*Original)(nil)

// Key returns "original " and the path.
func (o *Original) Key() string { return "original " + o.Path }

// Diff is empty unless the file is ours.
func (o *Original) Diff(_ context.Context, h *Host) (Change, error) {
	data, err := h.Files.Read(o.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return Change{}, nil
	}
	if err != nil {
		return Change{}, err
	}
	if first, _, _ := strings.Cut(string(data), "\n"); first != o.Header {
		return Change{}, nil
	}
	c := Change{Action: Remove, Reason: "no longer wanted", Paths: []string{o.Path}}
	if exists(h, o.Path+originalSuffix) {
		c.Action, c.Reason = Update, "what was there before comes back"
	}
	return c, nil
}

// Apply puts back what was there before, or removes the file.
func (o *Original) Apply(_ context.Context, h *Host) error {
	kept := o.Path + originalSuffix
	info, err := h.Files.Stat(kept)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := h.Files.Remove(o.Path); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		data, err := h.Files.Read(kept)
		if err != nil {
			return err
		}
		if err := h.Files.Write(o.Path, data, info.Mode&permissions, info.Owner); err != nil {
			return err
		}
		if err := h.Files.Remove(kept); err != nil {
			return err
		}
	}
	h.Manifest.ForgetFile(o.Path)
	return nil
}

// keep copies what is at path aside, once, unless it is ours.
func keep(h *Host, path string, info FileInfo, old []byte, header string) error {
	if first, _, _ := strings.Cut(string(old), "\n"); first == header || exists(h, path+originalSuffix) {
		return nil
	}
	return h.Files.Write(path+originalSuffix, old, info.Mode&permissions, info.Owner)
}
