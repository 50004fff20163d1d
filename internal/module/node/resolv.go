package node

import (
	"cmp"
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
// Naming a server that does not answer slows down every look-up, or breaks it. So
// the default, the admin node, counts only where the inventory writes it and the
// admin node serves names, and without any server the host's own configuration
// stays as it is.
func resolver(b *plan.Builder, s *module.Site, h *module.Host) {
	p := module.Params[Params](h)
	if p.NodeDNSMethod == "none" || !written(h, "node_dns_servers") {
		return
	}
	servers, ready := nameServers(s, h)
	if len(servers) == 0 {
		return
	}
	b = b.Tag("node_resolv")
	if ready == "" {
		b = b.Early()
	} else {
		b = b.After(ready)
	}
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

// nameServers returns the servers of node_dns_servers, and the ID of the step
// after which the one on the admin node answers, if it is among them.
func nameServers(s *module.Site, h *module.Host) (servers []string, ready string) {
	admin := s.Host(s.AdminIP())
	serves := admin != nil && variable(admin, "infra_seq") != "" && on(admin, "dns_enabled", true) &&
		cmp.Or(variable(admin, "dns_port"), "53") == "53"
	for _, v := range module.Params[Params](h).NodeDNSServers {
		if strings.Contains(v, "${admin_ip}") {
			// dnsmasq there asks systemd-resolved, which must not ask dnsmasq.
			if !serves || h == admin && h.Facts.Resolved {
				continue
			}
			ready = plan.ID(admin.Name(), "unit dnsmasq.service")
		}
		servers = append(servers, expand(s, v))
	}
	return servers, ready
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
