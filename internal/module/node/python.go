package node

import (
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// python adds the virtual environment for the scripts of people.
func python(b *plan.Builder, h *module.Host) {
	p := module.Params[Params](h)
	if p.NodeUvEnv == "" {
		return
	}
	v := &resource.Venv{Path: p.NodeUvEnv}
	if p.NodePipPackages != "" {
		v.Packages = strings.Fields(p.NodePipPackages)
	}
	b.Tag("node_uv", "node_pip").Add(v)
}
