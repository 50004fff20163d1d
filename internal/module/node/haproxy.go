package node

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

const (
	haproxyConfig   = "/etc/haproxy/haproxy.cfg"
	haproxyServices = "/etc/haproxy/conf.d"
	haproxyUnitFile = "/etc/systemd/system/haproxy.service"
	haproxyUnit     = "haproxy.service"

	// serviceHeader tells the files of haproxy_services from those that other
	// modules put beside them.
	serviceHeader = "# managed by pigsty: a service of haproxy_services"

	// haproxyMaxConn and haproxyMaxFiles are what HAProxy gets on a host that allows it.
	haproxyMaxConn  = 65535
	haproxyMaxFiles = 4194304
)

// HAProxyDir is where each service that a node's HAProxy publishes has a file,
// read in the order of their names.
const HAProxyDir = haproxyServices

// ServicesHeader begins the first line of the files that PGSQL puts there; the
// cluster's name follows.
const ServicesHeader = "# pigsty: services of cluster "

// HAProxy adds HAProxy with its statistics page and the services of
// haproxy_services. PGSQL adds the same steps before it puts its own services
// beside them, so that a cluster can be deployed on hosts where NODE never ran;
// a plan joins steps that are alike.
func HAProxy(b *plan.Builder, s *module.Site, h *module.Host) {
	p := module.Params[Params](h)
	if !p.HaproxyEnabled {
		return
	}
	b = b.Tag("haproxy")
	install, config := b.Tag("haproxy_install"), b.Tag("haproxy_config")

	install.Add(&resource.Packages{Items: []resource.PackageItem{{Name: "haproxy", For: "haproxy_enabled"}}})

	config.Add(
		&resource.Dir{Path: "/etc/haproxy", Mode: 0o700},
		&resource.Dir{Path: haproxyServices, Mode: 0o700},
		resource.NewFile(haproxyConfig, haproxyFile(h),
			resource.Mode(0o600), // it holds a password
			resource.Masking("user "),
			resource.Keeping(module.Managed),
			resource.CheckedBy("haproxy", "-c", "-f", "%s")),
	)
	prune := &resource.Prune{Dir: haproxyServices, Glob: "*.cfg", Header: serviceHeader}
	for _, v := range p.HaproxyServices {
		name := v.Name + ".cfg"
		prune.Keep = append(prune.Keep, name)
		config.Add(resource.NewFile(haproxyServices+"/"+name, serviceFile(v)))
	}
	config.Add(prune)

	// HAProxy may otherwise listen at, and connect to, a few well-known ports only.
	var allowed []string
	if family(h) == "rpm" {
		connect := &resource.SELinuxBoolean{Name: "haproxy_connect_any"}
		config.Add(connect)
		allowed = []string{connect.Key()}
	}

	files := module.OpenFiles(h, haproxyMaxFiles)
	b.Tag("haproxy_launch", "haproxy_reload").Add(
		resource.NewFile(haproxyUnitFile, render("haproxy.service.tmpl", files), resource.Noting(files.Note()), resource.Keeping(module.Managed)),
		&resource.Unit{
			Name: haproxyUnit, Enabled: true, Running: true,
			ReloadOn:  []string{haproxyConfig, haproxyServices + "/"},
			RestartOn: []string{haproxyUnitFile},
			Check:     []string{"haproxy", "-c", "-f", haproxyConfig, "-f", haproxyServices},
			Workers:   resource.Workers{Renewed: true},
			After:     allowed,
		},
	)
}

// haproxyFile returns HAProxy's main configuration on h.
func haproxyFile(h *module.Host) []byte {
	p := module.Params[Params](h)
	return render("haproxy.cfg.tmpl", map[string]any{
		"Nodename":      Name(h),
		"MaxConn":       maxConn(h),
		"ClientTimeout": haproxyTime(p.HaproxyClientTimeout),
		"ServerTimeout": haproxyTime(p.HaproxyServerTimeout),
		"Port":          p.HaproxyExporterPort,
		"MetricsPath":   metricsPath(h),
		"Auth":          p.HaproxyAuthEnabled,
		"Admin":         haproxyQuote(p.HaproxyAdminUsername),
		"Password":      haproxyQuote(p.HaproxyAdminPassword.Reveal()),
		"Readonly":      p.HaproxyAdminUsername != "haproxy", // a fixed account beside the administrator's
	})
}

// maxConn returns how many connections HAProxy takes on h. Each needs two
// files, one to the client and one to the server; a tenth is left for
// listeners, health checks and the process that a reload leaves behind.
func maxConn(h *module.Host) module.Limit {
	files := module.OpenFiles(h, haproxyMaxFiles).Value
	return module.Limit{Value: min(haproxyMaxConn, (files-files/10)/2), Want: haproxyMaxConn, Host: h.Facts.MaxFiles}
}

// longUnits are units of time that HAProxy does not have, in days; shortUnits
// are other words for those that it has.
var (
	longUnits  = map[string]float64{"w": 7, "week": 7, "weeks": 7, "mon": 30, "month": 30, "months": 30, "y": 365, "year": 365, "years": 365}
	shortUnits = map[string]string{"sec": "s", "secs": "s", "min": "m", "mins": "m", "hour": "h", "hours": "h", "day": "d", "days": "d", "": "s"}
)

// haproxyTime writes a length of time the way HAProxy reads it: a number
// without unit counts milliseconds there, and weeks and longer do not exist.
func haproxyTime(text string) string {
	digits := strings.TrimRight(text, " abcdefghijklmnopqrstuvwxyz")
	unit := strings.TrimSpace(text[len(digits):])
	if n, err := strconv.ParseFloat(digits, 64); err == nil && longUnits[unit] > 0 {
		return fmt.Sprintf("%.0fd", math.Ceil(n*longUnits[unit]))
	}
	if s, ok := shortUnits[unit]; ok {
		unit = s
	}
	return digits + unit
}

// haproxyQuote writes a word so that HAProxy takes it literally.
func haproxyQuote(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t#'\"\\$") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
