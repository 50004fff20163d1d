package node

import (
	"slices"
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

const (
	resolvConf         = "/etc/resolv.conf"
	resolvedDropin     = "/etc/systemd/resolved.conf.d/pigsty.conf"
	resolvedUnit       = "systemd-resolved.service"
	dhclientHook       = "/etc/dhcp/dhclient-enter-hooks.d/pigsty"
	networkManagerFile = "/etc/NetworkManager/conf.d/pigsty.conf"
)

// resolver tells the host which name servers to ask.
//
// The default server is the one on the admin node, which this version does not
// set up. Naming a server that does not answer slows down every look-up, or
// breaks it, so only servers that the inventory names by their address count,
// and without any the host's own configuration stays as it is.
func resolver(b *plan.Builder, h *module.Host) {
	p := module.Params[Params](h)
	if p.NodeDNSMethod == "none" || !written(h, "node_dns_servers") {
		return
	}
	servers := slices.DeleteFunc(slices.Clone(p.NodeDNSServers), func(v string) bool { return strings.Contains(v, "${admin_ip}") })
	if len(servers) == 0 {
		return
	}
	b = b.Tag("node_resolv").Early()
	if h.Facts.Resolved {
		b.Add(resource.NewFile(resolvedDropin, resolvedFile(p, servers)))
		b.Add(&resource.Unit{Name: resolvedUnit, Enabled: true, Running: true, RestartOn: []string{resolvedDropin}})
		return
	}
	b.Add(resource.NewFile(resolvConf, resolvFile(p, servers, h.Facts.DNS), resource.Keeping(module.Managed)))
	if p.NodeStaticNetwork {
		static(b.Tag("node_feature"), h)
	}
}

// static keeps DHCP clients from writing resolv.conf anew: NetworkManager on EL,
// dhclient on Debian.
func static(b *plan.Builder, h *module.Host) {
	if family(h) == "deb" {
		b.Add(resource.NewFile(dhclientHook, header+"make_resolv_conf() { :; }\n"))
		return
	}
	b.Add(
		resource.NewFile(networkManagerFile, header+"[main]\ndns=none\n"),
		&resource.Unit{Name: "NetworkManager.service", Enabled: true, Running: true, IfRunning: true, ReloadOn: []string{networkManagerFile}},
	)
}

// resolvedFile returns the settings that put servers before those of the
// network links, or in their place.
func resolvedFile(p *Params, servers []string) string {
	text := header + "[Resolve]\nDNS=" + strings.Join(servers, " ") + "\n"
	if p.NodeDNSMethod == "overwrite" {
		text += "Domains=~.\n" // these servers answer for every domain
	}
	return text
}

// resolvFile returns resolv.conf with servers, and after them up to three of
// those that the host asks now unless they are to be replaced.
func resolvFile(p *Params, servers, now []string) string {
	text := header
	for _, option := range p.NodeDNSOptions {
		text += option + "\n"
	}
	if p.NodeDNSMethod == "add" {
		kept := 0
		for _, v := range now {
			if kept < 3 && !slices.Contains(servers, v) {
				servers = append(slices.Clip(servers), v)
				kept++
			}
		}
	}
	for _, v := range servers {
		text += "nameserver " + v + "\n"
	}
	return text
}
