package pgsql

import (
	"fmt"

	"pigsty/internal/module"
	"pigsty/internal/resource/patroni"
	"pigsty/internal/resource/postgres"
)

// instances returns the PostgreSQL instances on hosts.
func instances(s *module.Site, hosts []*module.Host) []module.Instance {
	var out []module.Instance
	covering(s, hosts, func(c *Cluster, covered []*Member) {
		for _, m := range covered {
			report := &postgres.Report{Server: m.server(),
				Patroni: patroni.Report{API: m.api(), Member: m.Instance(), Units: []string{"pgbouncer.service", "haproxy.service"}}}
			if !c.managed() {
				report.Unit = postgresUnit
			}
			if c.KeepsOwnBackups() {
				report.Backup = &postgres.Backup{Stanza: m.stanza()}
			}
			in := module.Instance{Host: m.Host, Cluster: c.Name, Name: m.Instance(), Role: m.Params.PgRole, Report: report}
			for _, svc := range m.Params.services() {
				in.Services = append(in.Services, fmt.Sprintf("%s:%d", svc.Name, svc.Port))
			}
			out = append(out, in)
		}
	})
	return out
}
