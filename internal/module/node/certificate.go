package node

import (
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

const (
	// metricsDir is where node_exporter finds metrics that others write.
	metricsDir = "/var/lib/node_exporter"

	certificatesScript = "/usr/local/sbin/pigsty-certificates"
	certificatesUnit   = "pigsty-certificates.service"
	certificatesTimer  = "pigsty-certificates.timer"
)

// certificatePaths are the certificates of this deployment that a host may have,
// patterns for a shell.
var certificatePaths = []string{
	CAFile, "/etc/etcd/*.crt", "/pg/cert/*.crt", "/etc/nginx/conf.d/cert/*.crt", "/home/minio/.minio/certs/*.crt", "/etc/pki/infra.crt",
}

// collectsTexts reports whether node_exporter reads metricsDir: a directory that
// the inventory names is another one.
func collectsTexts(p *Params) bool {
	return p.NodeExporterEnabled && !strings.Contains(p.NodeExporterOptions, "collector.textfile.directory")
}

// certificates has the host say every hour, as metrics, when its certificates end.
func certificates(b *plan.Builder, h *module.Host) {
	b = b.Tag("node_exporter").Given(nodeExporter(h).Packages...)
	b.Add(
		&resource.Dir{Path: metricsDir},
		resource.NewFile(certificatesScript, render("certificates.sh.tmpl", map[string]any{"Dir": metricsDir, "Paths": strings.Join(certificatePaths, " ")}),
			resource.Mode(0o755)),
		resource.NewFile("/etc/systemd/system/"+certificatesUnit, render("certificates.service.tmpl", certificatesScript)),
		resource.NewFile("/etc/systemd/system/"+certificatesTimer, render("certificates.timer.tmpl", nil)),
		&resource.Unit{Name: certificatesTimer, Enabled: true, Running: true, RestartOn: []string{"/etc/systemd/system/" + certificatesTimer}},
	)
}

// noCertificates takes it away.
func noCertificates(b *plan.Builder, h *module.Host) {
	b = b.Tag("node_exporter")
	gone := b.Add(&resource.UnitAbsent{Name: certificatesTimer, Impact: resource.ImpactReload})
	written := b.After(gone).Add(
		&resource.Absent{Path: "/etc/systemd/system/" + certificatesTimer},
		&resource.Absent{Path: "/etc/systemd/system/" + certificatesUnit},
		&resource.Absent{Path: certificatesScript},
		&resource.Absent{Path: metricsDir + "/certificates.prom"},
	)
	b.After(written).Add(&resource.Absent{Path: metricsDir, Empty: true})
}
