package pgsql

import (
	"fmt"
	"hash/crc32"
	"net/netip"
	"slices"
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/module/node"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

const (
	vipManagerUnit = "vip-manager.service"
	vipManagerFile = "/etc/default/vip-manager.yml"
)

// vipHeader is the first line of keepalived's file for a cluster.
func vipHeader(cluster string) string { return "# pigsty: virtual address of cluster " + cluster }

// addVIP keeps the cluster's virtual address where its leader is. There are two
// ways: vip-manager, which watches the leader's key in etcd, on clusters whose
// pg_packages name it; else keepalived, which asks the Patroni beside it, or
// where there is none the server. The vip-manager of Debian and Ubuntu themselves is too old for etcd's v3 API.
func (m *Member) addVIP(b *plan.Builder, s *module.Site) {
	b = b.Tag("pg_vip")
	m.addForeign(b)
	manager := m.Cluster.vip() != "" && m.Cluster.managed() && m.Cluster.vipManager()
	switch {
	case manager:
		m.addVIPManager(b)
	case m.Cluster.vip() != "":
		m.addKeepalived(b, s)
	}
	if !manager {
		m.removeVIPManager(b)
	}
	if m.Cluster.vip() == "" || manager {
		m.removeKeepalived(b, "keepalived")
	}
}

// removeVIP takes the cluster's address from m's host.
func (m *Member) removeVIP(b *plan.Builder) {
	b = b.Tag("pg_vip")
	b.Add(&resource.Absent{Path: foreignFile})
	m.removeVIPManager(b)
	m.removeKeepalived(b)
}

// foreignFile lets the kernel, from boot on, bind addresses that the host does
// not have.
const foreignFile = "/etc/sysctl.d/pgsql-vip.conf"

// foreignBind is the kernel parameter that does so now, by the version of IP.
var foreignBind = map[bool]string{false: "net.ipv4.ip_nonlocal_bind", true: "net.ipv6.ip_nonlocal_bind"}

// foreignKeys are the keys of the resources that set it.
var foreignKeys = []string{"sysctl " + foreignBind[false], "sysctl " + foreignBind[true]}

// addForeign lets m's servers, where pg_listen says so, listen on the virtual
// address before m leads and holds it: they bind it once, when they start.
func (m *Member) addForeign(b *plan.Builder) {
	vip, err := netip.ParseAddr(m.Cluster.vip())
	if err != nil || !slices.Contains(m.listen(), vip.String()) {
		b.Add(&resource.Absent{Path: foreignFile, Reason: "pg_listen has no virtual address"})
		return
	}
	bind := &resource.Sysctl{Name: foreignBind[vip.Is6()], Value: "1"}
	b.Add(bind, resource.NewFile(foreignFile, managed+"\n"+bind.Name+" = "+bind.Value+"\n"))
}

// vipManager reports whether every member gets the package vip-manager.
func (c *Cluster) vipManager() bool {
	for _, m := range c.Members {
		items := expandPackages(m.Facts, m.packages(), version(m.Params), "")
		if !slices.ContainsFunc(items, func(i resource.PackageItem) bool { return i.Name == "vip-manager" }) {
			return false
		}
	}
	return true
}

// vipPrefix returns the virtual address with its prefix length: that of the
// inventory, else that of the member's own network.
func (m *Member) vipPrefix() string {
	if strings.Contains(m.Params.PgVipAddress, "/") {
		return m.Params.PgVipAddress
	}
	if _, bits := node.Interface(m.Host); bits > 0 {
		return fmt.Sprintf("%s/%d", m.Cluster.vip(), bits)
	}
	return m.Cluster.vip() + "/24"
}

// vipInterface returns the network interface for the virtual address.
func (m *Member) vipInterface() string {
	if name := m.Params.PgVipInterface; name != "" && name != "auto" {
		return name
	}
	name, _ := node.Interface(m.Host)
	return orElse(name, "eth0") // of a host that was never seen
}

// addKeepalived adds m's part in a virtual address that keepalived holds: a
// member whose Patroni does not lead is at fault and never takes it, so that the
// address follows the leader and priorities do not matter.
func (m *Member) addKeepalived(b *plan.Builder, s *module.Site) {
	var peers []string
	for _, other := range m.Cluster.Members {
		if other != m {
			peers = append(peers, other.Name())
		}
	}
	check := fmt.Sprintf("/usr/bin/curl --silent --fail --output /dev/null --max-time 2 %s/leader", m.api().URL)
	if m.Params.PatroniSSLEnabled {
		check += " --cacert " + certDir + "/ca.crt"
	}
	switch {
	case m.Cluster.managed():
	case !m.Cluster.standby():
		check = "/pg/bin/pg-role primary"
	case m == m.Cluster.Primary: // all of a standby cluster's servers are replicas
		check = "/pg/bin/pg-role replica"
	default:
		check = "/bin/false"
	}
	b.Tag("pg_vip_config").Add(&resource.Packages{Items: []resource.PackageItem{{Name: "curl", For: "pg_vip_enabled"}}})
	m.onlyRouter(b.Tag("pg_vip_config"), s, peers).Add(
		resource.NewFile(m.keepalivedFile(), render("keepalived.conf.tmpl", map[string]any{
			"Header": vipHeader(m.Cluster.Name), "Managed": managed, "Name": "pgsql-" + m.Cluster.Name,
			"Check": check, "User": m.Params.PgDbsu, "Group": dbsuGroup, "Interface": m.vipInterface(),
			"Router": m.Cluster.routerID(s), "Own": m.Name(), "Peers": peers, "Address": m.vipPrefix(),
		})),
	)
	node.Keepalived(b.Tag("pg_vip_launch"), "pg_vip_enabled")
}

// onlyRouter returns b for what comes after the look for somebody else with the
// number of a member that speaks to the whole network, having no peers.
func (m *Member) onlyRouter(b *plan.Builder, s *module.Site, peers []string) *plan.Builder {
	if len(peers) > 0 {
		return b
	}
	id := m.Cluster.routerID(s)
	return b.After(b.Add(&resource.RouterFree{
		Address: m.Cluster.vip(), Interface: m.vipInterface(), ID: id, Members: []string{m.Name()}, Unless: m.keepalivedFile(),
		Advice:      fmt.Sprintf("write vip_vrid: %d for a node whose vip_enabled is off, and the cluster gets another number", id),
		InterfaceOf: "pg_vip_interface",
	}))
}

func (m *Member) keepalivedFile() string {
	return node.KeepalivedDir + "/pgsql-" + m.Cluster.Name + ".conf"
}

// routerIDs are the virtual router ids of the clusters' addresses.
type routerIDs map[*Cluster]int

// routerID returns the id of c's address. It follows from the cluster's name, so
// that it hardly ever changes, and passes over the ids of other clusters and of
// nodes' own addresses. Members tell each other by unicast; one that is alone
// in its cluster has nobody to tell, and speaks to the whole network.
func (c *Cluster) routerID(s *module.Site) int {
	return module.Derive(s, func(s *module.Site) routerIDs {
		taken := map[int]bool{}
		for _, h := range s.Hosts() {
			if id := module.Params[node.Params](h).VipVrid; id != nil {
				taken[*id] = true
			}
		}
		clusters := slices.Clone(Clusters(s))
		slices.SortFunc(clusters, func(a, b *Cluster) int { return strings.Compare(a.Name, b.Name) })
		ids := routerIDs{}
		for _, c := range clusters {
			id := int(crc32.ChecksumIEEE([]byte(c.Name))%maxRouterID) + 1
			for tries := 1; taken[id] && tries < maxRouterID; tries++ {
				id = id%maxRouterID + 1
			}
			taken[id], ids[c] = true, id
		}
		return ids
	})[c]
}

// maxRouterID is the highest id that vip_vrid takes.
const maxRouterID = 254

// removeKeepalived takes the cluster's address from keepalived on m's host, and
// gives keepalived back too unless the node has an address of its own. Packages
// go with it.
func (m *Member) removeKeepalived(b *plan.Builder, packages ...string) {
	b.Tag("pg_vip_config").Add(&resource.Prune{Dir: node.KeepalivedDir, Glob: "pgsql-" + m.Cluster.Name + ".conf", Header: vipHeader(m.Cluster.Name)})
	launch := b.Tag("pg_vip_launch")
	if m.node().VipEnabled {
		node.Keepalived(launch, "vip_enabled")
		return
	}
	launch.Add(node.HandBackKeepalived(packages...))
}

// addVIPManager adds vip-manager, which puts the address where etcd says that
// the leader is.
func (m *Member) addVIPManager(b *plan.Builder) {
	address := netip.MustParsePrefix(m.vipPrefix())
	var y mapping
	y.set("interval", 1000)
	y.set("trigger-key", m.ownPrefix()+"leader")
	y.set("trigger-value", m.Instance())
	y.set("ip", address.Addr().String())
	y.set("netmask", address.Bits())
	y.set("interface", m.vipInterface())
	y.set("hosting-type", "basic")
	y.set("dcs-type", "etcd")
	var endpoints []string
	for _, e := range m.Cluster.Etcd {
		endpoints = append(endpoints, "https://"+e)
	}
	y.set("dcs-endpoints", endpoints)
	y.set("etcd-user", m.scopeName())
	y.set("etcd-password", m.etcdPassword().Reveal())
	y.set("etcd-ca-file", certDir+"/ca.crt")
	y.set("etcd-cert-file", certDir+"/server.crt")
	y.set("etcd-key-file", certDir+"/server.key")
	y.set("retry-num", 2)
	y.set("retry-after", 250)
	y.set("verbose", false)
	var text strings.Builder
	text.WriteString(managed + "\n")
	y.emit(&text, 0)
	b.Tag("pg_vip_config").Add(
		resource.NewFile(vipManagerFile, text.String(), resource.Mode(0o600), resource.Masking("etcd-password:")),
		resource.NewFile("/etc/systemd/system/"+vipManagerUnit, render("vip-manager.service.tmpl", map[string]any{
			"Header": managed, "Config": vipManagerFile, "Instance": m.Instance(),
		})),
	)
	b.Tag("pg_vip_launch").After(m.readyID()).Add(&resource.Unit{
		Name: vipManagerUnit, Enabled: true, Running: true,
		RestartOn: []string{vipManagerFile, "/etc/systemd/system/" + vipManagerUnit},
		Check:     []string{"sh", "-c", tooOld},
	})
}

// tooOld is a command that fails for a vip-manager before version 2.
const tooOld = `vip-manager --help 2>&1 | grep -q trigger-key || {
echo "this vip-manager is older than 2 and does not speak etcd's v3 API: take it out of pg_packages, and keepalived holds the address" >&2
exit 1; }`

// removeVIPManager takes vip-manager away, and with it the address.
func (m *Member) removeVIPManager(b *plan.Builder) {
	if !slices.Contains(m.Facts.Units, vipManagerUnit) {
		return
	}
	gone := b.Tag("pg_vip_launch").Add(&resource.UnitAbsent{Name: vipManagerUnit})
	b.Tag("pg_vip_config").After(gone).Add(
		&resource.Absent{Path: vipManagerFile}, &resource.Absent{Path: "/etc/systemd/system/" + vipManagerUnit})
}
