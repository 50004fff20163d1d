package minio

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pigsty/internal/diag"
	"pigsty/internal/module"
)

// What MinIO demands of credentials and of how drives are counted.
const (
	leastAccessKey = 3
	leastSecretKey = 8
	leastDrives    = 4  // with fewer, losing one drive stops writes
	mostSet        = 16 // drives of an erasure set
)

// policies are those that MinIO itself has.
var policies = []string{"readonly", "readwrite", "writeonly", "diagnostics", "consoleAdmin"}

// span is the notation for several drives or nodes: {1...4}.
var span = regexp.MustCompile(`\{([0-9]+)\.\.\.([0-9]+)\}`)

// node is one node of a cluster.
type node struct {
	*module.Host
	*Params
}

// cluster is the nodes that share a minio_cluster, in the order of their numbers.
type cluster struct {
	name  string
	nodes []node
}

// clusters returns the clusters of s in inventory order.
func clusters(s *module.Site) []*cluster {
	var out []*cluster
	byName := map[string]*cluster{}
	for _, h := range s.Hosts() {
		p := module.Params[Params](h)
		if p.MinioCluster == "" {
			continue
		}
		c := byName[p.MinioCluster]
		if c == nil {
			c = &cluster{name: p.MinioCluster}
			byName[c.name] = c
			out = append(out, c)
		}
		c.nodes = append(c.nodes, node{h, p})
	}
	return out
}

// Check finds nodes that cannot work together, and users and drives that MinIO
// refuses.
func Check(s *module.Site) diag.List {
	var l diag.List
	for _, c := range clusters(s) {
		if c.identified(&l) {
			c.checkNumbers(&l)
		}
		c.checkAgreement(&l)
		c.checkDrives(&l)
		c.checkUsers(&l)
	}
	return l
}

// identified reports whether each node has a number of its own.
func (c *cluster) identified(l *diag.List) bool {
	good := true
	first := map[int]node{}
	for _, n := range c.nodes {
		if n.MinioSeq == nil {
			good = false
			if _, written := n.Vars.Get("minio_seq"); !written {
				l.Fail(n.Pos(), "missing-identity",
					fmt.Sprintf("%s is a node of the MinIO cluster %s and has no minio_seq", n.Host.Name(), c.name), "number the nodes from 1")
			}
			continue
		}
		if other, taken := first[*n.MinioSeq]; taken {
			good = false
			l.Fail(n.At("minio_seq"), "duplicate-identity",
				fmt.Sprintf("hosts %s and %s of %s have the same minio_seq %d", other.Host.Name(), n.Host.Name(), c.name, *n.MinioSeq),
				"give one of them another number")
		}
		first[*n.MinioSeq] = n
	}
	return good
}

// checkNumbers finds gaps: MinIO is told of its nodes as a range.
func (c *cluster) checkNumbers(l *diag.List) {
	sorted := slices.SortedFunc(slices.Values(c.nodes), func(a, b node) int { return cmp.Compare(*a.MinioSeq, *b.MinioSeq) })
	for i, n := range sorted {
		if want := *sorted[0].MinioSeq + i; *n.MinioSeq != want && n.MinioVolumes == "" {
			l.Fail(n.At("minio_seq"), "not-contiguous",
				fmt.Sprintf("no node of the MinIO cluster %s has the minio_seq %d, so %s would wait for it", c.name, want, n.Host.Name()),
				"number the nodes without gaps")
			return
		}
	}
}

// checkAgreement finds what differs between nodes that start with one command line.
func (c *cluster) checkAgreement(l *diag.List) {
	first := c.nodes[0]
	for _, n := range c.nodes[1:] {
		differ := func(name string, same bool) {
			if !same {
				l.Fail(n.At(name), "cluster-mismatch",
					fmt.Sprintf("%s of %s differs from that of %s: nodes of one MinIO cluster share it", name, n.Host.Name(), first.Host.Name()),
					"set it for the whole cluster")
			}
		}
		differ("minio_data", n.MinioData == first.MinioData)
		differ("minio_port", n.MinioPort == first.MinioPort)
		differ("minio_https", n.MinioHTTPS == first.MinioHTTPS)
		differ("minio_node", n.MinioNode == first.MinioNode)
		differ("minio_type", n.MinioType == first.MinioType)
		differ("minio_volumes", n.MinioVolumes == first.MinioVolumes)
		differ("minio_access_key", n.MinioAccessKey == first.MinioAccessKey)
		differ("minio_secret_key", n.MinioSecretKey == first.MinioSecretKey)
	}
	if len(c.nodes) > 1 && !strings.Contains(first.MinioNode, "${minio_seq}") {
		l.Fail(first.At("minio_node"), "duplicate-identity",
			"minio_node gives all nodes of "+c.name+" the same name", "put ${minio_seq} into it")
	}
}

