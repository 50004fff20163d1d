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
	if p.NodeUvEnv != "" {
		b.Tag("node_uv", "node_pip").Add(&resource.Venv{Path: p.NodeUvEnv, Packages: strings.Fields(p.NodePipPackages)})
	}
}
