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

// Prune removes files whose owner left the inventory: a dropped service's
// HAProxy file, a target of a host that is gone.
type Prune struct {
	Dir    string
	Glob   string   // of names in Dir, as path.Match takes it
	Header string   // the first line of files that are ours; others are left alone
	Begins string   // how that line may begin instead, where many do alike; "" for none
	Keep   []string // names that stay
	Any    bool     // files of others go too
}

var (
	_ Resource = (*Prune)(nil)
	_ Requirer = (*Prune)(nil)
)

// Key returns "prune " and the pattern of paths.
func (p *Prune) Key() string { return "prune " + path.Join(p.Dir, p.Glob) }

// Requires returns the directory, which may be a link.
func (p *Prune) Requires() []string { return above(path.Join(p.Dir, "x"), Owner{}) }

// Diff names the files to remove.
func (p *Prune) Diff(_ context.Context, h *Host) (Change, error) {
	stray, err := p.stray(h)
	if err != nil || len(stray) == 0 {
		return Change{}, err
	}
	c := Change{Action: Remove, Reason: "no longer in the inventory", Paths: stray}
	for _, file := range stray {
		c.Attrs = append(c.Attrs, Attr{Name: path.Base(file), Old: "present"})
	}
	return c, nil
}

// Apply removes them.
func (p *Prune) Apply(_ context.Context, h *Host) error {
	stray, err := p.stray(h)
	if err != nil {
		return err
	}
	for _, file := range stray {
		if err := h.Files.Remove(file); err != nil {
			return err
		}
		h.Manifest.ForgetFile(file)
	}
	return nil
}

// stray returns the paths of our files that should not be there.
func (p *Prune) stray(h *Host) ([]string, error) {
	if p.Header == "" {
		return nil, fmt.Errorf("prune %s: no header tells our files from others", p.Dir)
	}
	names, err := h.Files.List(p.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, name := range names {
		match, err := path.Match(p.Glob, name)
		if err != nil {
			return nil, fmt.Errorf("prune %s: pattern %q: %w", p.Dir, p.Glob, err)
		}
		if !match || slices.Contains(p.Keep, name) {
			continue
		}
		file := path.Join(p.Dir, name)
		info, err := h.Files.Stat(file)
		if err != nil {
			return nil, err
		}
		if !info.Mode.IsRegular() {
			continue
		}
		data, err := h.Files.Read(file)
		if err != nil {
			return nil, err
		}
		first, _, _ := strings.Cut(string(data), "\n")
		if p.Any || first == p.Header || p.Begins != "" && strings.HasPrefix(first, p.Begins) {
			out = append(out, file)
		}
	}
	return out, nil
}
