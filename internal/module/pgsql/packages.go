package pgsql

import (
	"slices"

	"pigsty/internal/repo/alias"
	"pigsty/internal/resource"
)

// expandPackages returns the packages that the lines of a parameter stand for,
// each once, in the order they are named.
func expandPackages(family string, lines []string, version, parameter string) []resource.PackageItem {
	var out []resource.PackageItem
	for _, p := range alias.Expand(family, version, lines...) {
		item := resource.PackageItem{Name: p.Name, For: parameter, Optional: p.Spare}
		if p.Versioned {
			item.For += " with pg_version " + version
			item.Release, item.ReleaseOf = version, "pg_version"
		}
		if i := slices.IndexFunc(out, func(have resource.PackageItem) bool { return have.Name == p.Name }); i >= 0 {
			out[i].Optional = out[i].Optional && p.Spare
			continue
		}
		out = append(out, item)
	}
	return out
}
