package pgsql

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pigsty/internal/module"
	"pigsty/internal/module/node"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// serviceHeader is the first line of the files of a cluster's services. It
// names the cluster, so that the services that pg-test loses are never taken
// for those of pg-test-2.
func serviceHeader(cluster string) string { return node.ServicesHeader + cluster }

// Endpoint is one server of a resolved service.
type Endpoint struct {
	Member *Member
	Port   int
	Backup bool
}

// ResolvedService is a service with the servers that its selectors pick.
type ResolvedService struct {
	Service
	Endpoints []Endpoint
}

// services returns the services that the inventory declares for a cluster.
func (p *Params) services() []Service { return slices.Concat(p.PgDefaultServices, p.PgServices) }

// resolve picks the servers of a service: the members that its selector picks,
// then those that only its backup expression does. A server that the latter
// picks is used when no other is left.
func (c *Cluster) resolve(v Service) (ResolvedService, error) {
	r := ResolvedService{Service: v}
	chosen, err := selectMembers(v.Selector, c.candidates())
	if err != nil {
		return r, fmt.Errorf("selector %s: %w", v.Selector, err)
	}
	var backups []int
	if v.Backup != "" {
		if backups, err = selectMembers(v.Backup, c.candidates()); err != nil {
			return r, fmt.Errorf("backup %s: %w", v.Backup, err)
		}
	}
	for _, i := range backups {
		if !slices.Contains(chosen, i) {
			chosen = append(chosen, i)
		}
	}
	for _, i := range chosen {
		m := c.Members[i]
		r.Endpoints = append(r.Endpoints, Endpoint{Member: m, Port: m.destination(v.Dest), Backup: slices.Contains(backups, i)})
	}
	return r, nil
}

// serves reports whether m, of a cluster without Patroni, would pass the health
// check of Patroni's API at a path. The inventory's roles stand in for the API's:
// nobody moves the leader there.
func (m *Member) serves(check string) bool {
	path, _, _ := strings.Cut(check, "?")
	primary := m == m.Cluster.Primary
	switch path {
	case "", "/", "/primary", "/master", "/read-write":
		return primary && !m.Cluster.standby()
	case "/leader":
		return primary
	case "/standby-leader", "/standby_leader":
		return primary && m.Cluster.standby()
	case "/replica", "/synchronous", "/sync", "/asynchronous", "/async", "/quorum":
		return !primary
	}
	return true
}

// selectable returns what selectors see: each member's variables as the
// inventory has them. What is not written there is null to a selector.
func (c *Cluster) selectable() []any {
	out := make([]map[string]any, len(c.Members))
	for i, m := range c.Members {
		vars := map[string]any{"inventory_hostname": m.Name()}
		for v := range m.Vars.All() {
			vars[v.Name] = numbers(v.Value.Any())
		}
		out[i] = vars
	}
	return candidates(out)
}

// destination returns the port on m that a service's dest means.
func (m *Member) destination(dest string) int {
	p := m.Params
	if dest == "" || dest == "default" {
		dest = p.PgDefaultServiceDest
	}
	if port, err := strconv.Atoi(dest); err == nil {
		return port
	}
	if dest == "pgbouncer" && p.PgbouncerEnabled {
		return p.PgbouncerPort
	}
	return p.PgPort
}

// serviceFile returns the HAProxy file of one service. ca is where the
// load balancer's host has the deployment's certificate authority. byRole goes by
// the inventory's roles: Patroni is gone and cannot be asked.
func (c *Cluster) serviceFile(p *Params, v Service, ca string, byRole bool) ([]byte, error) {
	r, err := c.resolve(v)
	if err != nil {
		return nil, err
	}
	if byRole {
		r.Endpoints = slices.DeleteFunc(r.Endpoints, func(e Endpoint) bool { return !e.Member.serves(v.Check) })
	}
	servers := make([]string, len(r.Endpoints))
	for i, e := range r.Endpoints {
		words := []string{e.Member.Instance(), fmt.Sprintf("%s:%d", e.Member.Name(), e.Port)}
		checked := e.Member.Params.PatroniPort
		switch {
		case byRole:
			checked = e.Member.Params.PgPort
		case p.PatroniSSLEnabled:
			words = append(words, "check-ssl", "ca-file", ca)
		}
		words = append(words, "check", "port", strconv.Itoa(checked), "weight", strconv.Itoa(e.Member.Params.PgWeight))
		if e.Backup {
			words = append(words, "backup")
		}
		servers[i] = strings.Join(words, " ")
	}
	options := v.Options
	if options == "" {
		t := rtoPlan(p)
		options = fmt.Sprintf("inter %s fastinter %s downinter %s rise %d fall %d on-marked-down shutdown-sessions slowstart 30s maxconn 3000 maxqueue 128 weight 100",
			whole(t.Inter), whole(t.FastInter), whole(t.DownInter), t.Rise, t.Fall)
	}
	return c.serviceFiles.Of(serviceText{v, byRole, options, strings.Join(servers, "\n")}, func(t serviceText) []byte {
		return render("service.cfg.tmpl", map[string]any{
			"Header": serviceHeader(c.Name), "Managed": managed, "Name": c.Name + "-" + v.Name,
			"IP": orElse(v.IP, "*"), "Service": v, "Options": options, "Servers": servers, "Patroni": !byRole,
		})
	}), nil
}

