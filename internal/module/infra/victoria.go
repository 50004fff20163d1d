package infra

import (
	"fmt"
	"slices"
	"strings"

	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// scrapeConfig says what VictoriaMetrics collects.
const scrapeConfig = home + "/prometheus.yml"

// stores are the components that collect from all nodes, or that all nodes send to.
var stores = []string{"vmetrics", "vlogs", "vtraces"}

// victoria adds what stores metrics, logs and traces, and what evaluates rules.
func (i *instance) victoria(b *plan.Builder) {
	b = b.Tag("victoria")
	if i.VmetricsEnabled {
		i.vmetrics(b.Tag("vmetrics").Given(vmetricsPackages...))
	}
	if i.VlogsEnabled {
		i.store(b.Tag("vlogs").Given(vlogsPackages...), service{Name: "vlogs", Description: "VictoriaLogs", Program: "/usr/bin/victoria-logs",
			Options: i.VlogsOptions}, "logs", i.VlogsPort, i.VlogsClean)
	}
	if i.VtracesEnabled {
		i.store(b.Tag("vtraces").Given(vtracesPackages...), service{Name: "vtraces", Description: "VictoriaTraces", Program: "/usr/bin/victoria-traces",
			Options: i.VtracesOptions}, "traces", i.VtracesPort, i.VtracesClean)
	}
	if i.VmalertEnabled {
		i.vmalert(b.Tag("vmalert").Given(vmalertPackages...))
	}
}

// vmetrics adds the store of metrics, which also collects them.
func (i *instance) vmetrics(b *plan.Builder) {
	b.Tag("vmetrics_config").Add(resource.NewFile(scrapeConfig, i.scrapeConfig(),
		resource.OwnedBy("victoria", groupName), resource.Mode(0o640),
		resource.CheckedBy("victoria-metrics", "-promscrape.config=%s", "-dryRun")))
	v := service{Name: "vmetrics", Description: "VictoriaMetrics", Program: "/usr/bin/victoria-metrics", Options: i.VmetricsOptions,
		Arguments: []string{"-promscrape.config=" + scrapeConfig},
		Restart:   []string{caFile}} // a reload takes up what its own file says, and no file that this names
	// Several infra nodes collect the same, so what one sends to another for
	// safekeeping comes twice.
	if len(instances(i.site)) > 1 && !has(i.VmetricsOptions, "dedup.minScrapeInterval") {
		v.Arguments = append(v.Arguments, "-dedup.minScrapeInterval="+i.VmetricsScrapeInterval)
	}
	i.store(b, v, "metrics", i.VmetricsPort, i.VmetricsClean, scrapeConfig)
	strangers(b.Tag("vmetrics_launch"), "victoria-metrics")
}

// store adds a store with its data in dir below /infra. Its data are deleted
// when clean is set or the tag for that is asked for.
func (i *instance) store(b *plan.Builder, v service, dir string, port int, clean bool, reload ...string) {
	v.User, v.Port, v.Peers = "victoria", port, i.everyone()
	v.Paths = []string{below(dir)}
	v.Arguments = slices.Concat(listening("-httpListenAddr=", i.listen(port)), []string{"-storageDataPath=" + below(dir)}, v.Arguments)

	wipe := b.Only(v.Name + "_clean")
	if clean {
		wipe = b.Tag(v.Name + "_clean")
	}
	stopped := wipe.Add(&resource.UnitAbsent{Name: v.Unit()})
	wiped := wipe.After(stopped).Add(&resource.Absent{Path: below(dir), Tree: true, Impact: resource.ImpactDataLoss,
		Reason: v.Name + "_clean is asked for"})
	made := b.Tag("infra_dir", "infra_dir_create", v.Name+"_clean", v.Name+"_launch").After(wiped).Add(&resource.Dir{Path: below(dir), Mode: 0o750,
		Owner: resource.Owner{User: "victoria", Group: groupName}})
	v.add(i, b.Tag(v.Name+"_config"), b.Tag(v.Name+"_launch", v.Name+"_clean").After(made), reload...)
}

// vmalert adds what evaluates rules. Alerts go to the Alertmanager of every
// infra node; those are one cluster, which sends each alert once.
func (i *instance) vmalert(b *plan.Builder) {
	v := service{Name: "vmalert", Description: "vmalert, which evaluates rules", User: "victoria", Program: "/usr/bin/vmalert", Port: i.VmalertPort,
		Options: i.VmalertOptions, Peers: i.peers()}
	metrics := "http://" + i.self(i.VmetricsPort)
	v.Arguments = append(listening("-httpListenAddr=", i.listen(i.VmalertPort)),
		"-datasource.url="+metrics, "-remoteRead.url="+metrics, "-remoteWrite.url="+metrics,
		"-rule="+rulesDir+"/*.yml", "-evaluationInterval="+i.VmetricsScrapeInterval, "-disableAlertgroupLabel")
	notified := false
	for _, other := range instances(i.site) {
		if other.AlertmanagerEnabled {
			v.Arguments = append(v.Arguments, "-notifier.url=http://"+at(other.ip(), other.AlertmanagerPort))
			notified = true
		}
	}
	if !notified {
		v.Arguments = append(v.Arguments, "-notifier.blackhole")
	}
	i.rules(b.Tag("vmalert_config"))
	v.add(i, b.Tag("vmalert_config"), b.Tag("vmalert_launch"), rulesDir+"/")
}

// listening returns one option for each address.
func listening(flag string, addresses []string) []string {
	var out []string
	for _, a := range addresses {
		out = append(out, flag+a)
	}
	return out
}

// scrapeConfig returns what VictoriaMetrics collects: for each kind of targets
// a job that reads its directory.
func (i *instance) scrapeConfig() []byte {
	return render("prometheus.yml.tmpl", map[string]any{
		"Interval": i.VmetricsScrapeInterval, "Timeout": i.VmetricsScrapeTimeout,
		"Path": i.ExporterMetricsPath, "Targets": home + "/targets",
		"Blackbox": i.self(i.BlackboxPort), "CA": caFile,
		"Probes": []map[string]string{
			{"Job": "ping", "Module": "icmp"}, {"Job": "http", "Module": "http_2xx"}, {"Job": "tcp", "Module": "tcp_connect"},
		},
		"Jobs": []string{"infra", "node", "docker", "pgsql", "pgrds"},
	})
}

// groupText writes a mapping in YAML's short form, its keys in the order given.
func groupText(pairs ...string) string {
	var out []string
	for n := 0; n+1 < len(pairs); n += 2 {
		if pairs[n+1] != "" {
			out = append(out, fmt.Sprintf("%s: %s", pairs[n], quote(pairs[n+1])))
		}
	}
	return "{ " + strings.Join(out, ", ") + " }"
}
