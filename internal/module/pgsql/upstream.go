package pgsql

import (
	"fmt"
	"slices"
	"strings"

	"pigsty/internal/diag"
)

// relate finds for each cluster those that it belongs together with: the one
// that it stands by for, by the address of a member or its virtual one, and the
// parts of the same Citus cluster.
func relate(all []*Cluster) {
	serving := map[string][]*Cluster{}
	shards := map[string][]*Member{}
	for _, c := range all {
		for _, ip := range append(c.addresses(), c.vip()) {
			serving[ip] = append(serving[ip], c)
		}
		if first := c.first(); first.sharded() {
			shards[first.scopeName()] = append(shards[first.scopeName()], c.Members...)
		}
	}
	for _, c := range all {
		if c.standby() {
			for _, other := range serving[c.Primary.Params.PgUpstream] {
				if other != c {
					c.Source = other
				}
			}
		}
		if first := c.first(); first.sharded() {
			c.Shards = shards[first.scopeName()]
		}
	}
}

// source returns the section of Patroni's configuration that makes the whole
// cluster follow another one. Of a cluster of this inventory all members that
// may lead are named, the one that pg_upstream names first, so that the standby
// goes on when that one is lost.
func (c *Cluster) source() mapping {
	p := c.Primary.Params
	hosts, port := []string{p.PgUpstream}, p.PgPort
	if c.Source != nil {
		port = c.Source.Params.PgPort
		for _, m := range c.Source.Members {
			if m.promotable() && m.Params.PgPort == port && m.Name() != p.PgUpstream {
				hosts = append(hosts, m.Name())
			}
		}
	}
	var m mapping
	m.set("host", strings.Join(hosts, ","))
	m.set("port", port)
	if p.delayed() {
		m.set("recovery_min_apply_delay", p.PgDelay)
	}
	m.set("create_replica_methods", []string{"basebackup"})
	return m
}

// delayed reports whether pg_delay asks for any delay.
func (p *Params) delayed() bool { return p.PgDelay != "" && strings.Trim(p.PgDelay, "0") != "" }

// designated reports whether the inventory names members that are to be in sync
// with the leader, by their role.
func (c *Cluster) designated() bool {
	return slices.ContainsFunc(c.Members, func(m *Member) bool { return m.Params.PgRole == "standby" })
}

// synchronous reports whether m may confirm commits. Where the inventory
// designates members for that, plain replicas do not.
func (m *Member) synchronous() bool {
	return m.promotable() && (m.Params.PgRole != "replica" || !m.Cluster.designated())
}

// checkUpstream checks that a standby cluster can follow its source.
func (c *Cluster) checkUpstream(l *diag.List) {
	if c.Source == nil {
		return
	}
	own, of := c.Primary, c.Source.first()
	differ := func(name, a, b, advice string) {
		if a != b {
			l.Add(diag.Diagnostic{
				Code: "unfit-upstream", Pos: own.At(name),
				Message: fmt.Sprintf("%s stands by for %s, so it needs the same %s", c.Name, c.Source.Name, name), Advice: advice,
			})
		}
	}
	differ("pg_version", version(own.Params), version(of.Params), "write pg_version: "+version(of.Params))
	differ("pg_replication_username", own.Params.PgReplicationUsername, of.Params.PgReplicationUsername, "set it once for both clusters")
	differ("pg_replication_password", own.Params.PgReplicationPassword.Reveal(), of.Params.PgReplicationPassword.Reveal(), "set it once for both clusters")
	if c.Source.Source == c {
		l.Add(diag.Diagnostic{
			Code: "unfit-upstream", Pos: own.At("pg_upstream"),
			Message: fmt.Sprintf("%s and %s stand by for each other", c.Name, c.Source.Name), Advice: "remove pg_upstream from the one that leads",
		})
	}
}
