package module

import (
	"cmp"
	"fmt"
	"slices"

	"pigsty/internal/diag"
	"pigsty/internal/inventory"
)

// Check returns everything that can be said about s without reaching a host:
// names that are no parameters, what each module finds, parameters that cannot
// be read, and ports that two programs of a host want. Advice comes with it if
// nothing is wrong.
func Check(s *Site, modules []Module) diag.List {
	var l diag.List
	for _, h := range s.Hosts() {
		l.Add(s.Catalogue.Check(h.Vars)...)
	}
	l = l.Sorted().Once("unmanaged-parameter")
	var ports []Port
	for _, m := range modules {
		if m.Check != nil {
			l.Add(m.Check(s)...)
		}
		if m.Ports != nil {
			ports = append(ports, m.Ports(s)...)
		}
	}
	checkPorts(ports, &l)
	for _, h := range s.Hosts() {
		l.Add(h.Problems()...)
	}
	if l.HasErrors() {
		return l
	}
	for _, m := range modules {
		if m.Advise != nil {
			l.Add(m.Advise(s)...)
		}
	}
	return l
}

// Port is a TCP port that something of a module listens on.
type Port struct {
	Host   *Host
	IP     string // the address that it is bound to; empty or * for all
	Number int
	Use    string   // who listens: "pg_port", "service primary of pg-test"
	Pos    diag.Pos // where the port is written; zero for a default
}

// Listen returns the port that the parameter called name gives h, for Module.Ports.
func Listen(h *Host, name string, number int) Port {
	p := Port{Host: h, Number: number, Use: name}
	if v, ok := h.Vars.Get(name); ok {
		p.Pos = cmp.Or(v.Value.Pos, v.NamePos)
	}
	return p
}

// checkPorts finds ports of a host that two want. Hosts of a cluster have the
// same quarrel, which is reported for the first of them.
func checkPorts(ports []Port, l *diag.List) {
	type place struct {
		host   *Host
		number int
	}
	type quarrel struct {
		number   int
		pos      diag.Pos
		one, two string
	}
	taken := make(map[place][]Port, len(ports))
	said := map[quarrel]bool{}
	for _, p := range ports {
		at := place{p.Host, p.Number}
		i := slices.IndexFunc(taken[at], p.overlaps)
		taken[at] = append(taken[at], p)
		if i < 0 {
			continue
		}
		first, second := taken[at][i], p
		if second.Pos.IsZero() && !first.Pos.IsZero() {
			first, second = second, first // a default was there first
		}
		q := quarrel{p.Number, second.Pos, first.Use, second.Use}
		if said[q] {
			continue
		}
		said[q] = true
		l.Fail(cmp.Or(second.Pos, p.Host.Pos()), "port-taken",
			fmt.Sprintf("%s and %s both want port %d of %s", first.Use, second.Use, p.Number, p.Host.Name()),
			"give one of them another port")
	}
}

// overlaps reports whether p and other cannot listen at the same time.
func (p Port) overlaps(other Port) bool {
	all := func(ip string) bool { return ip == "" || ip == "*" || ip == "0.0.0.0" || ip == "::" }
	return all(p.IP) || all(other.IP) || p.IP == other.IP
}

// Published warns of those parameters called names, all of them secrets, that
// have their default on one of hosts: it is in the documentation, where
// everybody can read it. One warning names them all.
func Published(s *Site, hosts []*Host, names ...string) diag.List {
	var (
		l     diag.List
		found []string
		at    diag.Pos
	)
	for _, name := range names {
		p, ok := s.Catalogue.Lookup(name)
		if !ok || p.Default.Text == "" {
			panic("no default is published for " + name)
		}
		i := slices.IndexFunc(hosts, func(h *Host) bool {
			v, set := h.Vars.Get(name)
			return !set || v.Value.Kind == inventory.Null || v.Value.Text == p.Default.Text
		})
		if i < 0 {
			continue
		}
		found = append(found, name)
		if v, set := hosts[i].Vars.Get(name); set && at.IsZero() {
			at = cmp.Or(v.Value.Pos, v.NamePos)
		}
	}
	if len(found) > 0 {
		l.Warn(cmp.Or(at, diag.Pos{File: hosts[0].Pos().File}), "published-password",
			"everybody can look up "+Enumerate(found)+": the default is published", "write a password of your own for each")
	}
	return l
}

// Enumerate joins words for a sentence: "a, b and c".
func Enumerate(words []string) string {
	switch n := len(words); n {
	case 0:
		return ""
	case 1:
		return words[0]
	default:
		out := words[0]
		for _, w := range words[1 : n-1] {
			out += ", " + w
		}
		return out + " and " + words[n-1]
	}
}
