package node

import (
	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// basePackages are what the modules and the people who run them need on every
// host, by package family. An installation stays small: a tool that nothing
// here calls is the inventory's to ask for (node_packages).
//
// The EL list has no curl: minimal images have curl-minimal, which conflicts.
var basePackages = map[string][]string{
	"deb": {"ca-certificates", "curl", "iproute2", "lz4", "openssl", "procps", "rsync", "sudo", "tar", "tzdata", "zstd"},
	"rpm": {"ca-certificates", "iproute", "lz4", "openssl", "procps-ng", "rsync", "sudo", "tar", "tzdata", "zstd"},
}

// packages installs the base packages, or node_default_packages where it is
// written, and node_packages. What is installed already is not upgraded.
func packages(b *plan.Builder, h *module.Host) {
	p := module.Params[Params](h)
	b = b.Tag("node_pkg", "node_install")

	base := basePackages[family(h)]
	if written(h, "node_default_packages") {
		base = p.NodeDefaultPackages
	}
	b.Tag("node_pkg_default").Add(wanted("node_default_packages", base))
	if len(p.NodePackages) > 0 {
		b.Tag("node_pkg_extra").Add(wanted("node_packages", p.NodePackages))
	}
}

// wanted returns the packages that the parameter from lists; an item may hold several.
func wanted(from string, items []string) *resource.Packages {
	list := &resource.Packages{}
	for _, item := range items {
		for _, name := range words(item) {
			list.Items = append(list.Items, resource.PackageItem{Name: name, For: from})
		}
	}
	return list
}

// family returns "deb" or "rpm"; hosts that were never reached count as deb.
func family(h *module.Host) string {
	if h.Facts.Family == "rpm" {
		return "rpm"
	}
	return "deb"
}
