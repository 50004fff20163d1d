package pgsql

import (
	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource/postgres"
)

// extras returns a step for each cluster that has members among hosts, which
// finds what is in it and not in the inventory.
func extras(s *module.Site, hosts []*module.Host) []*plan.Step {
	return each(s, hosts, func(c *Cluster, _ []*Member) []*plan.Step {
		if !c.writable() {
			return nil // all it has is another cluster's
		}
		m := c.first()
		p := m.Params
		e := postgres.Extra{Server: m.server(), Cluster: c.Name, Databases: map[string]postgres.Contents{}}
		for _, u := range p.roles() {
			e.Roles = append(e.Roles, u.Name)
		}
		base := Database{Schemas: p.PgDefaultSchemas, Extensions: p.PgDefaultExtensions}
		for _, d := range append([]Database{{Name: "postgres"}}, p.PgDatabases...) {
			var in postgres.Contents
			for _, list := range [][]Schema{base.Schemas, d.Schemas} {
				for _, v := range list {
					in.Schemas = append(in.Schemas, v.Name)
				}
			}
			for _, list := range [][]Extension{base.Extensions, d.Extensions} {
				for _, v := range list {
					in.Extensions = append(in.Extensions, v.Name)
				}
			}
			e.Databases[d.Name] = in
		}
		b := m.builder()
		b.AddOnLeader(c.Name, c.addresses(), e)
		return b.Steps()
	})
}
