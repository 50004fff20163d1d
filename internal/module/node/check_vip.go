package node

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"pigsty/internal/diag"
	"pigsty/internal/module"
)

// vip is the virtual address that the nodes of a cluster share.
type vip struct {
	cluster string
	first   *module.Host // who says what the others must agree on
	params  *Params
	master  *module.Host
}

// checkVIPs checks that the nodes of each cluster agree on their virtual
// address, and that no two clusters get in each other's way.
func checkVIPs(s *module.Site, l *diag.List) {
	byCluster := map[string]*vip{}
	var all []*vip
	for _, h := range s.Hosts() {
		p := module.Params[Params](h)
		if !p.VipEnabled || !complete(h, p, l) {
			continue
		}
		v := byCluster[Cluster(h)]
		if v == nil {
			v = &vip{cluster: Cluster(h), first: h, params: p}
			byCluster[v.cluster] = v
			all = append(all, v)
		}
		v.join(h, p, l)
	}
	byAddress := map[string]*vip{}
	byNumber := map[string]*vip{}
	for _, v := range all {
		if s.Host(v.params.VipAddress) != nil {
			l.Fail(v.at("vip_address"), "address-taken",
				"vip_address "+v.params.VipAddress+" of "+v.cluster+" is that of a host", "write an address that nobody has")
		}
		if other := byAddress[v.params.VipAddress]; other != nil {
			l.Fail(v.at("vip_address"), "address-taken",
				fmt.Sprintf("clusters %s and %s have the same vip_address %s", other.cluster, v.cluster, v.params.VipAddress),
				"give one of them another address; nodes that share one need the same node_cluster")
		}
		byAddress[v.params.VipAddress] = v
		// Where networks end is not known here; addresses that share 24 bits are in one.
		key := fmt.Sprintf("%s/%d", network(v.params.VipAddress), *v.params.VipVrid)
		if other := byNumber[key]; other != nil {
			l.Fail(v.at("vip_vrid"), "duplicate-vrid",
				fmt.Sprintf("clusters %s and %s have the same vip_vrid %d in one network", other.cluster, v.cluster, *v.params.VipVrid),
				"give one of them another number from 1 to 254")
		}
		byNumber[key] = v
	}
}

// complete reports whether h has what a virtual address needs.
func complete(h *module.Host, p *Params, l *diag.List) bool {
	require := func(name string) {
		if !written(h, name) { // what cannot be read is reported as such
			l.Fail(h.At("vip_enabled"), "missing-identity",
				h.Name()+" shares a virtual address (vip_enabled) and has no "+name, "write "+name+" for its cluster")
		}
	}
	if p.VipAddress == "" {
		require("vip_address")
	}
	if p.VipVrid == nil {
		require("vip_vrid")
	}
	return p.VipAddress != "" && p.VipVrid != nil
}

// join checks that h fits what the first node of its cluster says.
func (v *vip) join(h *module.Host, p *Params, l *diag.List) {
	differ := func(name string, same bool) {
		if !same {
			l.Fail(h.At(name), "cluster-mismatch",
				fmt.Sprintf("%s of %s differs from that of %s: nodes of cluster %s share one", name, h.Name(), v.first.Name(), v.cluster),
				"set it for the whole cluster; nodes of another one need another node_cluster")
		}
	}
	differ("vip_address", p.VipAddress == v.params.VipAddress)
	differ("vip_vrid", *p.VipVrid == *v.params.VipVrid)
	if p.VipRole != "master" {
		return
	}
	if v.master != nil {
		l.Warn(h.At("vip_role"), "several-masters",
			fmt.Sprintf("%s and %s are both master of the virtual address of %s", v.master.Name(), h.Name(), v.cluster), "leave one of them master")
	}
	v.master = h
}

// at returns where the value of a parameter is written.
func (v *vip) at(name string) diag.Pos {
	written, _ := v.first.Vars.Get(name)
	return cmp.Or(written.Value.Pos, v.first.Pos())
}

// network returns the first 24 bits of an IPv4 address, the first 64 of others.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return strings.TrimSpace(address)
	}
	bits := 64
	if ip.Is4() {
		bits = 24
	}
	return netip.PrefixFrom(ip, bits).Masked().String()
}
