package pgsql

import (
	"fmt"

	"pigsty/internal/diag"
	"pigsty/internal/inventory"
)

// shared are parameters that a cluster has from its primary: on the host of
// another member they do nothing.
var shared = []string{
	"pg_users", "pg_databases", "pg_default_roles", "pg_default_privileges", "pg_default_schemas", "pg_default_extensions",
	"pg_provision", "pg_rpo", "patroni_mode", "pg_vip_address", "pg_service_provider", "pg_primary_db",
}

// checkLevels warns of what is written for one member and belongs to the cluster.
func (c *Cluster) checkLevels(l *diag.List) {
	first := c.first()
	for _, m := range c.Members {
		if m == first {
			continue
		}
		for _, name := range shared {
			v, ok := m.Vars.Get(name)
			if !ok || v.Origin.Kind != inventory.OriginHost {
				continue
			}
			if own, ok := first.Vars.Get(name); ok && own.Value.Equal(v.Value) {
				continue
			}
			l.Warn(v.NamePos, "no-effect",
				fmt.Sprintf("%s of %s alone has no effect: cluster %s has it from its primary, %s", name, m.Name(), c.Name, first.Name()),
				"move it to the vars of the cluster's group")
		}
	}
}
