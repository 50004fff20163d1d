package infra

import (
	"path"
	"slices"

	"pigsty/internal/diag"
	"pigsty/internal/module"
	"pigsty/internal/module/etcd"
	"pigsty/internal/module/node"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// removeTags are what the steps of the play infra-rm carry, in its order.
var removeTags = []string{"infra_rm", "deregister", "rm_metrics", "rm_logs", "rm_ds", "rm_dns", "service", "config", "env", "data", "package"}

// services are the units of our own that an infra node runs, besides those that
// hosts may have had before.
var services = []string{"alertmanager", "blackbox_exporter", "vmalert", "vmetrics", "vlogs", "vtraces", "nginx_exporter"}

// listeners are those for which systemd listens.
var listeners = []string{"alertmanager", "blackbox_exporter"}

// removed names the infra nodes that go. They have no safeguard but their names.
func removed(s *module.Site, hosts []*module.Host) (names []string, refused diag.List) {
	for _, i := range instances(s) {
		if slices.Contains(hosts, i.Host) {
			names = append(names, i.name())
		}
	}
	return names, nil
}

// removal compiles the play infra-rm. Services stop before their files go, and
// data goes last. The node itself, its trusted CA, accounts, and lines that
// others wrote into files stay.
func removal(s *module.Site, hosts []*module.Host) []*plan.Step {
	var out []*plan.Step
	for _, i := range instances(s) {
		if !slices.Contains(hosts, i.Host) {
			continue
		}
		b := plan.NewBuilder(i.Host.Name(), moduleName).Tag("infra_rm")
		b.Tag("deregister", "rm_ds").Add(&resource.Absent{Path: grafanaSources})
		node.NoLogs(b.Tag("deregister", "rm_logs"), i.Host, "nginx")
		stop := b.Tag("service")
		var stopped []string
		for _, name := range services {
			stopped = append(stopped, stop.Add(&resource.UnitAbsent{Name: name + ".service"}))
		}
		for _, name := range listeners { // of a service that has failed they go on
			stopped = append(stopped, stop.Add(&resource.UnitAbsent{Name: service{Name: name}.Socket()}))
		}
		b = b.After(stopped...)
		i.removeConfig(b.Tag("config"))
		i.removeEnvironment(b.Tag("env"))
		b = b.After(i.handBack(b.Tag("config", "service"))...)
		i.removeData(b.Tag("data"))
		pkg := slices.Concat(nginxPackages, dnsmasqPackages, vmetricsPackages, []string{"vmutils"}, vlogsPackages, vtracesPackages,
			alertmanagerPackages, blackboxPackages, exporterPackages, grafanaPlugins, grafanaPackages)
		b.Tag("package").Add(&resource.PackagesAbsent{Names: slices.Concat(pkg, i.clientNames()), Ours: true})
		out = append(out, b.Steps()...)
	}
	return out
}

// removeConfig removes what configures services, and puts back what of the
// distribution's it took the place of. What others put there stays.
func (i *instance) removeConfig(b *plan.Builder) {
	for _, file := range []string{certFile, keyFile, nginxUsers,
		node.ChronyDir(i.Host) + "/" + timeServer, alertTLS, pglogFile, "/usr/local/bin/alertmanager", "/usr/local/bin/blackbox_exporter", "/usr/local/bin/nginx_exporter"} {
		b.Add(&resource.Absent{Path: file})
	}
	if module.Params[etcd.Params](i.Host).EtcdSeq == nil {
		b.Add(&resource.Absent{Path: "/etc/profile.d/etcdctl.sh"})
	}
	for _, file := range []string{alertConfig, blackboxConfig} {
		b.Add(&resource.Original{Path: file, Header: module.Managed})
	}
	node.RestartChrony(b, i.Host)
	for _, name := range services {
		v := service{Name: name}
		b.Add(&resource.Absent{Path: v.EnvFile()}, &resource.Absent{Path: v.UnitFile()})
		filter := b.Add(&resource.Absent{Path: v.FilterFile()})
		b.After(filter).Add(&resource.Absent{Path: path.Dir(v.FilterFile()), Empty: true})
	}
	for _, name := range listeners {
		b.Add(&resource.Absent{Path: service{Name: name}.SocketFile()})
	}
	b.Add(&resource.Absent{Path: ownDashboards, Empty: true})
	ours := []string{b.Add(&resource.Prune{Dir: nginxProxies, Glob: "*.conf", Header: proxyHeader})}
	names := []string{"pigsty"}
	for _, s := range i.sites() {
		names = append(names, s.Domain)
	}
	for _, name := range unique(names...) {
		for _, suffix := range []string{".crt", ".key"} {
			ours = append(ours, b.Add(&resource.Absent{Path: nginxCerts + "/" + name + suffix}))
		}
	}
	for _, dir := range []string{nginxCerts, nginxProxies} { // where others may have certificates too
		b.After(ours...).Add(&resource.Absent{Path: dir, Empty: true})
	}
}

// handBack takes what is ours from the services that hosts may have had before, and
// gives them back. It returns the IDs of the steps that do.
func (i *instance) handBack(b *plan.Builder) []string {
	give := func(unit, config string, before []string, trees ...string) string {
		return b.After(before...).Add(&resource.HandBack{Unit: unit, Config: config, Header: module.Managed, Trees: trees})
	}
	sites := b.Add(&resource.Prune{Dir: nginxSites, Glob: "*.conf", Header: module.Managed})
	dropin := b.Add(&resource.Absent{Path: nginxDropin})
	dir := b.After(dropin).Add(&resource.Absent{Path: path.Dir(nginxDropin), Empty: true})
	sources := b.Add(&resource.Absent{Path: grafanaSources})
	providers := b.Add(&resource.Absent{Path: grafanaProviders})
	return []string{
		give("nginx.service", nginxConfig, []string{sites, dir}),
		give("dnsmasq.service", dnsConfig, nil, dnsRecords, dnsUnit),
		give(grafanaService, grafanaConfig, []string{sources, providers}),
	}
}

// removeEnvironment removes our lines from files of people, and files of ours.
func (i *instance) removeEnvironment(b *plan.Builder) {
	for _, name := range []string{".pgpass", ".pg_service.conf", ".pigstyrc"} {
		b.Add(&resource.Lines{Path: path.Join(i.userHome(), name), Marker: envMarker, Block: true, Hidden: true, Drop: true})
	}
	b.Add(&resource.Lines{Path: path.Join(i.userHome(), ".bashrc"), Marker: envMarker, Drop: true})
}

// removeData removes metrics, logs, traces, dashboards and web pages, the
// software repository among them.
func (i *instance) removeData(b *plan.Builder) {
	lose := func(p, why string) {
		b.Add(&resource.Absent{Path: p, Tree: true, Impact: resource.ImpactDataLoss, Reason: why})
	}
	if i.RepoEnabled {
		b.Add(node.NoRepository(i.Host)) // it is one of the directory that goes
	}
	lose(i.InfraData, "metrics, logs and traces of the node")
	lose(i.NginxData, "web pages and repositories of the node")
	lose(grafanaData, "dashboards and users of the node")
	for _, link := range []struct{ path, target string }{{home, i.InfraData}, {i.NginxHome, i.NginxData}} {
		if link.path != link.target {
			b.Add(&resource.Absent{Path: link.path})
		}
	}
}
