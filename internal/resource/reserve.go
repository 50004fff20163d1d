package resource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
)

// Reserve is a file of a given size that keeps room on its file system: deleted
// when that is full, it lets what needs the room go on. What is in it does not
// matter and is never written again.
type Reserve struct {
	Path  string
	Size  int64 // bytes
	Owner Owner
}

var (
	_ Resource = (*Reserve)(nil)
	_ Requirer = (*Reserve)(nil)
)

// reserveMode is for the owner alone, who may delete it.
const reserveMode fs.FileMode = 0o600

// Key returns "reserve " and the path.
func (r *Reserve) Key() string { return "reserve " + r.Path }

// Requires returns the directories above, which may be links, and the owner.
func (r *Reserve) Requires() []string { return above(r.Path, r.Owner) }

// Diff compares size, mode and owner.
func (r *Reserve) Diff(_ context.Context, h *Host) (Change, error) {
	info, err := h.Files.Stat(r.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return Change{Action: Create, Reason: "does not exist", Attrs: []Attr{{Name: "size", New: fmt.Sprint(r.Size)}}}, nil
	}
	if err != nil {
		return Change{}, err
	}
	if err := regular(r.Path, info); err != nil {
		return Change{}, err
	}
	var c Change
	c.Differs("size", fmt.Sprint(info.Size), fmt.Sprint(r.Size))
	attributes(&c, info, reserveMode, r.Owner)
	return c, nil
}

// Apply makes the file, or gives it the size wanted. A file that there is no
// room for is not left behind in part.
func (r *Reserve) Apply(ctx context.Context, h *Host) error {
	info, err := h.Files.Stat(r.Path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := h.Files.Write(r.Path, nil, reserveMode, r.Owner); err != nil {
			return err
		}
		if err := r.resize(ctx, h, 0); err != nil {
			return errors.Join(err, h.Files.Remove(r.Path))
		}
		return nil
	}
	if err != nil {
		return err
	}
	if err := regular(r.Path, info); err != nil {
		return err
	}
	if err := r.resize(ctx, h, info.Size); err != nil {
		return err
	}
	return setAttributes(h, r.Path, info, reserveMode, r.Owner)
}

// resize takes the room that the file lacks, or gives back what it has too much of.
func (r *Reserve) resize(ctx context.Context, h *Host, from int64) error {
	size := strconv.FormatInt(r.Size, 10)
	args := []string{"fallocate", "--posix", "--length", size, r.Path}
	if r.Size < from {
		args = []string{"truncate", "--size", size, r.Path}
	}
	if r.Size == from {
		return nil
	}
	if _, err := h.Commands.Run(ctx, Command{Args: args}); err != nil {
		return fmt.Errorf("give %s the size of %s bytes; make room on its file system, or ask for less: %w", r.Path, size, err)
	}
	return nil
}
