package infra

import (
	"fmt"
	"slices"

	"pigsty/internal/module"
	"pigsty/internal/resource"
)

// component is a program of an infra node that answers at some port.
type component struct {
	name     string // what its metrics are called by: vmetrics
	unit     string
	on       bool
	switched string // the parameter that turns it off
	packages []string
	ports    []componentPort
}

type componentPort struct {
	use       string // http, https, dns
	parameter string
	number    int
}

// components returns what runs on the node, those that are off among them, in
// the order of the play.
func (i *instance) components() []component {
	http := func(parameter string, number int) []componentPort {
		return []componentPort{{"http", parameter, number}}
	}
	web := http("nginx_port", i.NginxPort)
	if i.NginxSslmode != "disable" {
		web = append(web, componentPort{"https", "nginx_ssl_port", i.NginxSSLPort})
	}
	return []component{
		{"dns", "dnsmasq", i.DNSEnabled, "dns_enabled", dnsmasqPackages, []componentPort{{"dns", "dns_port", i.DNSPort}}},
		{"nginx", "nginx", i.NginxEnabled, "nginx_enabled", nginxPackages, web},
		{"nginx_exporter", "nginx_exporter", i.NginxEnabled && i.NginxExporterEnabled, "nginx_exporter_enabled", exporterPackages,
			http("nginx_exporter_port", i.NginxExporterPort)},
		{"vmetrics", "vmetrics", i.VmetricsEnabled, "vmetrics_enabled", vmetricsPackages, http("vmetrics_port", i.VmetricsPort)},
		{"vlogs", "vlogs", i.VlogsEnabled, "vlogs_enabled", vlogsPackages, http("vlogs_port", i.VlogsPort)},
		{"vtraces", "vtraces", i.VtracesEnabled, "vtraces_enabled", vtracesPackages, http("vtraces_port", i.VtracesPort)},
		{"vmalert", "vmalert", i.VmalertEnabled, "vmalert_enabled", vmalertPackages, http("vmalert_port", i.VmalertPort)},
		{"alertmanager", "alertmanager", i.AlertmanagerEnabled, "alertmanager_enabled", alertmanagerPackages,
			http("alertmanager_port", i.AlertmanagerPort)},
		{"blackbox", "blackbox_exporter", i.BlackboxEnabled, "blackbox_enabled", blackboxPackages, http("blackbox_port", i.BlackboxPort)},
		{"grafana", "grafana-server", i.GrafanaEnabled, "grafana_enabled", grafanaPackages, http("grafana_port", i.GrafanaPort)},
	}
}

// running returns what runs, or should run, on those of hosts that are infra nodes.
func running(s *module.Site, hosts []*module.Host) []module.Instance {
	var out []module.Instance
	for _, i := range instances(s) {
		if !slices.Contains(hosts, i.Host) {
			continue
		}
		for _, c := range i.components() {
			if !c.on {
				continue
			}
			in := module.Instance{Host: i.Host, Cluster: c.name, Name: fmt.Sprintf("%s-%d", c.name, *i.InfraSeq),
				Report: &resource.UnitReport{Name: c.unit + ".service", Packages: c.packages}}
			for _, p := range c.ports {
				in.Services = append(in.Services, fmt.Sprintf("%s:%d", p.use, p.number))
			}
			out = append(out, in)
		}
	}
	return out
}

// ports returns what infra nodes listen on.
func ports(s *module.Site) []module.Port {
	var out []module.Port
	for _, i := range instances(s) {
		for _, c := range i.components() {
			for _, p := range c.ports {
				if c.on {
					out = append(out, module.Listen(i.Host, p.parameter, p.number))
				}
			}
		}
	}
	return out
}
