package resource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// HandBack gives up a service that we ran: whoever had it before us gets it back
// with the configuration that a File with Keep took the place of. Where nobody
// had one it stops, and what we put there goes.
type HandBack struct {
	Unit   string
	Config string   // what the unit reads
	Header string   // the first line of a Config that is ours
	Trees  []string // directories of ours, and files such as one of the unit's own
	// Packages are removed where nobody had the service, if it was us who
	// installed them.
	Packages []string
}

var (
	_ Resource = (*HandBack)(nil)
	_ Requirer = (*HandBack)(nil)
)

// Key returns "hand back " and the unit.
func (b *HandBack) Key() string { return "hand back " + b.Unit }

// Requires returns what prunes files of the trees.
func (b *HandBack) Requires() []string {
	var keys []string
	for _, tree := range b.Trees {
		keys = append(keys, "prune "+tree+"/")
	}
	return keys
}

// handover is what there is to hand back.
type handover struct {
	st     UnitState
	theirs bool     // somebody ran the service before us
	boot   bool     // and it started at boot
	config bool     // ours is still there
	loaded bool     // the unit has read ours, as far as we remember
	trees  []tree   // that are there
	added  []string // packages of ours
}

// tree is a directory or a file of ours.
type tree struct {
	kind, path string
	kept       bool // there was another file before
}

// Diff is empty where nothing of ours is left.
func (b *HandBack) Diff(ctx context.Context, h *Host) (Change, error) {
	o, err := b.observe(ctx, h)
	if err != nil {
		return Change{}, err
	}
	c := Change{Impact: ImpactRestart}
	differ := func(name, old, new string) { c.Attrs = append(c.Attrs, Attr{name, old, new}) }
	switch {
	case o.theirs && (o.config || o.loaded):
		c.Action, c.Reason = Restart, "what was there before comes back"
	case !o.theirs && (o.config || o.loaded || len(o.added) > 0):
		c.Action, c.Reason, c.Impact = Remove, "no longer wanted", ImpactNone
		if isUp(o.st) {
			differ("running", yes(true), yes(false))
			c.Impact = ImpactRestart
		}
		for _, name := range o.added {
			differ("package", name, "")
		}
	default:
		return Change{}, nil
	}
	if o.config {
		c.Paths = append(c.Paths, b.Config)
	}
	for _, t := range o.trees {
		differ(t.kind, t.path, map[bool]string{true: "as it was before"}[t.kept])
		c.Paths = append(c.Paths, t.path)
	}
	return c, nil
}

// Apply gives it back. That it was ours is forgotten last, so that what is cut
// off in between is gone on with.
func (b *HandBack) Apply(ctx context.Context, h *Host) error {
	o, err := b.observe(ctx, h)
	if err != nil {
		return err
	}
	unit := Unit{Name: b.Unit, Enabled: o.boot, Running: o.theirs}
	if !o.theirs && isUp(o.st) {
		if err := h.Units.Stop(ctx, b.Unit); err != nil {
			return unit.failure(ctx, h, "stop", err)
		}
	}
	// Before a unit file of ours goes, which links may lead to.
	if o.st.Load != "not-found" && !o.boot {
		if err := unit.enable(ctx, h, o.st); err != nil {
			return err
		}
	}
	for _, t := range o.trees {
		var gone Resource = &Absent{Path: t.path, Tree: true}
		if t.kept {
			gone = &Original{Path: t.path}
		}
		if err := gone.Apply(ctx, h); err != nil {
			return err
		}
	}
	if o.config {
		if err := (&Original{Path: b.Config, Header: b.Header}).Apply(ctx, h); err != nil {
			return err
		}
	}
	if o.st, err = h.Units.Show(ctx, b.Unit); err != nil {
		return err
	}
	if o.st.Stale { // by a unit file that went
		if err := h.Units.DaemonReload(ctx); err != nil {
			return fmt.Errorf("have systemd read its unit files: %w", err)
		}
	}
	switch {
	case o.theirs && isUp(o.st):
		if err := h.Units.Restart(ctx, b.Unit); err != nil {
			return unit.failure(ctx, h, "restart", err)
		}
	case !o.theirs && len(o.added) > 0:
		if err := h.Packages.Remove(ctx, o.added...); err != nil {
			return err
		}
		h.Manifest.SetAdded(false, o.added...)
	}
	h.Manifest.ForgetUnit(b.Unit)
	return nil
}

func (b *HandBack) observe(ctx context.Context, h *Host) (o handover, err error) {
	// Most hosts never had it.
	if _, known := h.Manifest.Unit(b.Unit); !known && !exists(h, b.Config) && !slices.ContainsFunc(b.Packages, h.Manifest.Added) {
		return o, nil
	}
	if o.st, err = h.Units.Show(ctx, b.Unit); err != nil {
		return o, fmt.Errorf("look at %s: %w", b.Unit, err)
	}
	last, known := h.Manifest.Unit(b.Unit)
	o.loaded = known
	data, err := h.Files.Read(b.Config)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return o, err
	}
	first, _, _ := strings.Cut(string(data), "\n")
	o.config = err == nil && first == b.Header
	// A configuration that came with the package, of a service that nobody ran, is nobody's;
	// nor is that of one which does not run and which we have not come to start.
	o.theirs = !last.Started && (known || isUp(o.st)) && (err == nil && !o.config || exists(h, b.Config+originalSuffix))
	o.boot = o.theirs && !last.Disabled
	for _, p := range b.Trees {
		t, ours, err := b.tree(h, p)
		if err != nil {
			return o, err
		}
		if ours {
			o.trees = append(o.trees, t)
		}
	}
	installed, err := h.Packages.Installed(b.Packages...)
	for _, name := range b.Packages {
		if installed[name] != "" && h.Manifest.Added(name) {
			o.added = append(o.added, name)
		}
	}
	return o, err
}

// tree returns what of ours is at path. A file without our header was given back
// before, by a run that was cut off then.
func (b *HandBack) tree(h *Host, path string) (t tree, ours bool, err error) {
	info, err := h.Files.Stat(path)
	if err == nil && info.Mode.IsDir() {
		return tree{kind: "directory", path: path}, true, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return tree{}, false, err
	}
	t = tree{"file", path, exists(h, path+originalSuffix)}
	if t.kept || err != nil {
		return t, t.kept, nil
	}
	data, err := h.Files.Read(path)
	if err != nil {
		return tree{}, false, err
	}
	first, _, _ := strings.Cut(string(data), "\n")
	return t, first == b.Header, nil
}
