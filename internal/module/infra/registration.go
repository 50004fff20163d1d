package infra

import (
	"maps"
	"path"
	"slices"

	"pigsty/internal/module"
	"pigsty/internal/module/etcd"
	"pigsty/internal/module/node"
	"pigsty/internal/module/pgsql"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// registrationTags are what registration of a module carries in the plays of
// that module, besides "register" and the like.
var registrationTags = map[string]struct{ on, off string }{
	"NODE":  {"node_register", "node_deregister"},
	"INFRA": {"infra_register", "infra_rm"},
	"ETCD":  {"etcd_register", "etcd_deregister"},
	"PGSQL": {"pg_register", "pg_deregister"},
}

// registration returns the steps by which all infra nodes come to know of what
// the module called name runs on hosts: targets to watch, names, pages of load
// balancers. They are a part of the play infra that other plays bring along, on
// infra nodes that are set up.
//
// The play infra declares all of them for the hosts that it is run for.
func registration(s *module.Site, name string, hosts []*module.Host, how module.Registration) []*plan.Step {
	what := []string{name}
	if name == moduleName {
		hosts = slices.DeleteFunc(slices.Clone(hosts), func(h *module.Host) bool { return module.Params[Params](h).InfraSeq == nil })
		if how == module.Registers { // an infra node is a node, too
			what = []string{"NODE", moduleName}
		}
	}
	var out []*plan.Step
	for _, i := range instances(s) {
		if name == moduleName && slices.Contains(hosts, i.Host) {
			continue
		}
		for _, name := range what {
			r := registrar{i, plan.NewBuilder(i.Host.Name(), moduleName), name, hosts, how == module.Deregisters}
			r.targets()
			r.filters()
			r.names()
			r.pages()
			r.sources()
			r.ways()
			out = append(out, r.b.Steps()...)
		}
	}
	return out
}

// registrar is one infra node that comes to know, or is to forget, what a module
// runs on some hosts.
type registrar struct {
	*instance
	b      *plan.Builder
	module string
	hosts  []*module.Host
	forget bool
}

// tag returns a Builder whose steps carry the module's own tag and either of two.
func (r registrar) tag(on, off string) *plan.Builder {
	own := registrationTags[r.module]
	if r.forget {
		return r.b.Tag(own.off, "deregister", off)
	}
	return r.b.Tag(own.on, "register", on)
}

// file adds a file, or its removal, to b.
func (r registrar) file(b *plan.Builder, f *resource.File) {
	if r.forget {
		b.Add(&resource.Absent{Path: f.Path, Reason: "what it is about goes"})
		return
	}
	f.Visits = true
	b.Add(f)
}

func (r registrar) targets() {
	if !r.VmetricsEnabled {
		return
	}
	b := r.tag("add_metrics", "rm_metrics").Given(vmetricsPackages...)
	files := targetFiles{}
	files.of(r.site, r.module, r.hosts)
	for _, kind := range kinds {
		for _, name := range slices.Sorted(maps.Keys(files[kind])) {
			known := b
			if !r.forget {
				known = obtainable(b, name)
			}
			r.file(known, targetFile(kind, name, files[kind][name]))
		}
	}
}

// filters has the stores talk to hosts that are no part of the intranet.
func (r registrar) filters() {
	everyone := r.everyone()
	if r.module != "NODE" || r.forget || !slices.ContainsFunc(r.hosts, func(h *module.Host) bool {
		return h != r.Host && slices.Contains(everyone, h.Name())
	}) {
		return
	}
	for _, c := range r.components() {
		if !c.on || !slices.Contains(stores, c.name) {
			continue
		}
		v := service{Name: c.name, Peers: everyone}
		b := r.tag("add_metrics", "rm_metrics").Given(c.packages...)
		r.file(b, v.filter())
		b.Add(&resource.Unit{Name: v.Unit(), Enabled: true, Running: true, IfRunning: true, RestartOn: []string{v.FilterFile()}})
	}
}

// names adds the records of what the module has names for. What is named in one
// file for all hosts is written as a whole, and never forgotten for one of them;
// names of the portal are, so that nobody is led to one that is gone.
func (r registrar) names() {
	if !r.DNSEnabled {
		return
	}
	var names []string
	for _, h := range r.hosts {
		switch r.module {
		case "NODE":
			if !r.forget {
				names = append(names, "nodes.hosts")
			}
			if !r.forget || r.whole(node.Cluster(h)) {
				names = append(names, node.Cluster(h)+".vip")
			}
		case moduleName:
			if !r.forget {
				names = append(names, "infra.hosts")
			}
			names = append(names, r.portalFiles()...)
		}
	}
	if r.module == "PGSQL" {
		for _, c := range pgsql.Clusters(r.site) {
			names = append(names, r.clusterNames(c)...)
		}
	}
	var gone []*module.Host
	if r.forget {
		gone = r.hosts
	}
	records := r.records(gone...)
	b := r.tag("add_dns", "rm_dns").Given(dnsmasqPackages...)
	if r.module == "PGSQL" {
		b = b.Tag("pg_dns")
	}
	wrote := false
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		lines := records[name]
		switch {
		case lines == nil:
			continue
		case slices.Contains(r.portalFiles(), name): // written without those that are forgotten
			f := recordFile(name, lines)
			f.Visits = true
			b.Add(f)
		default:
			r.file(b, recordFile(name, lines))
		}
		wrote = true
	}
	if wrote {
		unit := dnsmasqUnit()
		unit.IfRunning = true
		b.Add(unit)
	}
}