// serviceText is what the file of a cluster's service depends on, which the
// hosts that publish it mostly have alike.
type serviceText struct {
	Service
	byRole           bool
	options, servers string
}

// addServices adds the services of c to HAProxy on those of hosts that publish
// them, and takes away what the inventory no longer has: single services, or
// those of members for whom others publish them by now. byRole: see serviceFile.
func addServices(s *module.Site, c *Cluster, hosts []*module.Host, covered []*Member, byRole bool) []*plan.Step {
	var out []*plan.Step
	providers := c.providers(s)
	publish := func(h *module.Host, p *Params, services []Service, ca string) {
		if !module.Params[node.Params](h).HaproxyEnabled {
			return
		}
		b := c.serviceBuilder(h)
		c.addServiceFiles(b.Tag("pg_service_config"), p, services, ca, byRole, false)
		node.HAProxy(b.Tag("pg_service_reload"), s, h)
		out = append(out, b.Steps()...)
	}
	for _, m := range covered {
		switch {
		case c.Params.PgServiceProvider == "":
			publish(m.Host, m.Params, m.Params.services(), certDir+"/ca.crt")
		case !slices.Contains(providers, m.Host):
			publish(m.Host, m.Params, nil, "")
		}
	}
	for _, h := range providers {
		if slices.Contains(hosts, h) {
			publish(h, c.Params, c.Params.services(), providerCA)
		}
	}
	return out
}

// providerCA is where a host that has no certificate of PGSQL's has the
// deployment's certificate authority.
const providerCA = node.CAFile

// providers returns the hosts whose HAProxy publishes the services of c in place
// of the members' own, none if they do it themselves.
func (c *Cluster) providers(s *module.Site) []*module.Host {
	if c.Params.PgServiceProvider == "" {
		return nil
	}
	return s.Group(c.Params.PgServiceProvider)
}

// serviceBuilder returns a builder of the steps for services of c on h.
func (c *Cluster) serviceBuilder(h *module.Host) *plan.Builder {
	return plan.NewBuilder(h.Name(), moduleName).Tag("pgsql", "pg_access", "pg_service")
}

// addServiceFiles adds the files of services, and the removal of others of c. A
// host that they visit has them only where it has HAProxy already.
func (c *Cluster) addServiceFiles(b *plan.Builder, p *Params, services []Service, ca string, byRole, visit bool) {
	if byRole { // not before it is certain that the roles are what they are said to be
		b = b.After(handoverIDs(c.Members)...)
	}
	prune := &resource.Prune{Dir: node.HAProxyDir, Glob: c.Name + "-*.cfg", Header: serviceHeader(c.Name)}
	for _, v := range services {
		content, err := c.serviceFile(p, v, ca, byRole)
		if err != nil {
			continue // Check has said so
		}
		name := c.Name + "-" + v.Name + ".cfg"
		prune.Keep = append(prune.Keep, name)
		f := resource.NewFile(node.HAProxyDir+"/"+name, content)
		f.Visits = visit
		b.Add(f)
	}
	b.Add(prune)
}

// register has the providers of clusters' services that a run is not about
// publish them, or forget them with the last member.
func register(s *module.Site, name string, hosts []*module.Host, how module.Registration) []*plan.Step {
	if name != moduleName {
		return nil
	}
	return each(s, hosts, func(c *Cluster, covered []*Member) []*plan.Step {
		var out []*plan.Step
		for _, h := range c.providers(s) {
			if slices.Contains(hosts, h) || !module.Params[node.Params](h).HaproxyEnabled {
				continue
			}
			b := c.serviceBuilder(h)
			switch {
			case how == module.Registers:
				c.addServiceFiles(b.Tag("pg_service_config"), c.Params, c.Params.services(), providerCA, c.Standalone(), true)
				reloadHAProxy(b.Tag("pg_service_reload"), s, h)
			case len(covered) == len(c.Members):
				withdraw(b, s, h, c.Name)
			}
			out = append(out, b.Steps()...)
		}
		return out
	})
}

// reloadHAProxy adds no more of HAProxy on h than its reload, where it runs.
func reloadHAProxy(b *plan.Builder, s *module.Site, h *module.Host) {
	whole := plan.NewBuilder(h.Name(), moduleName)
	node.HAProxy(whole, s, h)
	for _, step := range whole.Steps() {
		if u, ok := step.Resource.(*resource.Unit); ok {
			reload := *u
			reload.IfRunning = true
			b.Add(&reload)
		}
	}
}

// whole writes an interval such as 0.5s in milliseconds: HAProxy takes no
// fractions.
func whole(interval string) string {
	d, err := time.ParseDuration(interval)
	if err != nil || !strings.Contains(interval, ".") {
		return interval
	}
	return fmt.Sprintf("%dms", d.Milliseconds())
}
