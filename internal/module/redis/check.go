package redis

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"pigsty/internal/diag"
	"pigsty/internal/module"
)

// A native cluster needs three masters to elect one, and listens for its own
// traffic on a port that is so much higher.
const (
	leastMasters = 3
	busOffset    = 10000
	mostPort     = 65535
)

// cluster is the nodes that share a redis_cluster.
type cluster struct {
	name  string
	nodes []node
}

// node is one host of a cluster, with one instance or more.
type node struct {
	*module.Host
	*Params
}

// clusters returns the clusters of s in inventory order.
func clusters(s *module.Site) []*cluster {
	var out []*cluster
	byName := map[string]*cluster{}
	for _, h := range s.Hosts() {
		p := module.Params[Params](h)
		if p.RedisCluster == "" {
			continue
		}
		c := byName[p.RedisCluster]
		if c == nil {
			c = &cluster{name: p.RedisCluster}
			byName[c.name] = c
			out = append(out, c)
		}
		c.nodes = append(c.nodes, node{h, p})
	}
	return out
}

// ports of n's instances, sorted.
func (n node) ports() []int {
	var out []int
	for port := range n.RedisInstances {
		out = append(out, port)
	}
	slices.Sort(out)
	return out
}

// instances returns how many instances c has.
func (c *cluster) instances() int {
	total := 0
	for _, n := range c.nodes {
		total += len(n.RedisInstances)
	}
	return total
}

// Check finds nodes and instances that cannot be told apart, and what does not
// fit the mode of a cluster.
func Check(s *module.Site) diag.List {
	var l diag.List
	all := clusters(s)
	for _, c := range all {
		c.checkIdentity(&l)
		switch c.nodes[0].RedisMode {
		case "cluster":
			c.checkNative(&l)
		case "sentinel":
			c.checkSentinels(s, &l)
		}
	}
	checkReplicas(s, all, &l)
	return l
}

// checkIdentity checks numbers and what all nodes must agree on.
func (c *cluster) checkIdentity(l *diag.List) {
	numbers := map[int]node{}
	for _, n := range c.nodes {
		require := func(name, advice string) {
			if _, written := n.Vars.Get(name); !written { // what cannot be read is reported as such
				l.Fail(n.Pos(), "missing-identity",
					fmt.Sprintf("%s is a node of the Redis cluster %s and has no %s", n.Host.Name(), c.name, name), advice)
			}
		}
		if len(n.RedisInstances) == 0 {
			require("redis_instances", "list its ports, as in { 6379: {} }")
		}
		if n.RedisNode == nil {
			require("redis_node", "number the nodes from 1")
		} else {
			if other, taken := numbers[*n.RedisNode]; taken {
				l.Fail(n.At("redis_node"), "duplicate-identity",
					fmt.Sprintf("hosts %s and %s of %s have the same redis_node %d", other.Host.Name(), n.Host.Name(), c.name, *n.RedisNode),
					"give one of them another number")
			}
			numbers[*n.RedisNode] = n
		}
		if strings.TrimRight(n.RedisFsMain, "/") == "/data" {
			l.Fail(n.At("redis_fs_main"), "reserved-name",
				"redis_fs_main is /data, which belongs to all modules", "write a directory below it, such as /data/redis")
		}
		differ := func(name string, same bool) {
			if !same {
				l.Fail(n.At(name), "cluster-mismatch",
					fmt.Sprintf("%s of %s differs from that of %s: nodes of one Redis cluster share it", name, n.Host.Name(), c.nodes[0].Host.Name()),
					"set it for the whole cluster")
			}
		}
		differ("redis_mode", n.RedisMode == c.nodes[0].RedisMode)
		differ("redis_type", n.RedisType == c.nodes[0].RedisType)
		differ("redis_password", n.RedisPassword == c.nodes[0].RedisPassword)
	}
}

// checkNative checks that a native cluster has masters enough and ports for
// what its nodes tell each other.
func (c *cluster) checkNative(l *diag.List) {
	first := c.nodes[0]
	total, each := c.instances(), 1+first.RedisClusterReplicas
	if total > 0 && total/each < leastMasters {
		l.Fail(first.At("redis_mode"), "few-masters",
			fmt.Sprintf("the %d instances of %s make %d masters (redis_cluster_replicas %d), and a native cluster needs %d",
				total, c.name, total/each, first.RedisClusterReplicas, leastMasters),
			fmt.Sprintf("have %d instances, or fewer redis_cluster_replicas", leastMasters*each))
	}
	for _, n := range c.nodes {
		for _, port := range n.ports() {
			if port+busOffset > mostPort {
				l.Fail(n.At("redis_instances"), "out-of-range",
					fmt.Sprintf("port %d of %s leaves no room for the cluster's own port, %d", port, n.Host.Name(), port+busOffset),
					fmt.Sprintf("use ports up to %d", mostPort-busOffset))
			}
			if in := n.RedisInstances[port]; in.ReplicaOf != "" {
				l.Warn(n.Field("redis_instances", in.Pos, "replica_of"), "no-effect",
					fmt.Sprintf("replica_of of port %d has no effect: a native cluster decides itself who replicates", port), "remove it")
			}
		}
	}
}

