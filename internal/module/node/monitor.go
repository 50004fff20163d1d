package node

import (
	"fmt"
	"slices"
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// exporter is a program that shows metrics, with its unit and its options.
type exporter struct {
	Name         string // of the unit, without its suffix
	Description  string
	Packages     []string // names that repositories give it, the best known first
	Program      string   // the file below /usr/bin that the first package has
	Others       string   // the file of the others
	Options      string
	Capabilities string // that root keeps
	For          string // the parameter that asks for it
}

// Unit returns the name of the unit.
func (e exporter) Unit() string { return e.Name + ".service" }

// Variable returns the name of the variable that holds the options.
func (e exporter) Variable() string { return strings.ToUpper(e.Name) + "_OPTS" }

// EnvFile is where the options are.
func (e exporter) EnvFile() string { return "/etc/default/" + e.Name }

// UnitFile is where the unit is.
func (e exporter) UnitFile() string { return "/etc/systemd/system/" + e.Unit() }

// Path is where the unit finds the program, whatever the package calls it.
func (e exporter) Path() string { return "/usr/local/bin/" + e.Name }

// nodeExporter shows the metrics of the host.
func nodeExporter(h *module.Host) exporter {
	p := module.Params[Params](h)
	texts := ""
	if collectsTexts(p) {
		texts = "--collector.textfile.directory=" + metricsDir + " "
	}
	return exporter{
		Name: "node_exporter", Description: "metrics of the node",
		Packages: []string{"node-exporter", "prometheus-node-exporter", "golang-github-prometheus-node-exporter"},
		Program:  "node_exporter", Others: "prometheus-node-exporter",
		Options: fmt.Sprintf("--web.listen-address=:%d --web.telemetry-path=%s %s%s",
			p.NodeExporterPort, metricsPath(h), texts, p.NodeExporterOptions),
		Capabilities: "CAP_DAC_READ_SEARCH",
		For:          "node_exporter_enabled",
	}
}

// KeepalivedExporter are the names that repositories give what shows keepalived's
// metrics, which few have.
var KeepalivedExporter = []string{"keepalived-exporter", "prometheus-keepalived-exporter"}

// vipExporter shows the metrics of keepalived, which it asks for by signals.
func vipExporter(h *module.Host) exporter {
	return exporter{
		Name: "keepalived_exporter", Description: "metrics of keepalived",
		Packages: KeepalivedExporter,
		Program:  "keepalived_exporter", Others: "prometheus-keepalived-exporter",
		Options:      fmt.Sprintf("-web.listen-address=:%d -web.telemetry-path=%s", module.Params[Params](h).VipExporterPort, metricsPath(h)),
		Capabilities: "CAP_DAC_READ_SEARCH CAP_KILL",
		For:          "vip_enabled",
	}
}

// metricsPath is the parameter exporter_metrics_path, which INFRA declares.
func metricsPath(h *module.Host) string {
	if path := variable(h, "exporter_metrics_path"); path != "" {
		return path
	}
	return "/metrics"
}

// monitor adds what shows the node's metrics. Infra nodes hear of it by the play's
// registration.
func monitor(b *plan.Builder, s *module.Site, h *module.Host) {
	p := module.Params[Params](h)
	b = b.Tag("monitor")
	nodeExporter(h).keep(b.Tag("node_exporter"), h, p.NodeExporterEnabled)
	switch {
	case collectsTexts(p):
		certificates(b, h)
	case slices.Contains(h.Facts.Units, certificatesTimer):
		noCertificates(b, h)
	}
	vipExporter(h).keep(b.Tag("vip_exporter"), h, p.VipEnabled)
	if p.VectorEnabled {
		vector(b.Tag("vector"), s, h)
	}
}

// keep adds the exporter, or takes away one that a run put there.
func (e exporter) keep(b *plan.Builder, h *module.Host, wanted bool) {
	switch {
	case wanted:
		e.add(b)
	case slices.Contains(h.Facts.Units, e.Unit()):
		e.remove(b)
	}
}

// add adds the exporter; a host whose repositories do not have it skips it.
func (e exporter) add(b *plan.Builder) {
	b.Add(&resource.Packages{Items: []resource.PackageItem{
		{Name: e.Packages[0], Or: strings.Join(e.Packages[1:], " "), For: e.For, Optional: true}}})
	b = b.Given(e.Packages...)
	b.Add(
		&resource.Link{Path: e.Path(), Target: "/usr/bin/" + e.Others, Prefer: "/usr/bin/" + e.Program},
		resource.NewFile(e.EnvFile(), render("exporter.env.tmpl", e)),
		resource.NewFile(e.UnitFile(), render("exporter.service.tmpl", e)),
		// The unit of the distribution's package wants the same port.
		&resource.UnitAbsent{Name: e.Others + ".service"},
	)
	b.After(b.ID("unit absent " + e.Others + ".service")).Add(&resource.Unit{
		Name: e.Unit(), Enabled: true, Running: true,
		RestartOn: []string{e.EnvFile(), e.UnitFile()}, After: []string{"link " + e.Path()}})
}
