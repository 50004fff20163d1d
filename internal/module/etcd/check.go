package etcd

import (
	"fmt"
	"net/netip"
	"strings"

	"pigsty/internal/diag"
	"pigsty/internal/module"
)

// mostMembers is how many members a cluster can have before the many slow down
// every write more than they add safety.
const mostMembers = 7

// check finds members that cannot work together.
func check(s *module.Site) diag.List {
	var l diag.List
	for _, h := range s.Group("etcd") {
		// A number that cannot be read is reported as such.
		if _, written := h.Vars.Get("etcd_seq"); module.Params[Params](h).EtcdSeq == nil && !written {
			l.Fail(h.At("etcd_seq"), "missing-identity",
				"host "+h.Name()+" of group etcd has no etcd_seq", "give each member its own etcd_seq, from 1")
		}
	}
	all := members(s)
	numbers := map[int]member{}
	for _, m := range all {
		if other, taken := numbers[*m.EtcdSeq]; taken {
			l.Fail(m.At("etcd_seq"), "duplicate-identity",
				fmt.Sprintf("hosts %s and %s have the same etcd_seq %d", other.Host.Name(), m.Host.Name(), *m.EtcdSeq),
				"give one of them another number")
		}
		numbers[*m.EtcdSeq] = m
		m.check(all[0], &l)
	}
	switch n := len(all); {
	case n > 0 && n%2 == 0:
		l.Warn(all[n-1].At("etcd_seq"), "even-members",
			fmt.Sprintf("%d etcd members survive no more failures than %d", n, n-1), "have 1, 3 or 5")
	case n > mostMembers:
		l.Warn(all[n-1].At("etcd_seq"), "many-members",
			fmt.Sprintf("each write waits for most of %d etcd members", n), "have 3 or 5, which survive one or two failures")
	}
	return l
}

// check finds what is wrong with m, a member beside first.
func (m member) check(first member, l *diag.List) {
	// An address with a mistake in it is NODE's to report.
	address := strings.Trim(m.Host.Name(), "0123456789.") == ""
	if _, err := netip.ParseAddr(m.Host.Name()); err != nil && !address {
		l.Fail(m.Pos(), "address-needed",
			"etcd member "+m.Host.Name()+" is not named by its IP address, which etcd listens on",
			"use the address as the name of the host")
	}
	differ := func(name string, same bool) {
		if !same {
			l.Fail(m.At(name), "cluster-mismatch",
				fmt.Sprintf("%s of %s differs from that of %s: all members belong to one cluster", name, m.Host.Name(), first.Host.Name()),
				"set it for the whole group")
		}
	}
	differ("etcd_cluster", m.EtcdCluster == first.EtcdCluster)
	differ("etcd_port", m.EtcdPort == first.EtcdPort)
	differ("etcd_root_password", m.EtcdRootPassword == first.EtcdRootPassword)
	if m.EtcdElectionTimeout < 5*m.EtcdHeartbeatInterval {
		l.Fail(m.At("etcd_election_timeout"), "out-of-range",
			fmt.Sprintf("etcd_election_timeout %d is less than five times etcd_heartbeat_interval %d, which etcd refuses",
				m.EtcdElectionTimeout, m.EtcdHeartbeatInterval),
			"raise the former or lower the latter")
	}
	if m.EtcdLearner {
		l.Warn(m.At("etcd_learner"), "not-supported",
			"etcd_learner has no effect: "+m.instance()+" votes as soon as it has caught up", "remove it")
	}
}

// ports returns what members listen on.
func ports(s *module.Site) []module.Port {
	var out []module.Port
	for _, m := range members(s) {
		out = append(out, module.Listen(m.Host, "etcd_port", m.EtcdPort), module.Listen(m.Host, "etcd_peer_port", m.EtcdPeerPort))
	}
	return out
}

// advise warns of a password that everybody can look up.
func advise(s *module.Site) diag.List {
	var hosts []*module.Host
	for _, m := range members(s) {
		hosts = append(hosts, m.Host)
	}
	return module.Published(s, hosts, "etcd_root_password")
}
