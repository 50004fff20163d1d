package pgsql

import (
	"fmt"
	"net/netip"

	"pigsty/internal/diag"
	"pigsty/internal/module"
	"pigsty/internal/module/node"
)

// checkVIPs checks that the virtual addresses of clusters are in the network of
// their members and that nobody else has them.
func checkVIPs(s *module.Site, clusters []*Cluster, l *diag.List) {
	owner := map[string]string{}
	for _, h := range s.Hosts() {
		owner[h.Name()] = "host " + h.Name()
	}
	for _, h := range s.Hosts() {
		if p := module.Params[node.Params](h); p.VipEnabled && p.VipAddress != "" && owner[p.VipAddress] == "" {
			owner[p.VipAddress] = "the nodes of " + node.Cluster(h)
		}
	}
	for _, c := range clusters {
		if !c.Params.PgVipEnabled {
			continue
		}
		m := c.first()
		at := m.At("pg_vip_address")
		if v, ok := m.Vars.Get("pg_vip_address"); ok {
			at = v.Value.Pos
		}
		ip, err := netip.ParseAddr(c.vip())
		if err != nil || ip.IsLoopback() || ip.IsUnspecified() {
			l.Fail(at, "missing-identity",
				"cluster "+c.Name+" has a virtual address (pg_vip_enabled), and pg_vip_address does not say which: "+m.Params.PgVipAddress,
				"write it like 10.10.10.2/24")
			continue
		}
		if other := owner[ip.String()]; other != "" {
			l.Fail(at, "address-taken",
				fmt.Sprintf("pg_vip_address %s of cluster %s is that of %s", ip, c.Name, other), "write an address that nobody has")
		} else {
			owner[ip.String()] = "cluster " + c.Name
		}
		prefix, err := netip.ParsePrefix(m.Params.PgVipAddress)
		if err != nil {
			continue // the network is that of the member's own address
		}
		for _, m := range c.Members {
			if own, err := netip.ParseAddr(m.Name()); err == nil && !prefix.Contains(own) {
				l.Warn(at, "outside-network",
					fmt.Sprintf("%s of cluster %s is not in the network of pg_vip_address, %s", m.Name(), c.Name, prefix.Masked()),
					"write an address of the members' network, with its prefix length")
				break
			}
		}
	}
}
