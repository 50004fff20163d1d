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
func serviceHeader(cluster string) string { return "# pigsty: services of cluster " + cluster }

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
// load balancer's host has the deployment's certificate authority.
func (c *Cluster) serviceFile(p *Params, v Service, ca string) ([]byte, error) {
	r, err := c.resolve(v)
	if err != nil {
		return nil, err
	}
	if !c.managed() {
		r.Endpoints = slices.DeleteFunc(r.Endpoints, func(e Endpoint) bool { return !e.Member.serves(v.Check) })
	}
	servers := make([]string, len(r.Endpoints))
	for i, e := range r.Endpoints {
		words := []string{e.Member.Instance(), fmt.Sprintf("%s:%d", e.Member.Name(), e.Port)}
		checked := e.Member.Params.PatroniPort
		switch {
		case !c.managed():
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
	return c.serviceFiles.Of(serviceText{v, options, strings.Join(servers, "\n")}, func(t serviceText) []byte {
		return render("service.cfg.tmpl", map[string]any{
			"Header": serviceHeader(c.Name), "Managed": managed, "Name": c.Name + "-" + v.Name,
			"IP": orElse(v.IP, "*"), "Service": v, "Options": options, "Servers": servers, "Patroni": c.managed(),
		})
	}), nil
}

// serviceText is what the file of a cluster's service depends on, which the
// hosts that publish it mostly have alike.
type serviceText struct {
	Service
	options, servers string
}

// addServices adds the services of c to HAProxy on each of the hosts that
// publish them, and takes away those that the inventory no longer has.
func addServices(s *module.Site, c *Cluster, covered []*Member) []*plan.Step {
	var out []*plan.Step
	if provider := c.Params.PgServiceProvider; provider != "" {
		for _, h := range s.Group(provider) {
			out = append(out, c.publish(s, h, c.Params, "/etc/pki/ca.crt")...)
		}
		return out
	}
	for _, m := range covered {
		out = append(out, c.publish(s, m.Host, m.Params, certDir+"/ca.crt")...)
	}
	return out
}

// publish returns the steps that make HAProxy on h serve the services of c.
func (c *Cluster) publish(s *module.Site, h *module.Host, p *Params, ca string) []*plan.Step {
	if !module.Params[node.Params](h).HaproxyEnabled {
		return nil
	}
	b := plan.NewBuilder(h.Name(), moduleName).Tag("pgsql", "pg_access", "pg_service")
	config := b.Tag("pg_service_config")
	prune := &resource.Prune{Dir: node.HAProxyDir, Glob: c.Name + "-*.cfg", Header: serviceHeader(c.Name)}
	for _, v := range p.services() {
		content, err := c.serviceFile(p, v, ca)
		if err != nil {
			continue // Check has said so
		}
		name := c.Name + "-" + v.Name + ".cfg"
		prune.Keep = append(prune.Keep, name)
		config.Add(resource.NewFile(node.HAProxyDir+"/"+name, content))
	}
	config.Add(prune)
	node.HAProxy(b.Tag("pg_service_reload"), s, h)
	return b.Steps()
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