// checkSentinels checks what sentinels watch, and that they can agree.
func (c *cluster) checkSentinels(s *module.Site, l *diag.List) {
	first := c.nodes[0]
	total := c.instances()
	if total > 0 && total%2 == 0 {
		l.Warn(first.At("redis_cluster"), "even-members",
			fmt.Sprintf("%d sentinels survive no more failures than %d", total, total-1), "have 3 or 5")
	}
	for _, m := range first.RedisSentinelMonitor {
		at := func(field string) diag.Pos { return first.Field("redis_sentinel_monitor", m.Pos, field) }
		if m.Remove {
			continue
		}
		if total > 0 && m.Quorum > total {
			l.Fail(at("quorum"), "out-of-range",
				fmt.Sprintf("%d of %d sentinels can never agree that %s is down", m.Quorum, total, m.Name), "lower quorum, or add sentinels")
		}
		host := s.Host(m.Host)
		if host == nil {
			continue // Redis that others run
		}
		p := module.Params[Params](host)
		if _, ok := p.RedisInstances[m.Port]; !ok {
			l.Fail(at("host"), "unknown-instance",
				fmt.Sprintf("%s has no Redis instance at port %d, which %s watches as %s", m.Host, m.Port, c.name, m.Name),
				"write the address and port of an instance")
		} else if p.RedisPassword != m.Password {
			l.Warn(at("password"), "cluster-mismatch",
				fmt.Sprintf("the password of %s is not that of %s, so sentinels cannot watch it", m.Name, p.RedisCluster), "write the redis_password of that cluster")
		}
	}
}

// checkReplicas follows each replica to who it replicates from.
func checkReplicas(s *module.Site, all []*cluster, l *diag.List) {
	from := map[netip.AddrPort]netip.AddrPort{}
	for _, c := range all {
		for _, n := range c.nodes {
			for _, port := range n.ports() {
				in := n.RedisInstances[port]
				if source, ok := endpoint(in.ReplicaOf); ok {
					if own, err := netip.ParseAddr(n.Host.Name()); err == nil {
						from[netip.AddrPortFrom(own, uint16(port))] = source
					}
					n.checkSource(s, port, in, source, l)
				}
			}
		}
	}
	for _, c := range all {
		for _, n := range c.nodes {
			for _, port := range n.ports() {
				own, err := netip.ParseAddr(n.Host.Name())
				if err != nil {
					continue
				}
				if start := netip.AddrPortFrom(own, uint16(port)); circular(start, from) {
					l.Fail(n.Field("redis_instances", n.RedisInstances[port].Pos, "replica_of"), "circular-upstream",
						fmt.Sprintf("%s replicates from itself, directly or by way of others", start), "make one of them a primary")
				}
			}
		}
	}
}

// circular reports whether start replicates from itself.
func circular(start netip.AddrPort, from map[netip.AddrPort]netip.AddrPort) bool {
	at := start
	for range from {
		next, ok := from[at]
		if !ok {
			return false
		}
		if next == start {
			return true
		}
		at = next
	}
	return false
}

// checkSource checks that the instance in at port of n can replicate from source.
func (n node) checkSource(s *module.Site, port int, in Instance, source netip.AddrPort, l *diag.List) {
	at := n.Field("redis_instances", in.Pos, "replica_of")
	host := s.Host(source.Addr().String())
	if host == nil {
		l.Note(at, "external-upstream",
			fmt.Sprintf("port %d of %s replicates from %s, which is no host of the inventory", port, n.Host.Name(), source), "")
		return
	}
	p := module.Params[Params](host)
	if _, ok := p.RedisInstances[int(source.Port())]; !ok {
		l.Fail(at, "unknown-instance",
			fmt.Sprintf("%s has no Redis instance at port %d to replicate from", host.Name(), source.Port()), "write the address and port of an instance")
		return
	}
	if p.RedisPassword != n.RedisPassword {
		l.Fail(at, "cluster-mismatch",
			fmt.Sprintf("port %d of %s cannot replicate from %s: the redis_password of %s is another", port, n.Host.Name(), source, p.RedisCluster),
			"give both clusters the same password")
	}
}

// endpoint reads "10.10.10.10 6379".
func endpoint(text string) (netip.AddrPort, bool) {
	fields := strings.Fields(text)
	if len(fields) != 2 {
		return netip.AddrPort{}, false
	}
	ip, err := netip.ParseAddr(fields[0])
	if err != nil {
		return netip.AddrPort{}, false
	}
	port, err := netip.ParseAddrPort("0.0.0.0:" + fields[1])
	if err != nil {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(ip, port.Port()), true
}

// Ports returns what instances and their exporters listen on.
func Ports(s *module.Site) []module.Port {
	var out []module.Port
	for _, c := range clusters(s) {
		for _, n := range c.nodes {
			v, _ := n.Vars.Get("redis_instances")
			for _, port := range n.ports() {
				use := module.Port{Host: n.Host, IP: n.RedisBindAddress, Number: port, Use: fmt.Sprintf("Redis %s-%d", c.name, port)}
				for _, pair := range v.Value.Pairs {
					if pair.Key == fmt.Sprint(port) {
						use.Pos = pair.KeyPos
					}
				}
				out = append(out, use)
				if n.RedisMode == "cluster" {
					use.Number += busOffset
					use.Use = "the bus of " + use.Use
					out = append(out, use)
				}
			}
			if n.RedisExporterEnabled {
				out = append(out, module.Listen(n.Host, "redis_exporter_port", n.RedisExporterPort))
			}
		}
	}
	return out
}
