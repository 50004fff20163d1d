// Package etcd is the ETCD module: the cluster in which PostgreSQL clusters
// agree on their leaders.
package etcd

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"pigsty/internal/diag"
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
func members(s *module.Site) []member {
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

// check finds members that cannot work together.
func check(s *module.Site) diag.List {
	var l diag.List
	for _, h := range s.Group("etcd") {
		// A number that cannot be read is reported as such.
		if _, written := h.Vars.Get("etcd_seq"); module.Params[Params](h).EtcdSeq == nil && !written {
			l.Add(diag.Diagnostic{
				Code: "missing-identity", Pos: h.At("etcd_seq"),
				Message: "host " + h.Name() + " of group etcd has no etcd_seq", Advice: "give each member its own etcd_seq, from 1",
			})
		}
	}
	all := members(s)
	numbers := map[int]member{}
	for _, m := range all {
		pos := m.At("etcd_seq")
		if other, taken := numbers[*m.EtcdSeq]; taken {
			l.Add(diag.Diagnostic{
				Code: "duplicate-identity", Pos: pos,
				Message: fmt.Sprintf("hosts %s and %s have the same etcd_seq %d", other.Host.Name(), m.Host.Name(), *m.EtcdSeq),
				Advice:  "give one of them another number",
			})
		}
		numbers[*m.EtcdSeq] = m
		// An address with a mistake in it is NODE's to report.
		address := strings.Trim(m.Host.Name(), "0123456789.") == ""
		if _, err := netip.ParseAddr(m.Host.Name()); err != nil && !address {
			l.Add(diag.Diagnostic{
				Code: "address-needed", Pos: m.Pos(),
				Message: "etcd member " + m.Host.Name() + " is not named by its IP address, which etcd listens on",
				Advice:  "use the address as the name of the host",
			})
		}
		first := all[0]
		differ := func(name string, same bool) {
			if !same {
				l.Add(diag.Diagnostic{
					Code: "cluster-mismatch", Pos: m.At(name),
					Message: fmt.Sprintf("%s of %s differs from that of %s: all members belong to one cluster", name, m.Host.Name(), first.Host.Name()),
					Advice:  "set it for the whole group",
				})
			}
		}
		differ("etcd_cluster", m.EtcdCluster == first.EtcdCluster)
		differ("etcd_port", m.EtcdPort == first.EtcdPort)
		differ("etcd_root_password", m.EtcdRootPassword == first.EtcdRootPassword)
		if m.EtcdElectionTimeout < 5*m.EtcdHeartbeatInterval {
			l.Add(diag.Diagnostic{
				Code: "out-of-range", Pos: m.At("etcd_election_timeout"),
				Message: fmt.Sprintf("etcd_election_timeout %d is less than five times etcd_heartbeat_interval %d, which etcd refuses",
					m.EtcdElectionTimeout, m.EtcdHeartbeatInterval),
				Advice: "raise the former or lower the latter",
			})
		}
		if m.EtcdLearner {
			l.Add(diag.Diagnostic{
				Severity: diag.Warning, Code: "not-supported", Pos: m.At("etcd_learner"),
				Message: "etcd_learner has no effect: " + m.instance() + " votes as soon as it has caught up", Advice: "remove it",
			})
		}
	}
	if n := len(all); n > 0 && n%2 == 0 {
		l.Add(diag.Diagnostic{
			Severity: diag.Warning, Code: "even-members", Pos: all[n-1].At("etcd_seq"),
			Message: fmt.Sprintf("%d etcd members survive no more failures than %d", n, n-1), Advice: "have 1, 3 or 5",
		})
	}
	return l
}

// initialCluster returns the members as etcd's first start takes them.
func initialCluster(list []member) string {
	var out []string
	for _, m := range list {
		out = append(out, m.instance()+"="+m.peerURL())
	}
	return strings.Join(out, ",")
}
