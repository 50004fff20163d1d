package infra

import (
	"slices"
	"strconv"
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/module/etcd"
	"pigsty/internal/module/pgsql"
	"pigsty/internal/plan"
	"pigsty/internal/repo/alias"
	"pigsty/internal/resource"
)

// Packages of the components, the best known first. A host gets the first that
// it has or its repositories offer; a component of which they have none is
// skipped.
var (
	nginxPackages        = []string{"nginx"}
	dnsmasqPackages      = []string{"dnsmasq"}
	vmetricsPackages     = []string{"victoria-metrics"}
	vmalertPackages      = []string{"vmutils", "victoria-metrics"} // Debian has all in one
	vlogsPackages        = []string{"victoria-logs"}
	vtracesPackages      = []string{"victoria-traces"}
	alertmanagerPackages = []string{"prometheus-alertmanager", "alertmanager"}
	blackboxPackages     = []string{"prometheus-blackbox-exporter", "blackbox-exporter"}
	exporterPackages     = []string{"prometheus-nginx-exporter", "nginx-exporter"}
	grafanaPackages      = []string{"grafana"}
	grafanaPlugins       = []string{"grafana-plugins", "grafana-victoriametrics-ds", "grafana-victorialogs-ds", "grafana-infinity-ds"}
	pevPackages          = []string{"pev2"}
	certbotPackages      = []string{"certbot"}
)

// packages adds those of the components that are on, of the clients that people
// administer clusters with, and infra_packages.
func (i *instance) packages(b *plan.Builder) {
	list := &resource.Packages{}
	for _, c := range i.components() {
		if c.on {
			list.Items = append(list.Items, anyOf(c.packages, c.switched))
		}
	}
	if i.NginxEnabled && i.usesCertbot() {
		list.Items = append(list.Items, anyOf(certbotPackages, "infra_portal"))
	}
	list.Items = append(list.Items, i.clientPackages()...)
	for _, line := range i.InfraPackages {
		for _, name := range strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == ' ' }) {
			list.Items = append(list.Items, resource.PackageItem{Name: name, For: "infra_packages"})
		}
	}
	b.Tag("infra_pkg", "infra_pkg_yum").Add(list)
	if i.NginxEnabled && i.RepoEnabled {
		b.Tag("repo", "repo_nginx").Add(&resource.Packages{Items: []resource.PackageItem{anyOf(nginxPackages, "nginx_enabled")}})
	}
}

// clients are the packages of what people administer clusters with, by family of
// systems. The unit that comes with patroni starts only where its own
// configuration is.
var clients = map[string]struct{ psql, etcdctl, patronictl []string }{
	"deb": {[]string{"postgresql-client"}, []string{"etcd-client"}, []string{"patroni", "python3-etcd"}},
	"rpm": {[]string{"postgresql"}, []string{"etcd"}, []string{"patroni", "patroni-etcd"}},
}

// clientPackages are those of psql, etcdctl and patronictl, where the inventory
// has what they are for. Members of clusters have them anyway.
func (i *instance) clientPackages() []resource.PackageItem {
	var out []resource.PackageItem
	add := func(parameter string, names ...string) { out = append(out, anyOf(names, parameter)) }
	of := clients["deb"]
	if i.Facts.Family == "rpm" {
		of = clients["rpm"]
	}
	managed := len(etcd.Endpoints(i.site)) > 0
	if managed && module.Params[etcd.Params](i.Host).EtcdSeq == nil {
		add("etcd_seq", of.etcdctl...)
	}
	version := 0
	for _, c := range pgsql.Clusters(i.site) {
		version = max(version, c.Params.PgVersion)
	}
	if version == 0 || module.Params[pgsql.Params](i.Host).PgSeq != nil {
		return out
	}
	for _, p := range alias.Expand(i.Facts, strconv.Itoa(version), "pgsql-client") {
		add("pg_cluster", slices.Concat([]string{p.Name}, of.psql)...)
	}
	for _, name := range of.patronictl {
		if managed {
			add("pg_cluster", name)
		}
	}
	return out
}

// clientNames are all names of those packages.
func (i *instance) clientNames() []string {
	var out []string
	for _, item := range i.clientPackages() {
		out = append(out, strings.Fields(item.Name+" "+item.Or)...)
	}
	return out
}

// anyOf is the first of names that the host's repositories offer, wanted by a parameter.
func anyOf(names []string, parameter string) resource.PackageItem {
	return resource.PackageItem{Name: names[0], Or: strings.Join(names[1:], " "), For: parameter, Optional: true}
}

// strangers are the units that distributions' packages bring for what runs here
// in a unit of its own. They would want the same ports when the host boots.
func strangers(b *plan.Builder, units ...string) {
	for _, name := range units {
		b.Add(&resource.UnitAbsent{Name: name + ".service"})
	}
}

// called links a program that distributions give another name.
func called(b *plan.Builder, name, other string) string {
	path := "/usr/local/bin/" + name
	b.Add(&resource.Link{Path: path, Target: "/usr/bin/" + other, Prefer: "/usr/bin/" + name})
	return path
}
