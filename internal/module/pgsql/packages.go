package pgsql

import (
	"path"
	"slices"
	"strings"

	"pigsty/internal/repo/alias"
	"pigsty/internal/resource"
)

// expandPackages returns the packages that the lines of a parameter stand for,
// each once, in the order they are named, on a system.
func expandPackages(on resource.Facts, lines []string, version, parameter string) []resource.PackageItem {
	var out []resource.PackageItem
	for _, p := range alias.Expand(on, version, lines...) {
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

// carried are the extensions whose package is not called like them.
var carried = map[string]string{
	"vector": "pgvector", "address_standardizer": "postgis", "address_standardizer_data_us": "postgis",
	"postgis_raster": "postgis", "postgis_sfcgal": "postgis", "postgis_tiger_geocoder": "postgis", "postgis_topology": "postgis",
}

// extensionPackages returns the packages of pg_extensions, and then those of the
// extensions that databases have and of the libraries in pg_libs, unless
// pg_packages or pg_extensions name one for them: a package of somebody else's
// with the same extension would be in its way. A cluster that stands by for
// another one of the inventory needs what its source needs.
func (m *Member) extensionPackages() []resource.PackageItem {
	p := m.Params
	items := expandPackages(m.Facts, p.PgExtensions, version(p), "pg_extensions")
	named := slices.Concat(items, expandPackages(m.Facts, m.packages(), version(p), ""))
	imply := func(extension, parameter string, optional bool) {
		word := orElse(carried[extension], extension)
		if slices.ContainsFunc(named, func(i resource.PackageItem) bool { return isOf(i.Name, word) }) {
			return
		}
		for _, item := range expandPackages(m.Facts, []string{word}, version(p), parameter) {
			if item.Name != word && !slices.ContainsFunc(items, func(have resource.PackageItem) bool { return have.Name == item.Name }) {
				item.Optional = optional
				items = append(items, item)
			}
		}
	}
	for _, library := range strings.Split(p.libraries(), ",") { // without it the server does not start
		imply(path.Base(strings.Trim(library, " '\"")), "pg_libs", false)
	}
	for _, c := range append([]*Cluster{m.Cluster}, m.Cluster.sources()...) {
		for _, d := range c.first().Params.PgDatabases {
			for _, e := range d.Extensions {
				if d.State != "absent" && e.State != "absent" { // without it that extension alone fails
					imply(e.Name, "extension "+e.Name, true)
				}
			}
		}
	}
	return items
}

// isOf reports whether a package, whosever it is, is called after an extension:
// postgis36_17 is of postgis, but vip-manager not of age.
func isOf(name, extension string) bool {
	name, extension = strings.ReplaceAll(strings.ToLower(name), "-", "_"), strings.ReplaceAll(extension, "-", "_")
	letter := func(b byte) bool { return b >= 'a' && b <= 'z' }
	for from := 0; from < len(name); from++ {
		at := strings.Index(name[from:], extension)
		if at < 0 {
			break
		}
		from += at
		end := from + len(extension)
		if (from == 0 || !letter(name[from-1])) && (end == len(name) || !letter(name[end])) {
			return true
		}
	}
	return false
}

// libraries returns what the inventory has the server load at its start.
func (p *Params) libraries() string {
	if own, set := p.PgParameters["shared_preload_libraries"]; set {
		return own
	}
	return p.PgLibs
}