// checkDrives checks that minio_data can be expanded, and that there are drives
// enough for what they are spread over.
func (c *cluster) checkDrives(l *diag.List) {
	n := c.nodes[0]
	if n.MinioVolumes != "" {
		return // written by somebody who knows
	}
	wrong := func(message, advice string) { l.Fail(n.At("minio_data"), "invalid-format", message, advice) }
	each := 1
	for _, m := range span.FindAllStringSubmatch(n.MinioData, -1) {
		from, _ := strconv.Atoi(m[1])
		to, _ := strconv.Atoi(m[2])
		if to <= from {
			wrong(fmt.Sprintf("minio_data has a range that goes from %d to %d", from, to), "write the lower number first, as in /data{1...4}")
			return
		}
		each *= to - from + 1
	}
	if rest := span.ReplaceAllString(n.MinioData, ""); strings.ContainsAny(rest, "{}") {
		wrong("minio_data has braces that are no range: "+n.MinioData, "write three dots between two numbers, as in /data{1...4}")
		return
	}
	total := each * len(c.nodes)
	switch {
	case total == 1:
	case total < leastDrives:
		l.Warn(n.At("minio_data"), "few-drives",
			fmt.Sprintf("the MinIO cluster %s has %d drives: it does not survive the loss of one", c.name, total),
			"have 4 or more, or a single one")
	case !divides(total):
		l.Fail(n.At("minio_data"), "uneven-drives",
			fmt.Sprintf("the %d drives of the MinIO cluster %s cannot be split evenly into sets of 2 to %d", total, c.name, mostSet),
			"have another number of nodes or drives")
	}
}

// divides reports whether n drives make erasure sets of equal size.
func divides(n int) bool {
	for size := 2; size <= mostSet; size++ {
		if n%size == 0 {
			return true
		}
	}
	return false
}

// checkUsers checks credentials, and that users' policies exist.
func (c *cluster) checkUsers(l *diag.List) {
	n := c.nodes[0]
	short := func(what string, pos diag.Pos, length, least int) {
		if length < least {
			l.Fail(pos, "invalid-password",
				fmt.Sprintf("%s has %d characters, and MinIO demands %d", what, length, least), "write a longer one")
		}
	}
	short("minio_access_key", n.At("minio_access_key"), len(n.MinioAccessKey), leastAccessKey)
	short("minio_secret_key", n.At("minio_secret_key"), len(n.MinioSecretKey.Reveal()), leastSecretKey)
	known := slices.Clone(policies)
	for _, b := range n.MinioBuckets {
		known = append(known, b.Name)
	}
	for _, u := range n.MinioUsers {
		at := func(field string) diag.Pos { return n.Field("minio_users", u.Pos, field) }
		short("the access_key of "+u.AccessKey, at("access_key"), len(u.AccessKey), leastAccessKey)
		short("the secret_key of "+u.AccessKey, at("secret_key"), len(u.SecretKey.Reveal()), leastSecretKey)
		if u.Policy != "" && !slices.Contains(known, u.Policy) && !u.Pos.IsZero() {
			advice := "add a bucket of that name, or make the policy by hand"
			if near := diag.Nearest(u.Policy, slices.Values(known)); near != "" {
				advice = "write " + near + ", or " + advice
			}
			l.Warn(at("policy"), "unknown-policy", "user "+u.AccessKey+" has the policy "+u.Policy+", which no bucket brings", advice)
		}
	}
}

// Ports returns what nodes listen on.
func Ports(s *module.Site) []module.Port {
	var out []module.Port
	for _, c := range clusters(s) {
		for _, n := range c.nodes {
			out = append(out, module.Listen(n.Host, "minio_port", n.MinioPort), module.Listen(n.Host, "minio_admin_port", n.MinioAdminPort))
		}
	}
	return out
}

// Advise warns of passwords that everybody can look up.
func Advise(s *module.Site) diag.List {
	var hosts, plain []*module.Host
	for _, c := range clusters(s) {
		for _, n := range c.nodes {
			hosts = append(hosts, n.Host)
			if _, written := n.Vars.Get("minio_users"); !written && n.MinioProvision {
				plain = append(plain, n.Host)
			}
		}
	}
	l := module.Published(s, hosts, "minio_secret_key")
	if len(plain) > 0 {
		l.Warn(plain[0].At("minio_cluster"), "published-password",
			"everybody can look up the passwords of the default minio_users", "write minio_users with passwords of your own")
	}
	return l
}
