package resource

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// absent returns the items that have to be fetched and are nowhere: those that
// nothing goes on without, and the optional ones.
func absent(todo []PackageItem, candidates, installed map[string]string) (lost, spared []PackageItem) {
	for _, item := range todo {
		_, offered := candidates[item.Name]
		_, have := installed[item.Name]
		switch {
		case offered, have && item.Latest && item.Version == "":
		case item.Optional:
			spared = append(spared, item)
		default:
			lost = append(lost, item)
		}
	}
	return lost, spared
}

// without returns the items that are not among others.
func without(items, others []PackageItem) []PackageItem {
	return slices.DeleteFunc(slices.Clone(items), func(item PackageItem) bool { return slices.Contains(others, item) })
}

// leftOut says which optional packages a host goes without, "" for none.
func leftOut(items []PackageItem) string {
	var out []string
	for _, item := range items {
		out = append(out, item.Name+by(item))
	}
	if len(out) == 0 {
		return ""
	}
	return "no configured repository has " + enumerate(out) + "; the rest goes on without"
}

// advise is the error for packages that no repository has: what is wanted by
// the same parameters is one sentence.
func advise(ctx context.Context, h *Host, lost []PackageItem) error {
	var errs []error
	for len(lost) > 0 {
		first := lost[0]
		var alike, others []PackageItem
		for _, item := range lost {
			if item == first || first.Release != "" && item.For == first.For && item.Release == first.Release {
				alike = append(alike, item)
			} else {
				others = append(others, item)
			}
		}
		lost = others
		what, instead := "package "+first.Name, ""
		if first.Release != "" {
			what, instead = enumerate(names(alike)), releaseOffer(ctx, h, alike)
		} else {
			instead = offer(ctx, h, first)
		}
		errs = append(errs, fmt.Errorf("no configured repository has %s%s; %s (repo_upstream, node_repo_modules)", what, by(first), instead))
	}
	return errors.Join(errs...)
}

// offer is what the repositories have in place of item.
func offer(ctx context.Context, h *Host, item PackageItem) string {
	found, err := h.Packages.Search(ctx, similar(item.Name))
	if err != nil || len(found) == 0 {
		return "they have nothing like it. Add a repository that carries it"
	}
	more := ""
	if len(found) > 8 {
		found, more = found[:8], " …"
	}
	return "they have " + strings.Join(found, ", ") + more + ". Name one of these, or add a repository that carries it"
}

// releaseOffer is offer for items of one release: which other ones the
// repositories have.
func releaseOffer(ctx context.Context, h *Host, items []PackageItem) string {
	release, parameter := items[0].Release, items[0].ReleaseOf
	have := map[string]int{} // release → how many of the items there are of it
	for _, item := range items {
		before, after, ok := strings.Cut(item.Name, release)
		found, err := h.Packages.Search(ctx, before+"*"+after)
		if !ok || err != nil {
			continue
		}
		for _, name := range found {
			if r := strings.TrimSuffix(strings.TrimPrefix(name, before), after); number.MatchString(r) {
				have[r]++
			}
		}
	}
	maps.DeleteFunc(have, func(_ string, n int) bool { return n < len(items) })
	found := slices.Sorted(maps.Keys(have))
	if len(found) == 0 {
		return fmt.Sprintf("they have no other %s that has all of these. Add a repository that carries them", parameter)
	}
	return fmt.Sprintf("they have all of these for %s %s: set that, or add a repository that carries %s",
		parameter, strings.Join(found, " or "), release)
}

// enumerate joins words as a sentence does.
func enumerate(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

func by(item PackageItem) string {
	if item.For == "" {
		return ""
	}
	return " (wanted by " + item.For + ")"
}

// number is what a release looks like.
var number = regexp.MustCompile(`^[0-9]+(\.[0-9]+)*$`)

var digits = regexp.MustCompile(`[0-9]+`)

// similar is a glob for packages that a reader of name may have meant.
func similar(name string) string {
	if digits.MatchString(name) {
		return digits.ReplaceAllString(name, "*")
	}
	if stem, _, ok := strings.Cut(name, "-"); ok && len(stem) > 2 {
		return stem + "-*"
	}
	return name + "*"
}
