package infra

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/module/node"
)

// open reports whether endpoint is a tool of an infra node that asks nobody for
// a password.
func (i *instance) open(endpoint string) bool {
	return i.leads(endpoint, func(other *instance) []int {
		return []int{other.VmetricsPort, other.VlogsPort, other.VtracesPort, other.VmalertPort,
			other.AlertmanagerPort, other.BlackboxPort, other.NginxExporterPort}
	})
}

// leads reports whether endpoint is one of some ports of an infra node, by
// whichever of its addresses and names.
func (i *instance) leads(endpoint string, ports func(*instance) []int) bool {
	host, port, err := net.SplitHostPort(endpoint)
	n, _ := strconv.Atoi(port)
	if err != nil {
		return false
	}
	addresses := i.lookup(host)
	for _, other := range instances(i.site) {
		if slices.Contains(ports(other), n) && slices.ContainsFunc(addresses, other.isAt) {
			return true
		}
	}
	return false
}

// lookup returns host itself and the addresses that the inventory has for it by
// that name, which nginx looks up when it starts.
func (i *instance) lookup(host string) []string {
	out := []string{host}
	if _, err := netip.ParseAddr(host); err == nil {
		return out
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") || strings.HasPrefix(host, "localhost.") || strings.HasPrefix(host, "ip6-l") {
		out = append(out, "127.0.0.1")
	}
	add := func(ip string, names ...string) {
		if slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, host) }) {
			out = append(out, ip)
		}
	}
	for _, lines := range i.records() {
		for _, line := range lines {
			words := strings.Fields(line)
			add(words[0], words[1:]...)
		}
	}
	p := module.Params[node.Params](i.Host)
	for _, record := range slices.Concat(p.NodeDefaultEtcHosts, p.NodeEtcHosts) {
		if words := strings.Fields(i.expand(record)); len(words) > 0 {
			add(words[0], words[1:]...)
		}
	}
	for _, other := range instances(i.site) { // what they call themselves, and the first label of it
		for _, name := range []string{node.Name(other.Host), other.Facts.Hostname} {
			short, _, _ := strings.Cut(name, ".")
			add(other.ip(), name, short)
		}
	}
	return out
}

// isAt reports whether address is one of the node's, or of whichever node asks
// for it.
func (i *instance) isAt(address string) bool {
	if p := module.Params[node.Params](i.Host); address == i.ip() || p.VipEnabled && address == p.VipAddress {
		return true
	}
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	if ip = ip.Unmap(); ip.IsLoopback() || ip.IsUnspecified() || ip.String() == i.ip() {
		return true
	}
	for prefix := range i.Facts.Addresses {
		if own, err := netip.ParsePrefix(prefix); err == nil && own.Addr() == ip {
			return true
		}
	}
	return false
}
