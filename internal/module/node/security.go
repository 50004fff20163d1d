package node

import (
	"net/netip"
	"slices"
	"strings"

	"pigsty/internal/memo"
	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// security sets the mode of SELinux and the rules of the firewall.
func security(b *plan.Builder, s *module.Site, h *module.Host) {
	p := module.Params[Params](h)
	b = b.Tag("node_sec")
	b.Tag("node_selinux").Add(&resource.SELinux{Mode: p.NodeSelinuxMode})
	if p.NodeFirewallMode == "none" {
		return
	}
	f := &resource.Firewall{Mode: p.NodeFirewallMode}
	if f.Mode == resource.FirewallZone {
		f.Networks, f.NetworksOf = Trusted(s, h), "node_firewall_intranet"
		f.Ports, f.PortsOf = p.NodeFirewallPublicPort, "node_firewall_public_port"
	}
	b.Tag("node_firewall").Add(f)
}

// Trusted returns the networks of node_firewall_intranet, and the nodes of the
// inventory that lie in none of them: a firewall between the members of a
// cluster breaks it.
func Trusted(s *module.Site, h *module.Host) []string {
	networks := module.Params[Params](h).NodeFirewallIntranet
	list := slices.Clone(networks)
	own, _ := netip.ParseAddr(h.Name())
	for _, ip := range module.Derive(s, newOutsiders).of(networks) {
		if ip != own.String() {
			list = append(list, ip)
		}
	}
	return list
}

// outsiders are the addresses of the nodes that lie in none of some networks,
// which are those of many nodes.
type outsiders struct {
	nodes []netip.Addr
	found memo.Table[string, []string] // by the networks
}

func newOutsiders(s *module.Site) *outsiders {
	o := &outsiders{}
	for _, h := range s.Hosts() {
		if ip, err := netip.ParseAddr(h.Name()); err == nil {
			o.nodes = append(o.nodes, ip)
		}
	}
	return o
}

func (o *outsiders) of(networks []string) []string {
	return o.found.Of(strings.Join(networks, " "), func(string) []string {
		var (
			prefixes []netip.Prefix
			known    = map[netip.Addr]bool{}
			out      []string
		)
		for _, text := range networks {
			if network, err := netip.ParsePrefix(text); err == nil {
				prefixes = append(prefixes, network)
			} else if ip, err := netip.ParseAddr(text); err == nil {
				known[ip] = true
			}
		}
		for _, ip := range o.nodes {
			if !known[ip] && !slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(ip) }) {
				known[ip] = true
				out = append(out, ip.String())
			}
		}
		return out
	})
}
