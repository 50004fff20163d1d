package infra

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"

	"pigsty/internal/diag"
	"pigsty/internal/module"
	"pigsty/internal/module/node"
	"pigsty/internal/repo/alias"
	"pigsty/internal/resource"
)

// check finds infra nodes without a number or with the same one, and sites of
// the portal that cannot be.
func check(s *module.Site) diag.List {
	var l diag.List
	for _, h := range s.Group("infra") {
		// A number that cannot be read is reported as such.
		if _, written := h.Vars.Get("infra_seq"); module.Params[Params](h).InfraSeq == nil && !written {
			l.Fail(h.At("infra_seq"), "missing-identity",
				"host "+h.Name()+" of group infra has no infra_seq", "give each infra node its own infra_seq, from 1")
		}
	}
	var builders []*module.Host
	for _, i := range instances(s) {
		if i.RepoEnabled {
			builders = append(builders, i.Host)
		}
	}
	node.CheckModules(s, &l, builders, "repo_modules", "node")
	numbers := map[int]*instance{}
	seen := map[diag.Pos]bool{}
	for _, i := range instances(s) {
		if other := numbers[*i.InfraSeq]; other != nil {
			l.Fail(i.At("infra_seq"), "duplicate-identity",
				fmt.Sprintf("hosts %s and %s have the same infra_seq %d", other.ip(), i.ip(), *i.InfraSeq),
				"give one of them another number")
		}
		numbers[*i.InfraSeq] = i
		i.checkMetrics(&l)
		if at := i.At("infra_portal"); !seen[at] { // written once for all nodes, as a rule
			seen[at] = true
			i.checkPortal(&l)
		}
		for _, parameter := range []string{"repo_packages", "repo_extra_packages"} {
			if v, ok := i.Vars.Get(parameter); ok && !seen[v.NamePos] {
				seen[v.NamePos] = true
				alias.Check(parameter, v.Value, &l)
			}
		}
	}
	return l
}

// checkPortal finds sites that nothing is behind, that share a name, or that
// redirect to an HTTPS which nginx_sslmode turns off.
func (i *instance) checkPortal(l *diag.List) {
	owner := map[string]string{}
	for _, domain := range i.home().names() { // which it has even if it is not written
		owner[domain] = "home"
	}
	for _, p := range i.sites() {
		name := p.name
		wrong := func(code, message, advice string) {
			l.Fail(p.Pos, code, "the site "+name+" of infra_portal "+message, advice)
		}
		if _, err := i.site.File(p.Conf); p.Conf != "" && err != nil {
			wrong("unreadable-file", "names a configuration that cannot be read: "+err.Error(), "put it there, or remove conf")
		}
		if name != "home" && p.Conf == "" && p.Endpoint == "" && p.Path == "" {
			wrong("missing-field", "has neither an endpoint nor a path", "say what is behind it: endpoint: 10.10.10.10:3000, or path: /www/name")
		}
		if _, port, err := net.SplitHostPort(i.expand(p.Endpoint)); p.Endpoint != "" && (err != nil || !isPort(port)) {
			wrong("invalid-value", "has the endpoint "+p.Endpoint+", which is no address and port", "write it like ${admin_ip}:3000")
		}
		if i.NginxSslmode == "disable" && p.EnforceHTTPS {
			wrong("contradiction", "redirects to HTTPS, which nginx_sslmode: disable turns off", "remove enforce_https, or set nginx_sslmode to enable")
		}
		if p.Auth && len(i.NginxUsers) == 0 {
			wrong("missing-field", "asks for a password, but nginx_users names nobody", "add users to nginx_users, or remove auth")
		}
		for _, domain := range p.names() {
			if other := cmp.Or(owner[domain], name); other != name {
				wrong("duplicate-domain", "has the domain "+domain+", which is that of "+other, "give one of them another domain")
			}
			owner[domain] = cmp.Or(owner[domain], name)
		}
	}
}

func isPort(text string) bool {
	n, err := strconv.Atoi(text)
	return err == nil && n > 0 && n < 65536
}

// advise warns of passwords that everybody can look up, and of a portal that a
// firewall closes.
func advise(s *module.Site) diag.List {
	var l diag.List
	var hosts []*module.Host
	for _, i := range instances(s) {
		if i.GrafanaEnabled {
			hosts = append(hosts, i.Host)
		}
		i.adviseFirewall(&l)
	}
	l.Add(module.Published(s, hosts, "grafana_admin_password")...)
	return l
}

// adviseFirewall warns of ports of the portal that are open to the intranet only.
func (i *instance) adviseFirewall(l *diag.List) {
	p := module.Params[node.Params](i.Host)
	if !i.NginxEnabled || p.NodeFirewallMode != resource.FirewallZone {
		return
	}
	var first string
	var closed []string
	for _, c := range i.components() {
		for _, port := range c.ports {
			if c.name == "nginx" && !slices.Contains(p.NodeFirewallPublicPort, port.number) {
				first, closed = cmp.Or(first, port.parameter), append(closed, fmt.Sprintf("%s %d", port.parameter, port.number))
			}
		}
	}
	if len(closed) > 0 {
		at := i.At(first)
		if _, written := i.Vars.Get("node_firewall_public_port"); written {
			at = i.At("node_firewall_public_port")
		}
		l.Warn(at, "closed-port", fmt.Sprintf("the portal of %s is closed to all but the intranet where the host has a firewall: "+
			"node_firewall_public_port lacks %s", i.ip(), module.Enumerate(closed)), "add what is missing there if others are to reach the portal")
	}
}
