package node

import (
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// hostsMarker ends the lines of /etc/hosts that are ours.
const hostsMarker = "# pigsty dns"

// HostsKey is the key of the resource that keeps them, for what adds others of its own.
const HostsKey = "lines /etc/hosts " + hostsMarker

// names gives the host its name. What /etc/hosts says about it comes first:
// sudo complains about a host name that it cannot resolve.
func names(b *plan.Builder, s *module.Site, h *module.Host) {
	p := module.Params[Params](h)
	if p.NodeWriteEtcHosts {
		lines := b.Tag("node_hosts").Early().Add(&resource.Lines{Path: "/etc/hosts", Marker: hostsMarker, Lines: hosts(s, h)})
		b = b.After(lines)
	}
	if name := declaredName(h); name != "" && p.NodenameOverwrite {
		b.Tag("node_name").Early().Add(&resource.Hostname{Name: name})
	}
}

// hosts returns the lines of /etc/hosts on h: the records of the inventory, the
// node's own name and, with nodename_exchange, those of all other nodes. The
// latter are the names that the inventory gives, so that they do not depend on
// which hosts a run reaches.
func hosts(s *module.Site, h *module.Host) []string {
	p := module.Params[Params](h)
	var lines []string
	have := map[string]bool{}
	add := func(line string) {
		if !have[line] {
			have[line] = true
			lines = append(lines, line)
		}
	}
	for _, record := range append(p.NodeDefaultEtcHosts[:len(p.NodeDefaultEtcHosts):len(p.NodeDefaultEtcHosts)], p.NodeEtcHosts...) {
		add(expand(s, record))
	}
	if name := Name(h); name != h.Name() {
		own := address(h)
		if own == "" {
			own = "127.0.1.1"
		}
		add(own + " " + withShort(name))
	}
	if p.NodenameExchange {
		for _, line := range module.Derive(s, nodeNames) {
			add(line)
		}
	}
	return lines
}

// nameLines are the lines of /etc/hosts for the nodes that the inventory names.
type nameLines []string

func nodeNames(s *module.Site) nameLines {
	var lines nameLines
	for _, h := range s.Hosts() {
		if name := declaredName(h); name != "" && address(h) != "" {
			lines = append(lines, address(h)+" "+withShort(name))
		}
	}
	return lines
}

// withShort adds its first label to a name that has a domain.
func withShort(name string) string {
	if short, _, ok := strings.Cut(name, "."); ok {
		return name + " " + short
	}
	return name
}

// expand puts the address of the admin node into a value that names it.
func expand(s *module.Site, text string) string {
	return strings.ReplaceAll(text, "${admin_ip}", s.AdminIP())
}
