package pgsql

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"pigsty/internal/memo"
	"pigsty/internal/module"
	"pigsty/internal/module/etcd"
	"pigsty/internal/module/node"
	"pigsty/internal/resource"
	"pigsty/internal/resource/postgres"
	"pigsty/internal/secret"
)

// Cluster is the hosts of an inventory that share a pg_cluster, whatever groups
// they are in and whether or not a run covers them.
type Cluster struct {
	Name     string
	Members  []*Member    // in inventory order
	Primary  *Member      // who bootstraps; nil when the inventory names none
	Params   *Params      // of the primary, else of the first member
	Template confTemplate // what pg_conf names
	Source   *Cluster     // the cluster that this one stands by for, if the inventory has it
	Shards   []*Member    // of a Citus cluster: the members of all its parts

	Etcd  []string     // client endpoints, host:port, sorted
	etcds string       // the name that certificates of all etcd members have
	root  secret.Value // etcd's password of root
	Admin string       // address of the admin node
	Infra []string     // addresses of the infrastructure nodes, sorted

	candidates   func() []any                    // what selectors see, see service.go
	serviceFiles memo.Table[serviceText, []byte] // HAProxy's
}

// Member is one instance of a cluster.
type Member struct {
	*module.Host
	Params  *Params
	Cluster *Cluster

	hbaRules func() []string // the lines of pg_hba.conf, made once
}

// Clusters returns the clusters of s in inventory order.
func Clusters(s *module.Site) []*Cluster { return module.Derive(s, findClusters) }

func findClusters(s *module.Site) []*Cluster {
	var (
		out    []*Cluster
		byName = map[string]*Cluster{}
		infra  = names(s.Group("infra"))
		etcds  = endpoints(s)
		shared = etcd.Name(s)
		root   = etcd.RootPassword(s)
	)
	for _, h := range s.Hosts() {
		p := module.Params[Params](h)
		if p.PgCluster == "" {
			continue
		}
		c := byName[p.PgCluster]
		if c == nil {
			c = &Cluster{Name: p.PgCluster, Params: p, Etcd: etcds, etcds: shared, root: root, Admin: s.AdminIP(), Infra: infra}
			c.candidates = sync.OnceValue(c.selectable)
			byName[c.Name] = c
			out = append(out, c)
		}
		m := &Member{Host: h, Params: p, Cluster: c}
		m.hbaRules = sync.OnceValue(m.serverRules)
		c.Members = append(c.Members, m)
		if p.PgRole == "primary" && c.Primary == nil {
			c.Primary, c.Params = m, p
		}
	}
	relate(out)
	for _, c := range out {
		c.Template, _ = readTemplate(s, c.Params.PgConf) // checkTemplate says what is wrong with it
	}
	return out
}

// standby reports whether the inventory makes the whole cluster follow another.
func (c *Cluster) standby() bool { return c.Primary != nil && c.Primary.Params.PgUpstream != "" }

// sources returns the clusters of the inventory that c stands by for, the one
// that it copies first.
func (c *Cluster) sources() []*Cluster {
	var out []*Cluster
	for at := c; at.standby() && at.Source != nil && at.Source != c && !slices.Contains(out, at.Source); at = at.Source {
		out = append(out, at.Source)
	}
	return out
}

// names returns the names of hosts, sorted.
func names(hosts []*module.Host) []string {
	out := make([]string, len(hosts))
	for i, h := range hosts {
		out[i] = h.Name()
	}
	slices.Sort(out)
	return out
}

// endpoints returns the addresses at which etcd serves clients, as host:port.
func endpoints(s *module.Site) []string {
	var out []string
	for _, url := range etcd.Endpoints(s) {
		out = append(out, strings.TrimPrefix(url, "https://"))
	}
	slices.Sort(out)
	return out
}

// covering calls do with every cluster that has members among hosts, and those
// members, in inventory order.
func covering(s *module.Site, hosts []*module.Host, do func(c *Cluster, covered []*Member)) {
	among := make(map[*module.Host]bool, len(hosts))
	for _, h := range hosts {
		among[h] = true
	}
	for _, c := range Clusters(s) {
		var covered []*Member
		for _, m := range c.Members {
			if among[m.Host] {
				covered = append(covered, m)
			}
		}
		if len(covered) > 0 {
			do(c, covered)
		}
	}
}

