package node

import (
	"net/netip"
	"slices"

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
		f.Networks, f.NetworksOf = trusted(s, h), "node_firewall_intranet"
		f.Ports, f.PortsOf = p.NodeFirewallPublicPort, "node_firewall_public_port"
	}
	b.Tag("node_firewall").Add(f)
}

// trusted returns the networks of node_firewall_intranet, and the nodes of the
// inventory that lie in none of them: a firewall between the members of a
// cluster breaks it.
func trusted(s *module.Site, h *module.Host) []string {
	list := slices.Clone(module.Params[Params](h).NodeFirewallIntranet)
	within := func(ip netip.Addr) bool {
		return slices.ContainsFunc(list, func(text string) bool {
			network, err := netip.ParsePrefix(text)
			return err == nil && network.Contains(ip) || text == ip.String()
		})
	}
	for _, other := range s.Hosts() {
		if ip, err := netip.ParseAddr(other.Name()); err == nil && other != h && !within(ip) {
			list = append(list, ip.String())
		}
	}
	return list
}
