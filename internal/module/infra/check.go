package infra

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"

	"pigsty/internal/diag"
	"pigsty/internal/module"
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
	}
	return l
}

// checkPortal finds sites that nothing is behind, that share a name, or that
// redirect to an HTTPS which nginx_sslmode turns off.
func (i *instance) checkPortal(l *diag.List) {
	owner := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(i.InfraPortal)) {
		p := i.InfraPortal[name]
		wrong := func(code, message, advice string) {
			l.Fail(p.Pos, code, "the site "+name+" of infra_portal "+message, advice)
		}
		if p.Domain == "" {
			continue
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
		for _, domain := range append([]string{p.Domain}, p.Domains...) {
			if other := cmp.Or(owner[domain], name); other != name {
				wrong("duplicate-domain", "has the domain "+domain+", which is that of "+other, "give one of them another domain")
			}
			owner[domain] = name
		}
	}
}

func isPort(text string) bool {
	n, err := strconv.Atoi(text)
	return err == nil && n > 0 && n < 65536
}

// advise warns of passwords that everybody can look up.
func advise(s *module.Site) diag.List {
	var hosts []*module.Host
	for _, i := range instances(s) {
		if i.GrafanaEnabled {
			hosts = append(hosts, i.Host)
		}
	}
	return module.Published(s, hosts, "grafana_admin_password")
}
