package pgsql

import (
	"fmt"
	"path"
	"strings"

	"pigsty/internal/diag"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// kernel is a build of PostgreSQL that pg_mode chooses in place of the plain one.
type kernel struct {
	home     string // where its packages put it, $v is the major version; empty where that is not known
	packages string // its alias in pg_packages
}

// kernels are those builds by pg_mode. None of them is in the distributions' or
// PostgreSQL's own repositories: one that no repository has is refused when
// packages are looked for, like any package.
var kernels = map[string]kernel{
	"mssql":  {"/usr/babelfish-$v", "babelfish"},
	"mysql":  {"/usr/halo-$v", "openhalodb"},
	"ivory":  {"/usr/ivory-5", "ivorysql"},
	"polar":  {"/u01/polardb_pg", "polardb"},
	"oriole": {"/usr/oriole-$v", "orioledb"},
	"pgtde":  {"", "percona-core"},
	"agens":  {"", "agensgraph"},
	"pgedge": {"", "pgedge"},
}

// packages returns the lines of pg_packages: where the inventory has none, those
// of the kernel and its companions.
func (m *Member) packages() []string {
	p := m.Params
	if k, ok := kernels[p.PgMode]; ok && !m.says("pg_packages") {
		return []string{k.packages, "pgsql-common"}
	}
	return p.PgPackages
}

// programHome returns where the packages put the programs of one major version;
// it is empty where only the inventory's pg_bin_dir can tell.
func (m *Member) programHome() string {
	p := m.Params
	if k, ok := kernels[p.PgMode]; ok {
		return strings.ReplaceAll(k.home, "$v", version(p))
	}
	if m.Facts.Family == "rpm" {
		return "/usr/pgsql-" + version(p)
	}
	return "/usr/lib/postgresql/" + version(p)
}

// addProgramLink makes the parent of pg_bin_dir lead to the programs.
func (m *Member) addProgramLink(b *plan.Builder) {
	if home, at := m.programHome(), path.Dir(m.Params.PgBinDir); home != "" && at != home {
		b.Tag("pg_link").Add(&resource.Link{Path: at, Target: home})
	}
}

// checkMode checks what kinds of PostgreSQL other than the plain one need.
func (c *Cluster) checkMode(l *diag.List) {
	m, p := c.first(), c.Params
	if p.PgMode == "gpsql" {
		l.Add(diag.Diagnostic{
			Code: "not-supported", Pos: m.At("pg_mode"), Message: "cluster " + c.Name + " cannot be made: there is no way here to deploy gpsql",
			Advice: "use citus for a sharded cluster",
		})
		return
	}
	if k, ok := kernels[p.PgMode]; ok && k.home == "" && !m.says("pg_bin_dir") {
		l.Add(diag.Diagnostic{
			Code: "missing-field", Pos: m.At("pg_mode"), Message: fmt.Sprintf("where the programs of %s are is not known here", p.PgMode),
			Advice: "set pg_bin_dir to the directory that its packages put them in",
		})
	}
}