// whole reports whether all nodes of the cluster called name are among the hosts.
func (r registrar) whole(name string) bool {
	return !slices.ContainsFunc(r.site.Hosts(), func(h *module.Host) bool {
		return node.Cluster(h) == name && !slices.Contains(r.hosts, h)
	})
}

// clusterNames are the files of records of those members of c that the hosts
// have, and of the cluster itself unless some of it stays.
func (r registrar) clusterNames(c *pgsql.Cluster) []string {
	var names []string
	for _, m := range c.Members {
		if slices.Contains(r.hosts, m.Host) {
			names = append(names, m.Instance())
		}
	}
	if len(names) > 0 && (!r.forget || len(names) == len(c.Members)) {
		names = append(names, c.Name)
	}
	return names
}

// pages adds the pages of the nodes' load balancers to the portal.
func (r registrar) pages() {
	if !r.NginxEnabled || r.module != "NODE" {
		return
	}
	own := "haproxy_register"
	if r.forget {
		own = "haproxy_deregister"
	}
	b := r.tag("add_proxy", "rm_proxy").Tag(own).Given(nginxPackages...)
	pages := r.proxied()
	wrote := false
	for _, h := range r.hosts {
		if page, on := pages[node.Name(h)]; on {
			for _, f := range r.pageFiles(node.Name(h), page) {
				r.file(b, f)
			}
			wrote = true
		}
	}
	if wrote {
		unit := nginxUnit()
		unit.IfRunning = true
		b.Add(unit)
	}
}

// sources has Grafana read the databases that there are by then. They are all in
// one file, which is written without those that are forgotten.
func (r registrar) sources() {
	if !r.GrafanaEnabled || r.module != "PGSQL" {
		return
	}
	var gone []*module.Host
	if r.forget {
		gone = r.hosts
	}
	f, unit := r.sourcesFile(gone), grafanaUnit()
	f.Visits, unit.IfRunning = true, true
	r.tag("add_ds", "rm_ds").Given(grafanaPackages...).Add(f, unit)
}

// ways has people find the clusters, databases and services that there are by then,
// on the start page and by the names of their programs. What is forgotten stays
// there until it leaves the inventory.
func (r registrar) ways() {
	if r.module != "PGSQL" || r.forget {
		return
	}
	b := r.tag("add_ds", "rm_ds")
	all, pages := plan.NewBuilder(r.Host.Name(), moduleName), plan.NewBuilder(r.Host.Name(), moduleName)
	r.environment(all)
	r.pgadmin(all)
	if r.NginxEnabled {
		r.instance.pages(pages)
	}
	for _, step := range all.Steps() {
		switch t := step.Resource.(type) {
		case *resource.Lines:
			if step.Tagged([]string{"env_pgscv"}) {
				t.Beside = home
				b.Add(t)
			}
		case *resource.File:
			if path.Base(t.Path) == "servers.json" {
				r.file(b, t)
			}
		}
	}
	for _, step := range pages.Steps() {
		if f, ok := step.Resource.(*resource.File); ok && slices.Contains([]string{"index.html", "zh.html"}, path.Base(f.Path)) {
			r.file(b.Given(nginxPackages...), f)
		}
	}
}

// of adds the targets of what the module called name runs on hosts.
func (f targetFiles) of(s *module.Site, name string, hosts []*module.Host) {
	switch name {
	case "NODE":
		for _, h := range hosts {
			f.node(h)
		}
	case moduleName:
		for _, i := range instances(s) {
			if slices.Contains(hosts, i.Host) {
				f.infra(i)
			}
		}
	case "ETCD":
		for _, in := range etcd.Module().Instances(s, hosts) {
			p := module.Params[etcd.Params](in.Host)
			f.add("etcd", in.Name, at(in.Host.Name(), p.EtcdPort), "ip", in.Host.Name(), "ins", in.Name, "cls", in.Cluster)
		}
	case "PGSQL":
		for _, c := range pgsql.Clusters(s) {
			for _, m := range c.Members {
				if slices.Contains(hosts, m.Host) {
					f.postgres(m)
				}
			}
		}
	}
}