// first returns the member to ask first when a step belongs to the cluster: the
// one that bootstrapped it.
func (c *Cluster) first() *Member {
	if c.Primary != nil {
		return c.Primary
	}
	return c.Members[0]
}

// addresses returns the members' addresses in inventory order.
func (c *Cluster) addresses() []string {
	out := make([]string, len(c.Members))
	for i, m := range c.Members {
		out[i] = m.Name()
	}
	return out
}

// at returns the member whose address is ip, nil if there is none.
func (c *Cluster) at(ip string) *Member {
	for _, m := range c.Members {
		if m.Name() == ip {
			return m
		}
	}
	return nil
}

// syncCandidates returns how many members beside the leader may confirm commits.
func (c *Cluster) syncCandidates() int {
	n := -1
	for _, m := range c.Members {
		if m.promotable() {
			n++
		}
	}
	return n
}

// Instance returns the member's name in Patroni, monitoring and services.
func (m *Member) Instance() string {
	return fmt.Sprintf("%s-%d", m.Cluster.Name, orZero(m.Params.PgSeq))
}

// primary reports whether m bootstraps the cluster.
func (m *Member) primary() bool { return m == m.Cluster.Primary }

// promotable reports whether m may become the leader. An offline member serves
// analysts who would be in the way, a delayed one is behind on purpose.
func (m *Member) promotable() bool {
	return m.Params.PgRole != "offline" && m.Params.PgRole != "delayed"
}

// server is how the agent on m reaches its PostgreSQL.
func (m *Member) server() postgres.Server {
	return postgres.Server{Socket: m.Params.PgLocalhost, Port: m.Params.PgPort, User: m.Params.PgDbsu}
}

// owner is who owns the files of PostgreSQL on m.
func (m *Member) owner() resource.Owner {
	return resource.Owner{User: m.Params.PgDbsu, Group: dbsuGroup}
}

// node returns the parameters of the host that m is on.
func (m *Member) node() *node.Params { return module.Params[node.Params](m.Host) }

// capacity returns what m's host has to offer.
func (m *Member) capacity() capacity { return capacityOf(m.Host, m.Params, m.node().NodeData) }

// vip returns the cluster's virtual address, "" if it has none.
func (c *Cluster) vip() string {
	if !c.Params.PgVipEnabled {
		return ""
	}
	ip, _, _ := strings.Cut(c.Params.PgVipAddress, "/")
	if _, err := netip.ParseAddr(ip); err != nil {
		return ""
	}
	return ip
}

// listen returns the addresses that PostgreSQL and PgBouncer listen on.
func (m *Member) listen() []string {
	var out []string
	for part := range strings.SplitSeq(m.Params.PgListen, ",") {
		part = strings.TrimSpace(part)
		switch part {
		case "${ip}":
			part = m.Name()
		case "${lo}":
			part = "127.0.0.1"
		case "${vip}":
			part = m.Cluster.vip()
		}
		if part != "" && !slices.Contains(out, part) {
			out = append(out, part)
		}
	}
	return out
}

// scope returns what access rules are expanded for on m.
func (m *Member) scope(pooler bool) hbaScope {
	p := m.Params
	members := m.Cluster.addresses()
	slices.Sort(members)
	return hbaScope{
		Pooler: pooler, Role: p.PgRole, OfflineQuery: p.PgOfflineQuery, MD5: p.PgPwdEnc == "md5",
		Admin: m.Cluster.Admin, Infra: m.Cluster.Infra, Members: members, Intranet: m.node().NodeFirewallIntranet,
		Users: map[string]string{
			"dbsu": p.PgDbsu, "repl": p.PgReplicationUsername, "monitor": p.PgMonitorUsername, "admin": p.PgAdminUsername,
		},
	}
}

// systemUsers returns the users that every cluster has.
func (p *Params) systemUsers() []string {
	return []string{p.PgDbsu, p.PgReplicationUsername, p.PgAdminUsername, p.PgMonitorUsername}
}
