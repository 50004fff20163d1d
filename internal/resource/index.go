package resource

import (
	"context"
	"slices"
	"strings"
)

const indexKey = "package index"

// PackageIndex is the host's copy of what its repositories have, read since
// they were last configured, and since the deployment's own came to have a
// package that this host lacks.
type PackageIndex struct{}

var (
	_ Resource = (*PackageIndex)(nil)
	_ Requirer = (*PackageIndex)(nil)
)

// Key returns "package index".
func (*PackageIndex) Key() string { return indexKey }

// Requires returns what decides which repositories there are.
func (*PackageIndex) Requires() []string { return repositoryKeys() }

// Diff is a Run when the repositories changed, the index was never read, or
// reading it brings a package that is wanted.
func (*PackageIndex) Diff(ctx context.Context, h *Host) (Change, error) {
	for _, prefix := range repositoryPaths {
		if what, ok := h.pendingPath(prefix); ok {
			return Change{Action: Run, Reason: what + " changes"}, nil
		}
	}
	read, err := h.Packages.IndexTime()
	if err != nil {
		return Change{}, err
	}
	if read.IsZero() {
		return Change{Action: Run, Reason: "not read since the repositories were configured"}, nil
	}
	coming, err := h.news(ctx, read)
	if err != nil || len(coming) == 0 {
		return Change{}, err
	}
	return Change{Action: Run, Reason: "the deployment's repository has " + enumerate(coming) + " now"}, nil
}

// Apply reads the index of every repository.
func (*PackageIndex) Apply(ctx context.Context, h *Host) error { return h.Packages.Refresh(ctx) }

// PackagesAbsent are packages that must not be installed. Their configuration stays.
type PackagesAbsent struct {
	Names  []string
	Impact Impact // of removing them
	Ours   bool   // only those that it was us who installed
}

var _ Resource = (*PackagesAbsent)(nil)

// Key returns "packages absent " and the names.
func (p *PackagesAbsent) Key() string { return "packages absent " + strings.Join(p.Names, ",") }

// Diff names the packages that are installed.
func (p *PackagesAbsent) Diff(_ context.Context, h *Host) (Change, error) {
	installed, err := h.Packages.Installed(p.Names...)
	if err != nil {
		return Change{}, err
	}
	var c Change
	for _, name := range p.unwanted(h, installed) {
		c.Attrs = append(c.Attrs, Attr{Name: name, Old: installed[name]})
	}
	if len(c.Attrs) > 0 {
		c.Action, c.Reason, c.Impact = Remove, "no longer wanted", p.Impact
	}
	return c, nil
}

// Apply removes those that are installed in one transaction.
func (p *PackagesAbsent) Apply(ctx context.Context, h *Host) error {
	installed, err := h.Packages.Installed(p.Names...)
	if err != nil {
		return err
	}
	gone := p.unwanted(h, installed)
	if len(gone) == 0 {
		return nil
	}
	if err := h.Packages.Remove(ctx, gone...); err != nil {
		return err
	}
	h.Manifest.SetAdded(false, gone...)
	return nil
}

// unwanted returns those of the names that are installed and have to go.
func (p *PackagesAbsent) unwanted(h *Host, installed map[string]string) []string {
	return slices.DeleteFunc(slices.Clone(p.Names), func(name string) bool {
		_, ok := installed[name]
		return !ok || p.Ours && !h.Manifest.Added(name)
	})
}
