package resource

import (
	"context"
	"fmt"
	"strings"
)

// alternatives are the names under which an item may be installed, the best first.
func (item PackageItem) alternatives() []string {
	return append([]string{item.Name}, strings.Fields(item.Or)...)
}

// choose gives each item the first of its names that is installed or offered.
// Items that come to have the same name become one.
func choose(items []PackageItem, installed, candidates map[string]string) []PackageItem {
	out := &Packages{}
	for _, item := range items {
		for _, name := range item.alternatives() {
			_, have := installed[name]
			if _, offered := candidates[name]; have || offered {
				item.Name = name
				break
			}
		}
		item.Or = ""
		out = out.Merge(&Packages{Items: []PackageItem{item}})
	}
	return out.Items
}

// allNames are the names of items with all alternatives.
func allNames(items []PackageItem) []string {
	var out []string
	for _, item := range items {
		out = append(out, item.alternatives()...)
	}
	return out
}

// undecided are the names of items that the repositories must be asked about:
// those that are not installed as wanted.
func undecided(items []PackageItem, installed map[string]string) []string {
	var out []string
	for _, item := range items {
		for _, name := range item.alternatives() {
			item.Name = name
			if len(wanting([]PackageItem{item}, installed)) > 0 {
				out = append(out, name)
			}
		}
	}
	return out
}

// Obtainable returns an empty Change if h has one of packages, or can install
// one. Else the Change is skipped with the reason, or unknown while it cannot
// be told yet.
func Obtainable(ctx context.Context, h *Host, packages []string) (Change, error) {
	if len(packages) == 0 {
		return Change{}, nil
	}
	installed, err := h.Packages.Installed(packages...)
	if err != nil || len(installed) > 0 {
		return Change{}, err
	}
	when, err := indexUnknown(h)
	if err != nil || when != "" {
		return Change{Unknown: when}, err
	}
	offered, err := h.State("candidates "+strings.Join(packages, " "), func() (any, error) {
		found, err := h.Packages.Candidates(ctx, packages...)
		return len(found) > 0, err
	})
	if err != nil {
		return Change{}, fmt.Errorf("ask the package index: %w", err)
	}
	if !offered.(bool) {
		return Change{Skipped: "no configured repository has " + strings.Join(packages, " or ")}, nil
	}
	return Change{}, nil
}

// indexUnknown says when it can be told what repositories have, "" if it can now.
func indexUnknown(h *Host) (string, error) {
	for _, prefix := range repositoryPaths {
		if _, ok := h.pendingPath(prefix); ok {
			return "after the package repositories are configured", nil
		}
	}
	read, err := h.Packages.IndexTime()
	if err != nil {
		return "", err
	}
	if _, ok := h.Pending(indexKey); ok || read.IsZero() {
		return "after the package index is read", nil
	}
	return "", nil
}
