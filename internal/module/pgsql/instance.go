package pgsql

import (
	"fmt"

	"pigsty/internal/module"
	"pigsty/internal/resource/patroni"
)

// instances returns the PostgreSQL instances on hosts.
func instances(s *module.Site, hosts []*module.Host) []module.Instance {
	var out []module.Instance
	covering(s, hosts, func(c *Cluster, covered []*Member) {
		for _, m := range covered {
			in := module.Instance{Host: m.Host, Cluster: c.Name, Name: m.Instance(), Role: m.Params.PgRole,
				Report: &patroni.Report{API: m.api(), Member: m.Instance(), Units: []string{"pgbouncer.service", "haproxy.service"}}}
			for _, svc := range m.Params.services() {
				in.Services = append(in.Services, fmt.Sprintf("%s:%d", svc.Name, svc.Port))
			}
			out = append(out, in)
		}
	})
	return out
}
