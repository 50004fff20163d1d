package pgsql

import (
	"fmt"
	"slices"
	"strings"

	"pigsty/internal/diag"
	"pigsty/internal/inventory"
	"pigsty/internal/module"
)

// checkSources checks who members replicate from, beyond what makes a standby
// cluster fit its source, and that delays have an effect.
func (c *Cluster) checkSources(s *module.Site, l *diag.List) {
	for _, m := range c.Members {
		p := m.Params
		at := m.valueAt("pg_upstream")
		switch {
		case p.PgUpstream == "":
		case !m.primary():
			if c.at(p.PgUpstream) != nil && m.followsItself() {
				l.Fail(at, "circular-upstream",
					m.Name()+" replicates from itself, directly or by way of others", "name another member, or remove pg_upstream")
			}
		case c.at(p.PgUpstream) != nil:
			l.Fail(at, "unknown-upstream",
				fmt.Sprintf("%s is the primary of %s and is to replicate from %s, a member of the same cluster", m.Name(), c.Name, p.PgUpstream),
				"name a member of the cluster that this one stands by for, or remove pg_upstream")
		case c.Source != nil:
			c.checkSourceChain(at, l)
		case s.Host(p.PgUpstream) != nil:
			l.Fail(at, "unknown-upstream",
				fmt.Sprintf("cluster %s is to stand by for %s, a host without PostgreSQL", c.Name, p.PgUpstream), "name a member of a PostgreSQL cluster")
		default:
			l.Note(at, "external-upstream",
				fmt.Sprintf("cluster %s stands by for %s, which is no host of the inventory", c.Name, p.PgUpstream),
				"see that it lets this cluster's replication user in")
		}
	}
	c.checkDelay(l)
}

// followsItself reports whether following the upstreams of m leads back to m.
func (m *Member) followsItself() bool {
	at := m
	for range m.Cluster.Members {
		if at.primary() || at.Params.PgUpstream == "" {
			return false
		}
		at = m.Cluster.at(at.Params.PgUpstream)
		if at == nil {
			return false
		}
		if at == m {
			return true
		}
	}
	return false
}

// checkSourceChain finds standby clusters that stand by for themselves by way
// of more than one other; two that do so for each other are checkUpstream's.
func (c *Cluster) checkSourceChain(at diag.Pos, l *diag.List) {
	seen := []*Cluster{c}
	for source := c.Source; source != nil; source = source.Source {
		if source == c && len(seen) > 2 {
			l.Fail(at, "circular-upstream",
				fmt.Sprintf("%s stands by for itself by way of %s", c.Name, seen[1].Name), "remove pg_upstream from the cluster that leads")
		}
		if slices.Contains(seen, source) {
			return
		}
		seen = append(seen, source)
	}
}

// checkDelay finds a pg_delay that delays nothing, and delayed members without one.
func (c *Cluster) checkDelay(l *diag.List) {
	effect := false
	for _, m := range c.Members {
		effect = effect || m.primary() && m.Params.PgUpstream != "" || m.Params.PgRole == "delayed"
	}
	for _, m := range c.Members {
		v, written := m.Vars.Get("pg_delay")
		switch {
		case m.Params.PgRole == "delayed" && !m.Params.delayed():
			l.Warn(m.valueAt("pg_role"), "no-effect", m.Name()+" has the role delayed and no pg_delay, so it is not behind", "write pg_delay, such as 1h")
		case !written || !m.Params.delayed():
		case !effect, v.Origin.Kind == inventory.OriginHost && m.Params.PgRole != "delayed" && (!m.primary() || m.Params.PgUpstream == ""):
			l.Warn(v.Value.Pos, "no-effect",
				"pg_delay of "+m.Name()+" has no effect: only the primary of a standby cluster and members with the role delayed stay behind",
				"write pg_role: delayed, or pg_upstream for a standby cluster")
		}
	}
}

// valueAt returns where the value of a parameter is written, or where m is.
func (m *Member) valueAt(name string) diag.Pos {
	if v, ok := m.Vars.Get(name); ok {
		return v.Value.Pos
	}
	return m.Pos()
}

// checkShards checks the parts of Citus clusters against each other.
func checkShards(clusters []*Cluster, l *diag.List) {
	shards := map[string][]*Cluster{}
	var order []string
	for _, c := range clusters {
		p := c.Params
		at := c.first()
		if p.PgMode != "citus" {
			if v, ok := at.Vars.Get("pg_shard"); ok && p.PgShard != "" && p.PgMode == "pgsql" {
				l.Warn(v.NamePos, "no-effect", "cluster "+c.Name+" has a pg_shard and is no part of a Citus cluster", "write pg_mode: citus, or remove it")
			}
			continue
		}
		if p.PgShard == "" {
			l.Fail(at.At("pg_mode"), "missing-identity", "cluster "+c.Name+" is a part of a Citus cluster and has no pg_shard", "write pg_shard, the same for all parts")
			continue
		}
		if p.PgGroup == nil {
			l.Fail(at.At("pg_shard"), "missing-identity", "cluster "+c.Name+" is a part of "+p.PgShard+" and has no pg_group", "write pg_group: 0 for the coordinator, 1 and up for the others")
			continue
		}
		if p.PgDbsuPassword.IsEmpty() {
			l.Warn(at.At("pg_shard"), "missing-password", "the parts of "+p.PgShard+" connect to each other as "+p.PgDbsu+", who has no password", "write pg_dbsu_password for all of them")
		}
		if libs := strings.Split(p.PgLibs, ","); slices.IndexFunc(libs, func(w string) bool { return strings.Trim(w, " '\"") == "citus" }) > 0 {
			l.Warn(at.At("pg_libs"), "library-order", "citus is not the first of pg_libs of cluster "+c.Name+", which Citus demands", "move it to the front, or leave it out: Patroni puts it there")
		}
		if shards[p.PgShard] == nil {
			order = append(order, p.PgShard)
		}
		shards[p.PgShard] = append(shards[p.PgShard], c)
	}
	for _, name := range order {
		checkShard(name, shards[name], l)
	}
}

// checkShard checks that the parts of one Citus cluster have one coordinator,
// numbers of their own and the same database.
func checkShard(name string, parts []*Cluster, l *diag.List) {
	groups := map[int]*Cluster{}
	for _, c := range parts {
		if other := groups[*c.Params.PgGroup]; other != nil {
			l.Fail(c.first().At("pg_group"), "duplicate-identity",
				fmt.Sprintf("clusters %s and %s of %s have the same pg_group %d", other.Name, c.Name, name, *c.Params.PgGroup), "give one of them another number")
		}
		groups[*c.Params.PgGroup] = c
		differ := func(parameter string, same bool) {
			if !same {
				l.Fail(c.first().At(parameter), "cluster-mismatch",
					fmt.Sprintf("%s of %s differs from that of %s: both are parts of %s", parameter, c.Name, parts[0].Name, name), "set it once for all parts")
			}
		}
		differ("pg_primary_db", c.Params.PgPrimaryDb == parts[0].Params.PgPrimaryDb)
		differ("pg_version", c.Params.PgVersion == parts[0].Params.PgVersion)
		differ("pg_dbsu_password", c.Params.PgDbsuPassword == parts[0].Params.PgDbsuPassword)
	}
	if groups[0] == nil {
		l.Fail(parts[0].first().At("pg_shard"), "no-coordinator",
			"no part of "+name+" has pg_group 0, which coordinates the others", "write pg_group: 0 for one of them")
	}
}
