package pgsql

import (
	"fmt"

	"pigsty/internal/diag"
	"pigsty/internal/module"
	"pigsty/internal/module/node"
)

// ports returns what the members of clusters listen on, and the services that
// load balancers publish for them.
func ports(s *module.Site) []module.Port {
	var out []module.Port
	for _, c := range Clusters(s) {
		for _, m := range c.Members {
			out = append(out, m.ports()...)
			if c.Params.PgServiceProvider == "" {
				out = append(out, c.servicePorts(m.Host, m)...)
			}
		}
		for _, h := range s.Group(c.Params.PgServiceProvider) {
			out = append(out, c.servicePorts(h, c.first())...)
		}
	}
	for _, h := range s.Hosts() {
		out = append(out, exporterPorts(h)...)
	}
	return out
}

// ports returns what runs on m itself.
func (m *Member) ports() []module.Port {
	p := m.Params
	var out []module.Port
	add := func(enabled bool, name string, number int, ips ...string) {
		if !enabled {
			return
		}
		port := module.Listen(m.Host, name, number)
		for _, port.IP = range ips {
			out = append(out, port)
		}
	}
	add(true, "pg_port", p.PgPort, m.listen()...)
	add(p.PgbouncerEnabled, "pgbouncer_port", p.PgbouncerPort, m.listen()...)
	add(p.PatroniEnabled, "patroni_port", p.PatroniPort, "")
	add(p.PgExporterEnabled, "pg_exporter_port", p.PgExporterPort, "")
	add(p.PgbouncerEnabled && p.PgbouncerExporterEnabled, "pgbouncer_exporter_port", p.PgbouncerExporterPort, "")
	add(p.PgbackrestEnabled && p.PgbackrestExporterEnabled, "pgbackrest_exporter_port", p.PgbackrestExporterPort, "")
	return out
}

// servicePorts returns the ports of c's services on h, as m has them.
func (c *Cluster) servicePorts(h *module.Host, m *Member) []module.Port {
	if !module.Params[node.Params](h).HaproxyEnabled {
		return nil
	}
	var out []module.Port
	for _, v := range m.Params.services() {
		out = append(out, module.Port{
			Host: h, IP: v.IP, Number: v.Port, Use: fmt.Sprintf("service %s of %s", v.Name, c.Name), Pos: m.servicePos(v, "port", "src_port"),
		})
	}
	return out
}

// servicePos returns where a field of a service is written, a zero Pos for the
// default services.
func (m *Member) servicePos(v Service, fields ...string) diag.Pos {
	for _, name := range []string{"pg_services", "pg_default_services"} {
		if at := m.Field(name, v.Pos, fields...); at != v.Pos {
			return at
		}
	}
	return v.Pos
}

// exporterPorts returns the ports at which an infra node serves the metrics of
// servers that others run.
func exporterPorts(h *module.Host) []module.Port {
	if _, infra := h.Vars.Get("infra_seq"); !infra {
		return nil
	}
	var out []module.Port
	for port, e := range module.Params[Params](h).PgExporters {
		out = append(out, module.Port{Host: h, Number: port, Use: fmt.Sprintf("the exporter of %s-%d", e.Cluster, e.Seq), Pos: e.Pos})
	}
	return out
}
