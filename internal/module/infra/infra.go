package infra

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/module/node"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

const moduleName = "INFRA"

// tags are what the steps of the play infra carry, in its order.
var tags = []string{
	"ca", "ca_cert", "id",
	"infra", "infra_user", "infra_dir", "infra_dir_data", "infra_dir_link", "infra_dir_create",
	"infra_env", "env_dir", "env_patroni", "env_pg", "env_pgpass", "env_pgscv", "env_pgadmin", "env_etcd", "env_pglog", "env_var",
	"infra_pkg", "infra_pkg_yum", "infra_pkg_pip", "infra_cert", "infra_cert_issue", "infra_cert_copy",
	"dns", "dns_dir", "dns_config", "dns_record", "dns_launch", "ntp", "ntp_config",
	"nginx", "nginx_dir", "nginx_config", "nginx_clean", "nginx_cert", "nginx_cert_issue", "nginx_cert_copy", "nginx_static", "nginx_ca",
	"nginx_index", "nginx_pev", "nginx_launch", "nginx_certbot", "nginx_reload", "nginx_exporter", "haproxy_register", "add_proxy",
	"victoria", "vmetrics", "vmetrics_clean", "vmetrics_config", "vmetrics_launch", "vlogs", "vlogs_clean", "vlogs_config", "vlogs_launch",
	"vtraces", "vtraces_clean", "vtraces_config", "vtraces_launch", "vmalert", "vmalert_config", "vmalert_launch",
	"alertmanager", "alertmanager_config", "alertmanager_launch", "blackbox", "blackbox_config", "blackbox_launch",
	"grafana", "grafana_clean", "grafana_dir", "grafana_config", "grafana_plugin", "grafana_launch", "grafana_provision", "dashboard_sync",
	"infra_register", "register", "add_metrics", "add_logs", "add_ds", "add_dns",
}

// Module returns the INFRA module.
func Module() module.Module {
	return module.Module{
		Declaration: Declaration(),
		Check:       check,
		Ports:       ports,
		Advise:      advise,
		Instances:   running,
		Register:    registration,
		Repository:  repositoryOf,
		Plays: []module.Play{
			{
				Name: "infra", Short: "Set up infra nodes: portal, DNS, metrics, logs, alerts, dashboards", Deploy: 20,
				Tags: slices.Concat(nodePlay().Tags, repoTags, tags), Steps: steps,
				Registration: module.Registers,
			},
			{
				Name: "infra-rm", Short: "Remove what infra nodes run, with its data",
				Tags: removeTags, Steps: removal, Removes: removed,
				Registration: module.Deregisters,
			},
		},
	}
}

// nodePlay is the play node: an infra node is a node first.
func nodePlay() module.Play { return node.Module().Plays[0] }

// instance is one infra node.
type instance struct {
	*module.Host
	*Params
	site *module.Site
}

// instances returns the infra nodes in the order of their numbers. A host is
// one by its number, whichever group it is in.
func instances(s *module.Site) []*instance {
	return module.Derive(s, func(s *module.Site) []*instance {
		var out []*instance
		for _, h := range s.Hosts() {
			if p := module.Params[Params](h); p.InfraSeq != nil {
				out = append(out, &instance{h, p, s})
			}
		}
		slices.SortStableFunc(out, func(a, b *instance) int { return cmp.Compare(*a.InfraSeq, *b.InfraSeq) })
		return out
	})
}

// steps compiles the play infra, top to bottom in the order of things on a host.
func steps(s *module.Site, hosts []*module.Host) []*plan.Step {
	var out []*plan.Step
	for _, i := range instances(s) {
		if !slices.Contains(hosts, i.Host) {
			continue
		}
		out = append(out, nodePlay().Steps(s, []*module.Host{i.Host})...)
		b := plan.NewBuilder(i.Host.Name(), moduleName).Tag("infra")
		node.CA(b.Tag("ca", "ca_cert"), s)
		i.repository(b)
		i.accounts(b)
		i.directories(b)
		i.environment(b)
		i.pgadmin(b)
		b.Tag("infra_env", "env_pglog").Add(resource.NewFile(pglogFile, render("pglog.sh.tmpl", nil)))
		i.packages(b)
		i.certificate(b)
		i.dns(b)
		i.time(b)
		i.nginx(b)
		i.logs(b)
		i.victoria(b)
		i.alertmanager(b)
		i.blackbox(b)
		i.grafana(b)
		i.register(b)
		out = append(out, b.Steps()...)
	}
	return out
}

// name is the node's name among infra nodes: infra-1.
func (i *instance) name() string { return fmt.Sprintf("infra-%d", *i.InfraSeq) }

// ip is the address that others reach the node at.
func (i *instance) ip() string { return i.Host.Name() }

// expand puts the address of the admin node into a value that names it.
func (i *instance) expand(text string) string {
	return strings.ReplaceAll(text, "${admin_ip}", i.site.AdminIP())
}

// listen returns where a program of the node listens on port: locally and at
// the node's own address of the inventory, so that other networks that the host
// is in do not get to see what has no login. A host that does not have that
// address itself, as behind NAT, listens everywhere.
func (i *instance) listen(port int) []string {
	if !i.owns(i.ip()) {
		return []string{fmt.Sprintf(":%d", port)}
	}
	return []string{at("127.0.0.1", port), at(i.ip(), port)}
}

// self is where the node itself reaches a program of its own on port. Some take
// one address only, and heed the last.
func (i *instance) self(port int) string {
	if i.owns(i.ip()) {
		return at(i.ip(), port)
	}
	return at("127.0.0.1", port)
}

// owns reports whether ip is an address of the host, as far as is known.
func (i *instance) owns(ip string) bool {
	if _, err := netip.ParseAddr(ip); err != nil {
		return false
	}
	for prefix := range i.Facts.Addresses {
		if own, _, _ := strings.Cut(prefix, "/"); own == ip {
			return true
		}
	}
	return len(i.Facts.Addresses) == 0
}

// at writes an address and a port.
func at(ip string, port int) string { return net.JoinHostPort(ip, strconv.Itoa(port)) }

// intranet returns the networks from which tools without a login may be used.
func (i *instance) intranet() []string {
	return module.Params[node.Params](i.Host).NodeFirewallIntranet
}

// peers are whom programs without a login of their own talk to: the intranet and
// the infra nodes. Those of the node itself come by its own address.
func (i *instance) peers() []string {
	out := slices.Clone(i.intranet())
	for _, other := range instances(i.site) {
		out = append(out, other.ip())
	}
	return addressed(out)
}

// everyone are the peers of what collects from nodes, or nodes send to.
func (i *instance) everyone() []string {
	return addressed(append(node.Trusted(i.site, i.Host), i.ip()))
}

// addressed returns those of words that are addresses or networks.
func addressed(words []string) []string {
	return slices.DeleteFunc(words, func(word string) bool {
		_, noAddress := netip.ParseAddr(word)
		_, noNetwork := netip.ParsePrefix(word)
		return noAddress != nil && noNetwork != nil
	})
}

// sockets returns where systemd listens on port for a program of the node.
func (i *instance) sockets(port int) []string {
	list := i.listen(port)
	for n := range list {
		list[n] = strings.TrimPrefix(list[n], ":")
	}
	return list
}
