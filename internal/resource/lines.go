package resource

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"pigsty/internal/secret"
)

// Lines are our lines in a file that belongs to others, such as the names of
// our hosts in /etc/hosts. Each of ours ends with Marker; the rest of the file
// is kept byte for byte.
type Lines struct {
	Path   string
	Marker string // "# pigsty dns"
	Lines  []string

	// Block puts Lines as they are between "<Marker> begin" and "<Marker> end"
	// instead, for formats without comments at the end of a line.
	Block bool

	// Owner and Mode are those of a file that does not exist yet. One that does
	// keeps its own, but nobody may do with it what Mode does not let them. 0
	// means 0644 for a new file.
	Owner Owner
	Mode  fs.FileMode
	// Private are more lines, which plans do not show.
	Private []secret.Value
	// Beside, if set, is a path that must be there: lines that another host's
	// affairs bring to this one are left out where it is not.
	Beside string
	// Hidden keeps lines out of plans that are there and are to go.
	Hidden bool
	// Drop removes a file in which nothing is left without our lines.
	Drop bool
}

var (
	_ Resource = (*Lines)(nil)
	_ Requirer = (*Lines)(nil)
)

// Key returns "lines ", the path and the marker.
func (l *Lines) Key() string { return "lines " + l.Path + " " + l.Marker }

// Requires returns the directories above and the file, if it is in the plan as well.
func (l *Lines) Requires() []string {
	return append(above(l.Path, l.Owner), "file "+l.Path)
}

// Diff compares our lines only.
func (l *Lines) Diff(_ context.Context, h *Host) (Change, error) {
	if l.Beside != "" && !exists(h, l.Beside) {
		return Change{Skipped: l.Beside + " is not there: what reads this file is not set up yet"}, nil
	}
	old, info, err := l.read(h)
	if err != nil {
		return Change{}, err
	}
	text := l.edit(string(old))
	if text == string(old) {
		return Change{}, nil
	}
	c := Change{Action: Update, Reason: "lines differ", Paths: []string{l.Path}}
	switch {
	case info == nil:
		c.Action, c.Reason = Create, "does not exist"
	case l.Drop && text == "":
		c.Action, c.Reason = Remove, "only our lines are in it"
	}
	switch {
	case l.Hidden || len(l.Private) > 0:
		c.Attrs = []Attr{{Name: "lines", New: secret.Mask}}
	case textual(old):
		c.Diff = unified(old, []byte(text), nil)
	}
	return c, nil
}

// Apply replaces our lines, keeping the file's mode and owner.
func (l *Lines) Apply(_ context.Context, h *Host) error {
	old, info, err := l.read(h)
	if err != nil {
		return err
	}
	text := l.edit(string(old))
	if text == string(old) {
		return nil
	}
	if l.Drop && text == "" {
		return h.Files.Remove(l.Path)
	}
	if info == nil {
		if err := h.Files.Mkdir(path.Dir(l.Path), 0o755, Owner{}); err != nil {
			return err
		}
		info = &FileInfo{Mode: cmp.Or(l.Mode, 0o644), Owner: l.Owner}
	}
	mode := info.Mode & permissions
	if l.Mode != 0 {
		mode &= l.Mode
	}
	return h.Files.Write(l.Path, []byte(text), mode, info.Owner)
}

// read returns the file, and a nil FileInfo if there is none.
func (l *Lines) read(h *Host) ([]byte, *FileInfo, error) {
	info, err := h.Files.Stat(l.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if err := regular(l.Path, info); err != nil {
		return nil, nil, err
	}
	data, err := h.Files.Read(l.Path)
	return data, &info, err
}

// edit puts our lines where the first of ours was, at the end if there was none.
func (l *Lines) edit(old string) string {
	var out strings.Builder
	written, inside := false, false
	closed := strings.Contains(old, l.Marker+" end") // a block that somebody left open must not swallow the rest
	ours := func() {
		if !written {
			out.WriteString(l.ours())
		}
		written = true
	}
	for _, line := range strings.SplitAfter(old, "\n") {
		text := strings.TrimRight(line, " \t\r\n")
		switch {
		case l.Block && text == l.Marker+" begin":
			inside = closed
			ours()
		case l.Block && inside:
			inside = text != l.Marker+" end"
		case !l.Block && strings.HasSuffix(text, l.Marker):
			ours()
		default:
			out.WriteString(line)
		}
	}
	if !written && len(l.lines()) > 0 {
		if s := out.String(); s != "" && !strings.HasSuffix(s, "\n") {
			out.WriteString("\n")
		}
		ours()
	}
	return out.String()
}

func (l *Lines) lines() []string {
	out := slices.Clone(l.Lines)
	for _, line := range l.Private {
		out = append(out, line.Reveal())
	}
	return out
}

func (l *Lines) ours() string {
	lines := l.lines()
	if len(lines) == 0 {
		return ""
	}
	if l.Block {
		return l.Marker + " begin\n" + strings.Join(lines, "\n") + "\n" + l.Marker + " end\n"
	}
	var out strings.Builder
	for _, line := range lines {
		out.WriteString(line + " " + l.Marker + "\n")
	}
	return out.String()
}
