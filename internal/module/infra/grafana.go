package infra

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/module/pgsql"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

const (
	grafanaConfig    = "/etc/grafana/grafana.ini"
	grafanaSources   = "/etc/grafana/provisioning/datasources/pigsty.yml"
	grafanaProviders = "/etc/grafana/provisioning/dashboards/pigsty.yml"
	grafanaData      = "/var/lib/grafana"
	grafanaService   = "grafana-server.service"

	// ownDashboards is where people put dashboards of their own.
	ownDashboards = "/etc/dashboards"
)

var grafanaOwner = resource.Owner{User: "root", Group: "grafana"}

// grafana adds the dashboards. Where it reads from is provisioned by files, so
// that a data source keeps its identity and links to it stay good.
func (i *instance) grafana(b *plan.Builder) {
	if !i.GrafanaEnabled {
		return
	}
	b = b.Tag("grafana").Given(grafanaPackages...)
	wipe := b.Only("grafana_clean")
	if i.GrafanaClean {
		wipe = b.Tag("grafana_clean")
	}
	stopped := wipe.Add(&resource.UnitAbsent{Name: grafanaService})
	wiped := wipe.After(stopped).Add(&resource.Absent{Path: grafanaData + "/grafana.db", Impact: resource.ImpactDataLoss, Reason: "grafana_clean is asked for"})

	plugins := &resource.Packages{}
	for _, name := range grafanaPlugins {
		plugins.Items = append(plugins.Items, anyOf([]string{name}, "grafana_enabled"))
	}
	b.Tag("grafana_plugin").Add(plugins)
	b.Tag("grafana_dir").Add(
		&resource.Dir{Path: "/etc/grafana", Owner: grafanaOwner},
		&resource.Dir{Path: "/etc/grafana/provisioning", Owner: grafanaOwner},
		&resource.Dir{Path: "/etc/grafana/provisioning/datasources", Owner: grafanaOwner, Mode: 0o750},
		&resource.Dir{Path: "/etc/grafana/provisioning/dashboards", Owner: grafanaOwner},
		&resource.Dir{Path: ownDashboards, Owner: resource.Owner{User: "grafana", Group: "grafana"}},
	)
	b.Tag("grafana_config").Add(resource.NewFile(grafanaConfig, i.grafanaFile(), resource.OwnedBy("root", "grafana"), resource.Mode(0o640),
		resource.Keeping(module.Managed), resource.Masking("admin_password =", "url =")))
	b.Tag("grafana_provision", "add_ds").Add(i.sourcesFile(nil))
	b.Tag("grafana_provision", "dashboard_sync").Add(resource.NewFile(grafanaProviders, render("dashboards.yml.tmpl", map[string]any{"Pigsty": home + "/dashboards", "Own": ownDashboards})))
	i.dashboards(b.Tag("grafana_provision", "dashboard_sync"))

	b.Tag("grafana_launch", "grafana_clean").After(wiped).Add(grafanaUnit())
}

func grafanaUnit() *resource.Unit {
	return &resource.Unit{Name: grafanaService, Enabled: true, Running: true,
		RestartOn: []string{grafanaConfig, grafanaSources, grafanaProviders}}
}

// grafanaFile returns Grafana's settings. Nobody sees anything without a login.
func (i *instance) grafanaFile() []byte {
	domain := i.home().Domain
	origins := []string{"localhost", "127.0.0.1", i.ip()}
	for _, s := range i.sites() {
		origins = append(origins, s.names()...)
	}
	trusted := []string{"127.0.0.1"} // whose word on who asks counts: every portal's
	for _, other := range instances(i.site) {
		trusted = append(trusted, other.ip())
	}
	language := map[string]string{"en": "en-US", "zh": "zh-Hans"}[i.Language]
	listen := ""
	if i.owns(i.ip()) {
		listen = i.ip()
	}
	return render("grafana.ini.tmpl", map[string]any{
		"Port": i.GrafanaPort, "Listen": listen, "Domain": domain, "URL": i.GrafanaPgurl.Reveal(), "Admin": i.GrafanaAdminUsername,
		"Password": triple(i.GrafanaAdminPassword.Reveal()), "Origins": strings.Join(origins, " "), "Language": language,
		"Proxy": i.GrafanaAuthProxy, "Trusted": strings.Join(trusted, ", "),
	})
}

// triple quotes a value of an ini file in which # and ; mean themselves.
func triple(text string) string { return `"""` + text + `"""` }

// source is a database that Grafana reads.
type source struct {
	Name, UID, Type, URL string
	Default              bool
	Options              []string // lines of jsonData
	User, Database       string
	Password             string // as YAML
}

// sourcesFile returns the file that says where Grafana reads from.
func (i *instance) sourcesFile(gone []*module.Host) *resource.File {
	return resource.NewFile(grafanaSources, render("datasources.yml.tmpl", i.dataSources(gone)),
		resource.OwnedBy("root", "grafana"), resource.Mode(0o640), resource.Masking("secureJsonData:"))
}

