package resource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// Link is a symbolic link.
type Link struct {
	Path   string
	Target string // as written in the link; it need not exist

	// Prefer is where the link leads instead of Target while that exists.
	Prefer string

	// Keep says why a link that leads to something else that exists must not be
	// changed; that is an error then. Empty: it is changed.
	Keep string
}

var (
	_ Resource = (*Link)(nil)
	_ Requirer = (*Link)(nil)
)

// Key returns "link " and the path.
func (l *Link) Key() string { return "link " + l.Path }

// Requires returns the directories above, and what the link leads to.
func (l *Link) Requires() []string {
	return append(above(l.Path, Owner{}), "dir "+l.Target, "link "+l.Target)
}

// Diff compares where the link leads. Something else in its place is an error:
// it may hold data.
func (l *Link) Diff(_ context.Context, h *Host) (Change, error) {
	target, err := l.read(h)
	if err != nil {
		return Change{}, err
	}
	want := l.target(h)
	if l.Keep != "" && target != "" && target != want && exists(h, target) {
		return Change{}, fmt.Errorf("%s leads to %s and not to %s: %s", l.Path, target, want, l.Keep)
	}
	var c Change
	c.Differs("target", target, want)
	if target == "" {
		c.Action, c.Reason = Create, "does not exist"
	}
	if c.Action != None {
		c.Paths = []string{l.Path}
	}
	return c, nil
}

// Apply makes the link, or points it elsewhere in one atomic step.
func (l *Link) Apply(_ context.Context, h *Host) error {
	target, err := l.read(h)
	want := l.target(h)
	if err != nil || target == want {
		return err
	}
	return h.Files.Link(l.Path, want)
}

// target is where the link is to lead on h.
func (l *Link) target(h *Host) string {
	if l.Prefer != "" && exists(h, l.Prefer) {
		return l.Prefer
	}
	return l.Target
}

// read returns where the link leads, "" if there is none.
func (l *Link) read(h *Host) (string, error) {
	info, err := h.Files.Stat(l.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if info.Mode&fs.ModeSymlink == 0 {
		return "", fmt.Errorf("%s exists and is not a link: move what is there to %s, or away, and apply again", l.Path, l.Target)
	}
	return info.Target, nil
}

func exists(h *Host, path string) bool {
	_, err := h.Files.Stat(path)
	return err == nil
}
