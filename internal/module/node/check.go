package node

import (
	"regexp"
	"slices"
	"strings"

	"pigsty/internal/diag"
	"pigsty/internal/inventory"
	"pigsty/internal/module"
	"pigsty/internal/repo/fetch"
	"pigsty/internal/resource"
)

// hostname is what the kernel and resolvers take for a host's name: labels of
// letters, digits and dashes (RFC 1123), 64 characters at most.
var hostname = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$`)

// check finds hosts that cannot be told apart or reached, node names that are
// not host names or not unique, and virtual addresses that cannot be.
func check(s *module.Site) diag.List {
	var l diag.List
	checkAddresses(s, &l)
	checkAdmin(s, &l)
	checkVIPs(s, &l)
	checkPython(s, &l)
	CheckModules(s, &l, s.Hosts(), "node_repo_modules", "local", "node")
	checkKeys(s, &l)
	first := map[string]*module.Host{}
	for _, h := range s.Hosts() {
		name := declaredName(h)
		if name == "" {
			continue
		}
		at := h.At("nodename")
		if !written(h, "nodename") {
			at = h.At("pg_seq")
		}
		if len(name) > 64 || !hostname.MatchString(name) {
			l.Fail(at, "invalid-nodename",
				"the name of node "+h.Name()+" is no host name: "+name, "use letters, digits and dashes, at most 64 in all")
		}
		other := first[name]
		if other == nil {
			first[name] = h
			continue
		}
		// Two instances with the same number are PGSQL's to report.
		if written(h, "nodename") || written(other, "nodename") {
			l.Fail(at, "duplicate-nodename",
				"nodes "+other.Name()+" and "+h.Name()+" are both called "+name, "give one of them another nodename")
		}
	}
	return l
}

// checkAdmin finds an admin_ip that names no host, or not the same for all:
// what is rendered for one host would send it to another node than its peers.
func checkAdmin(s *module.Site, l *diag.List) {
	addresses := map[string]bool{}
	for _, h := range s.Hosts() {
		addresses[h.Name()] = true
		if v, ok := h.Vars.Get("ansible_host"); ok {
			addresses[v.Value.Text] = true
		}
	}
	for _, h := range s.Hosts() {
		v, ok := h.Vars.Get("admin_ip")
		switch {
		case !ok:
		case v.Value.Text != s.AdminIP():
			l.Warn(v.Value.Pos, "no-effect",
				"admin_ip of "+h.Name()+" is "+v.Value.Text+", but a deployment has one admin node, "+s.AdminIP(), "set admin_ip once, in the vars of all")
		case !addresses[v.Value.Text]:
			l.Warn(v.Value.Pos, "unknown-host",
				"admin_ip "+v.Value.Text+" is no host of the inventory", "name the node that the others are managed from, or add it")
		}
	}
}

// CheckModules warns of modules of repositories that the inventory names in
// parameter and declares nowhere. Those of own need no declaration.
func CheckModules(s *module.Site, l *diag.List, hosts []*module.Host, parameter string, own ...string) {
	seen := map[string]bool{}
	for _, h := range hosts {
		v, ok := h.Vars.Get(parameter)
		if !ok {
			continue
		}
		declared, _ := h.Vars.Get("repo_upstream")
		for _, name := range words(v.Value.Text) {
			at := v.Value.Pos.String() + " " + name
			known := slices.Contains(own, name) || slices.ContainsFunc(declared.Value.Items, func(u inventory.Value) bool {
				of, _ := u.Get("module")
				return of.Text == name
			})
			if known || seen[at] {
				continue
			}
			seen[at] = true
			l.Warn(v.Value.Pos, "no-effect", parameter+" names "+name+", but repo_upstream has no repository of that module",
				"declare it in repo_upstream, or take the name out")
		}
	}
}

// checkKeys finds repositories that hosts are to use by way of apt, with keys that are
// neither files of theirs nor written out: apt fetches none. Which are for apt shows in
// their URLs, which a suite follows.
func checkKeys(s *module.Site, l *diag.List) {
	seen := map[diag.Pos]bool{}
	for _, h := range s.Hosts() {
		used := words(module.Params[Params](h).NodeRepoModules)
		declared, _ := h.Vars.Get("repo_upstream")
		for _, v := range declared.Value.Items {
			of, _ := v.Get("module")
			name, _ := v.Get("name")
			urls, _ := v.Get("baseurl")
			base, _ := urls.Get("default")
			meta, _ := v.Get("meta")
			key, _ := meta.Get("gpgkey")
			u := upstream{name: name.Text, key: key.Text}
			_, isFile := u.file()
			if !slices.Contains(used, of.Text) || len(strings.Fields(base.Text)) < 2 || u.key == "" || u.armored() || isFile || seen[key.Pos] {
				continue
			}
			seen[key.Pos] = true
			l.Fail(key.Pos, "not-supported", "node_repo_modules has hosts use the repository "+u.name+", whose key "+fetch.Shown(u.key)+" apt cannot fetch",
				"put the key itself there, in armor, or the path of a file that the hosts have; only the node that builds the deployment's repository (repo_modules) takes a URL")
		}
	}
}

// checkPython finds words of node_pip_packages that are no requirements.
func checkPython(s *module.Site, l *diag.List) {
	for _, h := range s.Hosts() {
		for _, text := range strings.Fields(module.Params[Params](h).NodePipPackages) {
			if err := resource.CheckRequirement(text); err != nil {
				v, _ := h.Vars.Get("node_pip_packages")
				l.Fail(v.Value.Pos, "invalid-requirement", "node_pip_packages: "+err.Error(),
					"separate packages by blanks, and write NAME@URL for one that no index has")
			}
		}
	}
}

// ports returns what nodes listen on besides what other modules put there.
func ports(s *module.Site) []module.Port {
	var out []module.Port
	for _, h := range s.Hosts() {
		p := module.Params[Params](h)
		add := func(enabled bool, name string, number int) {
			if enabled {
				out = append(out, module.Listen(h, name, number))
			}
		}
		add(p.NodeExporterEnabled, "node_exporter_port", p.NodeExporterPort)
		add(p.VectorEnabled, "vector_port", p.VectorPort)
		add(p.VipEnabled, "vip_exporter_port", p.VipExporterPort)
		add(p.HaproxyEnabled, "haproxy_exporter_port", p.HaproxyExporterPort)
		if !p.HaproxyEnabled {
			continue
		}
		for _, v := range p.HaproxyServices {
			out = append(out, module.Port{
				Host: h, IP: v.IP, Number: v.Port, Use: "service " + v.Name, Pos: h.Field("haproxy_services", v.Pos, "port"),
			})
		}
	}
	return out
}

// advise warns of a password that everybody can look up.
func advise(s *module.Site) diag.List {
	var balanced []*module.Host
	for _, h := range s.Hosts() {
		if p := module.Params[Params](h); p.HaproxyEnabled && p.HaproxyAuthEnabled {
			balanced = append(balanced, h)
		}
	}
	return module.Published(s, balanced, "haproxy_admin_password")
}
