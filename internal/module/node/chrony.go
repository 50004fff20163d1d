package node

import (
	"slices"
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// chrony is where a family of systems keeps chrony, and the name of its unit.
type chrony struct{ config, dir, drift, unit string }

var chronies = map[string]chrony{
	"deb": {"/etc/chrony/chrony.conf", "/etc/chrony/conf.d", "/var/lib/chrony/chrony.drift", "chrony.service"},
	"rpm": {"/etc/chrony.conf", "/etc/chrony.d", "/var/lib/chrony/drift", "chronyd.service"},
}

// ChronyDir is where a host's chrony finds more files *.conf, such as the time
// server's of an infra node.
func ChronyDir(h *module.Host) string { return chronies[family(h)].dir }

// Chrony keeps the host's time by the servers of node_ntp_servers. It answers
// nobody by itself: serving the time is INFRA's, which puts a file into
// ChronyDir and adds the same steps; a plan joins steps that are alike. It
// reports whether h can have it.
func Chrony(b *plan.Builder, s *module.Site, h *module.Host) bool {
	p := module.Params[Params](h)
	if !p.NodeNtpEnabled {
		return false
	}
	b = b.Tag("node_ntp")
	if h.Facts.Container != "" {
		b.Tag("node_ntp_install", "node_ntp_config", "node_ntp_launch").Add(
			&resource.Impossible{Name: "chrony", Why: "a container has the clock of its machine and cannot set it"})
		return false
	}
	c := chronies[family(h)]
	b.Tag("node_ntp_install").Add(&resource.Packages{Items: []resource.PackageItem{{Name: "chrony", For: "node_ntp_enabled"}}})
	b.Tag("node_ntp_config").Add(
		&resource.Dir{Path: c.dir},
		resource.NewFile(c.config, render("chrony.conf.tmpl", map[string]any{"Servers": timeServers(s, h), "Dir": c.dir, "Drift": c.drift}),
			resource.Keeping(module.Managed), resource.CheckedBy("chronyd", "-p", "-f", "%s")),
	)
	b.Tag("node_ntp_launch").Add(chronyUnit(h))
	return true
}

func chronyUnit(h *module.Host) *resource.Unit {
	c := chronies[family(h)]
	return &resource.Unit{Name: c.unit, Enabled: true, Running: true, RestartOn: []string{c.config, c.dir + "/"}}
}

// RestartChrony has the host's chrony forget what went from ChronyDir.
func RestartChrony(b *plan.Builder, h *module.Host) {
	if !module.Params[Params](h).NodeNtpEnabled || h.Facts.Container != "" {
		return
	}
	unit := chronyUnit(h)
	unit.IfRunning = true
	b.Add(unit)
}

// timeServers returns the lines of node_ntp_servers for h. The admin node does
// not ask itself.
func timeServers(s *module.Site, h *module.Host) []string {
	lines := slices.Clone(module.Params[Params](h).NodeNtpServers)
	if h.Name() == s.AdminIP() {
		lines = slices.DeleteFunc(lines, func(line string) bool { return strings.Contains(line, "${admin_ip}") })
	}
	for i := range lines {
		lines[i] = expand(s, lines[i])
	}
	return lines
}
