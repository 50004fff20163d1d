package pgsql

import (
	"net"
	"net/netip"
	"slices"

	"pigsty/internal/module/node"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// etcdMarker ends the lines of /etc/hosts by which Patroni finds etcd.
const etcdMarker = "# pigsty etcd"

// etcdHosts are the addresses of etcd in Patroni's configuration. Patroni takes
// them up when it starts and never again; which members there are it asks them
// every ten times its ttl, and when one answers in place of another that fails.
// One that knew a single member would find none of those that joined since if
// that one went before it asked. The last address is therefore a name that
// /etc/hosts leads to all members: when every address fails, Patroni resolves
// them anew and asks once more.
func (m *Member) etcdHosts() []string {
	if len(m.etcdLines().Lines) == 0 {
		return m.Cluster.Etcd
	}
	_, port, _ := net.SplitHostPort(m.Cluster.Etcd[0])
	return append(slices.Clip(m.Cluster.Etcd), net.JoinHostPort(m.Cluster.etcds, port))
}

// etcdLines are the lines of /etc/hosts for that name, none where the inventory
// does not want records there.
func (m *Member) etcdLines() *resource.Lines {
	l := &resource.Lines{Path: "/etc/hosts", Marker: etcdMarker}
	if !m.node().NodeWriteEtcHosts {
		return l
	}
	for _, at := range m.Cluster.Etcd {
		host, _, _ := net.SplitHostPort(at)
		if _, err := netip.ParseAddr(host); err == nil {
			l.Lines = append(l.Lines, host+" "+m.Cluster.etcds)
		}
	}
	return l
}

// addEtcdName has that name lead to the members that there are now.
func (m *Member) addEtcdName(b *plan.Builder) {
	b.After(b.ID(node.HostsKey)).Add(m.etcdLines()) // one at a time changes a file
}

// removeEtcdName takes the name away.
func (m *Member) removeEtcdName(b *plan.Builder) {
	b.Add(&resource.Lines{Path: "/etc/hosts", Marker: etcdMarker})
}
