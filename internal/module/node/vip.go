package node

import (
	"cmp"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// vipFiles matches the files of virtual addresses of nodes in KeepalivedDir.
const vipFiles = "node-*.conf"

// virtualAddress adds the node's part in the virtual address of its cluster.
//
// All start as backups, since keepalived heeds nopreempt only there. A node
// whose HAProxy does not answer is at fault and gives the address away, whatever
// its priority.
func virtualAddress(b *plan.Builder, s *module.Site, h *module.Host) {
	p := module.Params[Params](h)
	b = b.Tag("node_vip")
	if !p.VipEnabled || p.VipAddress == "" || p.VipVrid == nil {
		noVirtualAddress(b, h)
		return
	}
	config := b.Tag("vip_config", "vip_refresh")
	peers := vipPeers(s, h)
	name := "node-" + Cluster(h)
	file := KeepalivedDir + "/" + name + ".conf"
	check := b.Tag("vip_check")
	free := check.Add(&resource.AddressFree{Address: p.VipAddress, Peers: peers, Unless: file, For: "vip_address"})
	own, _ := Interface(h)
	dev := p.VipInterface
	if dev == "" || dev == "auto" {
		dev = cmp.Or(own, "eth0") // of a host that was never seen
	}
	alone := check.Add(&resource.RouterFree{Address: p.VipAddress, Interface: dev, ID: *p.VipVrid, Members: append([]string{h.Name()}, peers...), Unless: file,
		Advice: "choose another vip_vrid", InterfaceOf: "vip_interface"})
	priority := 100
	if p.VipRole == "master" {
		priority = 128
	}
	password := p.VipAuthPass.Reveal()
	config.After(free, alone).Add(resource.NewFile(file, render("keepalived.conf.tmpl", map[string]any{
		"Name": name, "Interface": dev, "Router": *p.VipVrid, "Priority": priority, "Preempt": p.VipPreempt,
		"Own": h.Name(), "Peers": peers, "Address": p.VipAddress,
		"HAProxy": p.HaproxyEnabled, "Port": p.HaproxyExporterPort,
		"Password": password[:min(len(password), 8)], // all that keepalived heeds
	}), resource.Mode(0o600), resource.Masking("auth_pass")))
	config.Add(&resource.Prune{Dir: KeepalivedDir, Glob: vipFiles, Header: module.Managed, Keep: []string{name + ".conf"}})
	if p.HaproxyEnabled && family(h) == "deb" { // EL has curl, or curl-minimal in its place
		b.Add(&resource.Packages{Items: []resource.PackageItem{{Name: "curl", For: "vip_enabled"}}})
	}
	Keepalived(b.Tag("vip_launch", "vip_reload"), "vip_enabled")
}

// vipPeers returns the other nodes that share the address of h.
func vipPeers(s *module.Site, h *module.Host) []string {
	var out []string
	for _, other := range module.Derive(s, findSharers)[module.Params[Params](h).VipAddress] {
		if other != h {
			out = append(out, other.Name())
		}
	}
	return out
}

// sharers are the nodes that share a virtual address, by that.
type sharers map[string][]*module.Host

func findSharers(s *module.Site) sharers {
	out := sharers{}
	for _, h := range s.Hosts() {
		if p := module.Params[Params](h); p.VipEnabled {
			out[p.VipAddress] = append(out[p.VipAddress], h)
		}
	}
	return out
}

// noVirtualAddress takes the node's address from keepalived, and gives keepalived
// back too unless PostgreSQL has an address there. It is looked for on every
// host, since a run that was to set it up may have been cut off.
func noVirtualAddress(b *plan.Builder, h *module.Host) {
	b.Tag("vip_config").Add(&resource.Prune{Dir: KeepalivedDir, Glob: vipFiles, Header: module.Managed})
	if !on(h, "pg_vip_enabled", false) {
		b.Tag("vip_launch").Add(HandBackKeepalived("keepalived"))
	}
}
