// Package etcd is the ETCD module: the cluster in which PostgreSQL clusters
// agree on their leaders.
package etcd

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource/etcd"
	"pigsty/internal/secret"
)

// member is one member of the cluster.
type member struct {
	*module.Host
	*Params
}

// members returns the members in the order of their numbers: hosts that have
// one, whichever group they are in. There is one etcd cluster in a deployment.
func members(s *module.Site) []member { return module.Derive(s, findMembers) }

func findMembers(s *module.Site) []member {
	var out []member
	for _, h := range s.Hosts() {
		if p := module.Params[Params](h); p.EtcdSeq != nil {
			out = append(out, member{h, p})
		}
	}
	slices.SortStableFunc(out, func(a, b member) int { return cmp.Compare(*a.EtcdSeq, *b.EtcdSeq) })
	return out
}

// instance is the member's name: etcd-1.
func (m member) instance() string { return fmt.Sprintf("%s-%d", m.EtcdCluster, *m.EtcdSeq) }

// served reports whether the member is known to have been ready once, which it
// is only as part of a cluster that had most of its members.
func (m member) served() bool { return slices.Contains(m.Facts.Units, unitName) }

func (m member) clientURL() string {
	return "https://" + net.JoinHostPort(m.Host.Name(), strconv.Itoa(m.EtcdPort))
}

// name is the one name that all members' certificates have.
func (m member) name() string { return m.EtcdCluster + ".pigsty" }

func (m member) peerURL() string {
	return "https://" + net.JoinHostPort(m.Host.Name(), strconv.Itoa(m.EtcdPeerPort))
}

// Endpoints returns the URLs at which members serve clients, in the order of
// their numbers.
func Endpoints(s *module.Site) []string { return endpoints(members(s)) }

func endpoints(list []member) []string {
	var out []string
	for _, m := range list {
		out = append(out, m.clientURL())
	}
	return out
}

// Name returns the name that the certificate of every member has, for clients that
// resolve it to all of them; empty if there is no cluster.
func Name(s *module.Site) string {
	for _, m := range members(s) {
		return m.name()
	}
	return ""
}

// RootPassword returns the password of etcd's user root, empty if there is no cluster.
func RootPassword(s *module.Site) secret.Value {
	for _, m := range members(s) {
		return m.EtcdRootPassword
	}
	return secret.Value{}
}

// Access returns what resources need to reach the cluster as root from a host
// that has the CA's certificate at caFile.
func Access(s *module.Site, caFile string) etcd.API {
	return etcd.API{Endpoints: Endpoints(s), CAFile: caFile, Username: "root", Password: RootPassword(s)}
}

// api is Access for one member, by way of the members in list.
func (m member) api(caFile string, list ...member) etcd.API {
	return etcd.API{Endpoints: endpoints(list), CAFile: caFile, Username: "root", Password: m.EtcdRootPassword}
}

// Ready returns the IDs of the steps after which the cluster serves clients
// that have an account. There is one of them in a plan that has etcd in it.
func Ready(s *module.Site) []string {
	var ids []string
	for _, m := range members(s) {
		ids = append(ids, plan.ID(m.Host.Name(), etcd.Auth{Cluster: m.EtcdCluster}.Key()))
	}
	return ids
}

// initialCluster returns the members as etcd's first start takes them.
func initialCluster(list []member) string {
	var out []string
	for _, m := range list {
		out = append(out, m.instance()+"="+m.peerURL())
	}
	return strings.Join(out, ",")
}
