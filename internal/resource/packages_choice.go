package resource

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
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
// be told yet, or until the index is read, where that brings one.
func Obtainable(ctx context.Context, h *Host, packages []string) (Change, error) {
	if len(packages) == 0 {
		return Change{}, nil
	}
	installed, err := h.Packages.Installed(packages...)
	if err != nil || len(installed) > 0 {
		return Change{}, err
	}
	read, when, err := indexUnknown(h)
	if err != nil || when != "" {
		return Change{Unknown: when}, err
	}
	offered, err := h.State("candidates of "+read.String()+" "+strings.Join(packages, " "), func() (any, error) {
		found, err := h.Packages.Candidates(ctx, packages...)
		return len(found) > 0, err
	})
	if err != nil {
		return Change{}, fmt.Errorf("ask the package index: %w", err)
	}
	if offered.(bool) {
		return Change{}, nil
	}
	coming, err := h.news(ctx, read)
	if err != nil {
		return Change{}, err
	}
	if slices.ContainsFunc(coming, func(name string) bool { return slices.Contains(packages, name) }) {
		return Change{Unknown: afterIndex}, nil
	}
	return Change{Skipped: "no configured repository has " + strings.Join(packages, " or ")}, nil
}

// indexUnknown says when it can be told what repositories have: "" if it can now,
// from the index that was read then.
func indexUnknown(h *Host) (read time.Time, when string, err error) {
	for _, prefix := range repositoryPaths {
		if _, ok := h.pendingPath(prefix); ok {
			return read, "after the package repositories are configured", nil
		}
	}
	if read, err = h.Packages.IndexTime(); err == nil && read.IsZero() {
		when = afterIndex
	}
	return read, when, err
}
