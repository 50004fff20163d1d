package node

import (
	"maps"
	"slices"
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

const (
	profileFile = "/etc/profile.d/node.sh"
	aliasFile   = "/etc/profile.d/node.alias.sh"
	limitsFile  = "/etc/security/limits.d/limits.conf"

	// maxFiles is how many files a session may have open.
	maxFiles = 1048576
)

// shell sets up what people find when they log in, the limits of their
// sessions, and the directory of the main data disk.
func shell(b *plan.Builder, h *module.Host) {
	p := module.Params[Params](h)

	b.Tag("node_profile").Add(resource.NewFile(profileFile, render("node.sh.tmpl", nil)))

	alias := b.Tag("node_profile", "node_alias")
	if len(p.NodeAliases) > 0 {
		alias.Add(resource.NewFile(aliasFile, render("alias.sh.tmpl", aliases(p.NodeAliases))))
	} else {
		alias.Add(&resource.Absent{Path: aliasFile, Reason: "node_aliases is empty"})
	}

	b.Tag("node_ulimit").Add(resource.NewFile(limitsFile, render("limits.conf.tmpl", map[string]any{
		"Who":   []string{"*", "root"}, // the wildcard does not cover root
		"Files": module.OpenFiles(h, maxFiles),
		// Without the right to raise this one, as many containers are, a login would fail.
		"Memlock": h.Facts.Container == "",
	})))

	if p.NodeData != "" && p.NodeData != "/" {
		b.Tag("node_data").Early().Add(&resource.Dir{Path: p.NodeData})
	}
}

type alias struct{ Name, Command string }

// aliases returns the aliases by name, their commands quoted for the shell.
func aliases(commands map[string]string) []alias {
	var out []alias
	for _, name := range slices.Sorted(maps.Keys(commands)) {
		out = append(out, alias{name, "'" + strings.ReplaceAll(commands[name], "'", `'\''`) + "'"})
	}
	return out
}
