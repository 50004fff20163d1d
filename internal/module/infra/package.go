package infra

import (
	"strings"

	"pigsty/internal/plan"
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

// packages adds those of the components that are on, and infra_packages.
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
	for _, line := range i.InfraPackages {
		for _, name := range strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == ' ' }) {
			list.Items = append(list.Items, resource.PackageItem{Name: name, For: "infra_packages"})
		}
	}
	b.Tag("infra_pkg", "infra_pkg_yum").Add(list)
	if i.NginxEnabled && i.RepoEnabled {
		b.Tag("repo_nginx").Add(&resource.Packages{Items: []resource.PackageItem{anyOf(nginxPackages, "nginx_enabled")}})
	}
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