// dataSources returns where Grafana reads from: what the node stores, and every
// database of the deployment but for those on hosts that are gone.
func (i *instance) dataSources(gone []*module.Host) []source {
	var out []source
	web := func(on bool, name, uid, kind, url string, options ...string) {
		if on {
			out = append(out, source{Name: name, UID: uid, Type: kind, URL: url, Default: uid == "ds-prometheus", Options: options})
		}
	}
	web(i.VmetricsEnabled, "Metrics", "ds-prometheus", "prometheus", "http://"+i.self(i.VmetricsPort),
		"timeInterval: 2s", "queryTimeout: 60s", "httpMethod: POST")
	web(i.VlogsEnabled, "Logs", "ds-vlogs", "victoriametrics-logs-datasource", "http://"+i.self(i.VlogsPort))
	web(i.VtracesEnabled, "Traces", "ds-vtraces", "jaeger", "http://"+i.self(i.VtracesPort)+"/select/jaeger")
	for _, other := range instances(i.site) { // each infra node's own, to tell where one was down
		add := func(on bool, name, kind string, port int, path string) {
			name = fmt.Sprintf("%s-%d", name, *other.InfraSeq)
			web(on, name, name, kind, "http://"+at(other.ip(), port)+path)
		}
		add(other.VmetricsEnabled, "vmetrics", "prometheus", other.VmetricsPort, "")
		add(other.VlogsEnabled, "vlogs", "victoriametrics-logs-datasource", other.VlogsPort, "")
		add(other.VtracesEnabled, "vtraces", "jaeger", other.VtracesPort, "/select/jaeger")
	}
	options := []string{"sslmode: require", "postgresVersion: 1500"}
	out = append(out, source{Name: "Meta", UID: "ds-meta", Type: "postgres", URL: "127.0.0.1:5432", User: "dbuser_view", Database: "meta",
		Password: quote(i.GrafanaViewPassword.Reveal()), Options: options})
	for _, c := range pgsql.Clusters(i.site) {
		databases := map[string]bool{"postgres": true}
		for _, d := range c.Params.PgDatabases {
			databases[d.Name] = d.State != "absent" && d.RegisterDatasource
		}
		for _, m := range c.Members {
			if slices.Contains(gone, m.Host) {
				continue
			}
			for _, name := range slices.Sorted(maps.Keys(databases)) {
				if id := m.Instance() + "." + name; databases[name] {
					out = append(out, source{Name: id, UID: id, Type: "postgres", URL: at(m.Host.Name(), m.Params.PgPort),
						User: m.Params.PgMonitorUsername, Database: name, Password: quote(m.Params.PgMonitorPassword.Reveal()), Options: options})
				}
			}
		}
	}
	return out
}

// panel is a graph of a dashboard.
type panel struct{ Title, Query, Legend, Unit string }

// board is a dashboard.
type board struct {
	Folder, UID, Title string
	Panels             []panel
}

// boards are the dashboards that come with the node.
var boards = []board{
	{"infra", "infra-overview", "Infra Overview", []panel{
		{"Services", `up{job="infra"}`, "{{ins}}", "short"},
		{"Sites of the portal", `probe_success{job="http"}`, "{{domain}} {{ip}}", "short"},
		{"Active alerts", `count by (alertname) (ALERTS{alertstate="firing"})`, "{{alertname}}", "short"},
		{"Samples collected", `sum by (ins) (rate(vm_rows_inserted_total[1m]))`, "{{ins}}", "short"},
		{"Size of stored metrics", `sum by (ins) (vm_data_size_bytes)`, "{{ins}}", "bytes"},
		{"Requests to nginx", `rate(nginx_http_requests_total[1m])`, "{{ins}}", "reqps"},
	}},
	{"node", "node-overview", "Node Overview", []panel{
		{"Answers a ping", `probe_success{job=~"ping|node-vip|pgsql-vip"}`, "{{ins}} {{instance}}", "short"},
		{"CPU", `node:ins:cpu_usage_1m`, "{{ins}}", "percentunit"},
		{"Memory", `node:ins:mem_usage`, "{{ins}}", "percentunit"},
		{"Disk space", `node:fs:space_usage`, "{{ins}} {{mountpoint}}", "percentunit"},
		{"Load per CPU", `node:ins:stdload1`, "{{ins}}", "short"},
		{"Sessions of HAProxy", `sum by (ins, proxy) (haproxy_frontend_current_sessions)`, "{{ins}} {{proxy}}", "short"},
	}},
	{"etcd", "etcd-overview", "etcd Overview", []panel{
		{"Has a leader", `etcd_server_has_leader`, "{{ins}}", "short"},
		{"WAL fsync, 95 %", `etcd:ins:wal_fsync_rt_p95_5m`, "{{ins}}", "s"},
		{"Database size of quota", `etcd:ins:quota_usage`, "{{ins}}", "percentunit"},
		{"Proposals committed", `rate(etcd_server_proposals_committed_total[1m])`, "{{ins}}", "ops"},
	}},
	{"pgsql", "pgsql-overview", "PGSQL Overview", []panel{
		{"Patroni answers", `patroni_up`, "{{ins}}", "short"},
		{"Primaries", `pg:cls:partition`, "{{cls}}", "short"},
		{"PostgreSQL runs", `patroni_postgres_running`, "{{ins}}", "short"},
		{"WAL written", `rate(patroni_xlog_location[1m])`, "{{ins}}", "Bps"},
		{"WAL replayed", `rate(patroni_xlog_replayed_location[1m])`, "{{ins}}", "Bps"},
		{"Timeline", `patroni_postgres_timeline`, "{{ins}}", "short"},
	}},
}

// dashboards adds the dashboards, a folder of Grafana's for each directory.
func (i *instance) dashboards(b *plan.Builder) {
	owner := resource.Owner{User: "grafana", Group: groupName}
	for _, d := range boards {
		dir := home + "/dashboards/" + d.Folder
		b.Add(&resource.Dir{Path: dir, Owner: owner, Mode: 0o750},
			resource.NewFile(fmt.Sprintf("%s/%s.json", dir, d.UID), d.json(), resource.OwnedBy("grafana", groupName), resource.Mode(0o640)))
	}
}
