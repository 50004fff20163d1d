package infra

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/module/node"
	"pigsty/internal/module/pgsql"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// caFile is where services find the certificate of the deployment's CA.
const caFile = node.CAFile

// target is one address to collect metrics from, with its labels by name.
type target struct {
	address string
	labels  map[string]string
}

// targetFiles are the files of targets: by kind, then by the file's name
// without its suffix.
type targetFiles map[string]map[string][]target

func (f targetFiles) add(kind, file, address string, labels ...string) {
	if f[kind] == nil {
		f[kind] = map[string][]target{}
	}
	t := target{address, map[string]string{}}
	for n := 0; n+1 < len(labels); n += 2 {
		t.labels[labels[n]] = labels[n+1]
	}
	f[kind][file] = append(f[kind][file], t)
}

// register adds a file of targets for each thing that the inventory has, and
// removes those of things that it no longer has.
func (i *instance) register(b *plan.Builder) {
	if !i.VmetricsEnabled {
		return
	}
	b = b.Tag("infra_register", "register", "add_metrics").Given(vmetricsPackages...)
	files := allTargets(i.site)
	for _, kind := range kinds {
		dir := home + "/targets/" + kind
		prune := &resource.Prune{Dir: dir, Glob: "*.yml", Header: module.Managed}
		for _, name := range slices.Sorted(maps.Keys(files[kind])) {
			prune.Keep = append(prune.Keep, name+".yml")
			obtainable(b, name).Add(targetFile(kind, name, files[kind][name]))
		}
		b.Add(prune)
	}
}

// vipTargets ends the names of files of keepalived's exporters.
const vipTargets = "---keepalived"

// obtainable returns b for the file of targets called name, which is skipped where
// no repository has what would answer there. Nodes have the repositories that the
// infra node has.
func obtainable(b *plan.Builder, name string) *plan.Builder {
	if strings.HasSuffix(name, vipTargets) {
		return b.Given(node.KeepalivedExporter...)
	}
	return b
}

// targetFile is the file of some targets.
func targetFile(kind, name string, list []target) *resource.File {
	return resource.NewFile(home+"/targets/"+kind+"/"+name+".yml", targetText(list), resource.OwnedBy("victoria", groupName), resource.Mode(0o640))
}

// targetText writes targets in the form of Prometheus's file_sd.
func targetText(list []target) string {
	text := module.Managed + "\n"
	for _, t := range list {
		var pairs []string
		for _, name := range slices.Sorted(maps.Keys(t.labels)) {
			pairs = append(pairs, name, t.labels[name])
		}
		text += fmt.Sprintf("- labels: %s\n  targets: [ %s ]\n", groupText(pairs...), quote(t.address))
	}
	return text
}

// quote writes a YAML string.
func quote(text string) string {
	out, _ := json.Marshal(text)
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(out))
}

// allTargets returns the targets of the whole deployment. Every infra node has
// the same: each collects everything.
func allTargets(s *module.Site) targetFiles {
	return module.Derive(s, func(s *module.Site) targetFiles {
		f := targetFiles{}
		for _, name := range []string{"NODE", moduleName, "ETCD", "PGSQL"} {
			f.of(s, name, s.Hosts())
		}
		return f
	})
}

// node adds what runs on every host.
func (f targetFiles) node(h *module.Host) {
	p := module.Params[node.Params](h)
	ip := h.Name()
	own := []string{"ip", ip, "ins", node.Name(h), "cls", node.Cluster(h)}
	exporter := func(on bool, name string, port int) {
		if on {
			f.add("node", ip, at(ip, port), slices.Concat(own, []string{"exporter", name})...)
		}
	}
	exporter(p.NodeExporterEnabled, "node", p.NodeExporterPort)
	exporter(p.HaproxyEnabled, "haproxy", p.HaproxyExporterPort)
	exporter(p.VectorEnabled, "vector", p.VectorPort)
	f.add("ping", ip, ip, own...)
	if p.VipEnabled && p.VipAddress != "" {
		f.add("node", ip+vipTargets, at(ip, p.VipExporterPort), slices.Concat(own, []string{"exporter", "keepalived", "vip", p.VipAddress})...)
		f.add("ping", p.VipAddress+"---"+ip, p.VipAddress, slices.Concat(own, []string{"vip", p.VipAddress, "job", "node-vip"})...)
	}
}

// infra adds the services of an infra node.
func (f targetFiles) infra(i *instance) {
	add := func(on bool, name string, port int) {
		if on {
			f.add("infra", i.name(), at(i.ip(), port), "ip", i.ip(), "ins", fmt.Sprintf("%s-%d", name, *i.InfraSeq), "cls", name)
		}
	}
	add(i.NginxEnabled && i.NginxExporterEnabled, "nginx", i.NginxExporterPort)
	add(i.VmetricsEnabled, "vmetrics", i.VmetricsPort)
	add(i.VlogsEnabled, "vlogs", i.VlogsPort)
	add(i.VtracesEnabled, "vtraces", i.VtracesPort)
	add(i.VmalertEnabled, "vmalert", i.VmalertPort)
	add(i.AlertmanagerEnabled, "alertmanager", i.AlertmanagerPort)
	add(i.BlackboxEnabled, "blackbox", i.BlackboxPort)
	add(i.GrafanaEnabled, "grafana", i.GrafanaPort)
	if i.DNSEnabled {
		f.add("tcp", "dns-"+i.name(), at(i.ip(), i.DNSPort), "ip", i.ip(), "ins", fmt.Sprintf("dns-%d", *i.InfraSeq), "cls", "dns")
	}
	if !i.NginxEnabled {
		return
	}
	for _, site := range i.sites() {
		f.add("http", i.name(), site.probe(i), "ip", i.ip(), "ins", fmt.Sprintf("nginx-%d", *i.InfraSeq), "cls", "portal",
			"domain", site.Domain, "__param_hostname", site.Domain)
	}
}

// postgres adds a member of a PostgreSQL cluster and what runs beside it.
func (f targetFiles) postgres(m *pgsql.Member) {
	p, ip := m.Params, m.Host.Name()
	own := []string{"ip", ip, "ins", m.Instance(), "cls", m.Cluster.Name}
	exporter := func(kind string, on bool, name string, port int) {
		if on {
			f.add(kind, m.Instance(), at(ip, port), slices.Concat(own, []string{"exporter", name})...)
		}
	}
	exporter("pgsql", p.PgExporterEnabled, "pg", p.PgExporterPort)
	exporter("pgsql", p.PgbouncerEnabled && p.PgbouncerExporterEnabled, "pgbouncer", p.PgbouncerExporterPort)
	exporter("pgsql", p.PgbackrestEnabled && p.PgbackrestExporterEnabled, "pgbackrest", p.PgbackrestExporterPort)
	patroni := "pgsql"
	if p.PatroniSSLEnabled {
		patroni = "patroni"
	}
	exporter(patroni, p.PatroniEnabled && p.PatroniMode != "remove", "patroni", p.PatroniPort)
	if vip, _, _ := strings.Cut(p.PgVipAddress, "/"); p.PgVipEnabled {
		f.add("ping", vip+"---"+ip, vip, slices.Concat(own, []string{"vip", vip, "job", "pgsql-vip"})...)
	}
}
