package pgsql

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"pigsty/internal/module"
)

// dynamicConfig returns what Patroni keeps in the DCS for the whole cluster: the
// settings of its own behaviour, and the parameters of every server. It is
// what a new cluster is bootstrapped with and what the running one is compared
// with. Sizes are those of m's host.
func dynamicConfig(m *Member) mapping {
	c := m.Cluster
	p := c.Params
	plan := rtoPlan(p)
	crit := c.Template.Kind == "crit"
	var out mapping
	out.set("ttl", plan.TTL)
	out.set("loop_wait", plan.LoopWait)
	out.set("retry_timeout", plan.RetryTimeout)
	out.set("primary_start_timeout", plan.PrimaryStartTimeout)
	out.set("primary_stop_timeout", 30)
	out.set("maximum_lag_on_failover", p.PgRpo)
	out.set("maximum_lag_on_syncnode", -1)
	out.set("synchronous_mode", crit || p.PgRpo == 0 || c.designated())
	// Strict mode blocks every write while no standby is in sync, so a cluster
	// in which none ever can be would never accept one.
	out.set("synchronous_mode_strict", crit && c.syncCandidates() > 0)
	out.set("failsafe_mode", true)
	if c.standby() {
		out.set("standby_cluster", c.source())
	}
	var meta mapping
	meta.set("pg_version", p.PgVersion)
	meta.set("pg_cluster", c.Name)
	meta.set("pg_shard", orElse(p.PgShard, c.Name))
	meta.set("pg_group", orZero(p.PgGroup))
	out.set("metadata", meta)

	var pg mapping
	pg.set("use_slots", true)
	pg.set("use_pg_rewind", true)
	pg.set("remove_data_directory_on_rewind_failure", true)
	parameters := clusterParameters(m)
	pg.set("parameters", parameters)
	out.set("postgresql", pg)
	out.overlay(c.Template.rest())

	// Which parameters the inventory manages is kept beside them, so that one
	// which leaves it goes back to the server's default.
	names := make([]string, len(parameters))
	for i, e := range parameters {
		names[i] = e.key
	}
	slices.Sort(names)
	out.set("pigsty", mapping{{"parameters", names}})
	return out
}

// rtoPlan returns the timeouts that pg_rto names, those of norm when it names none.
func rtoPlan(p *Params) RTOPlan {
	if plan, ok := p.PgRtoPlan[p.PgRto]; ok {
		return plan
	}
	return p.PgRtoPlan["norm"]
}

// atLeast are the parameters of which a server that follows another one must
// have as much ("Hot Standby" in the PostgreSQL manual).
var atLeast = []string{"max_connections", "max_worker_processes", "max_wal_senders", "max_prepared_transactions", "max_locks_per_transaction"}

// clusterParameters returns the parameters that all servers share. A cluster
// that stands by for others of the inventory has no less than they do of what
// its servers could not run with.
func clusterParameters(m *Member) mapping {
	out := ownParameters(m)
	for _, c := range m.Cluster.sources() {
		source := ownParameters(c.first())
		for _, name := range atLeast {
			if n := source.number(name); n > out.number(name) {
				out.put(name, n)
			}
		}
	}
	return out
}

// ownParameters returns the parameters that a cluster declares: those of the
// template, with the inventory's pg_parameters of the cluster over them.
func ownParameters(m *Member) mapping {
	out := templateParameters(m)
	out.overlay(m.Cluster.Template.parameters())
	own := m.Cluster.sharedParameters()
	for _, name := range slices.Sorted(maps.Keys(own)) {
		out.put(name, own[name])
	}
	return out
}

// localParameters returns the pg_parameters of one host that are not those of
// the cluster.
func localParameters(m *Member) mapping {
	shared := m.Cluster.sharedParameters()
	var out mapping
	for _, name := range slices.Sorted(maps.Keys(m.Params.PgParameters)) {
		if _, ok := shared[name]; !ok {
			out.set(name, m.Params.PgParameters[name])
		}
	}
	return out
}

// sharedParameters returns the pg_parameters that every member has alike.
func (c *Cluster) sharedParameters() map[string]string {
	shared := maps.Clone(c.Params.PgParameters)
	for _, m := range c.Members {
		maps.DeleteFunc(shared, func(name string, value string) bool {
			return m.Params.PgParameters[name] != value
		})
	}
	return shared
}

// capacityOf returns what h has to offer. Memory is rounded down to 16 MB,
// because what a kernel reserves for itself changes a little with its version
// and an upgrade of it must not ask for a restart of PostgreSQL. A host
// that was never reached counts as a small one.
func capacityOf(h *module.Host, p *Params, data string) capacity {
	c := capacity{CPUs: max(h.Facts.CPUs, 1), Memory: int(h.Facts.Memory>>20) &^ 15, Disk: 40 * gib}
	if c.Memory == 0 {
		c.Memory = 1024
	}
	for _, path := range []string{p.PgFsMain, data} {
		if size, ok := sizeOf(path, h.Facts.Mounts); ok {
			c.Disk = size
			break
		}
	}
	return c
}

// sizeOf returns the size of the file system that path is on: that of the mount
// point which is its longest prefix.
func sizeOf(path string, mounts map[string]int64) (int64, bool) {
	longest := ""
	for mount := range mounts {
		under := mount == "/" || path == mount || strings.HasPrefix(path, mount+"/")
		if under && len(mount) > len(longest) {
			longest = mount
		}
	}
	size := mounts[longest]
	return size, size > 0
}

// spec describes a host in a word, for Patroni's tags: 4C.8G.100G.
func (c capacity) spec() string {
	return fmt.Sprintf("%dC.%dG.%dG", c.CPUs, (c.Memory+1023)/1024, c.Disk/gib)
}

func orZero(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

// version returns the major version of PostgreSQL as text.
func version(p *Params) string { return strconv.Itoa(p.PgVersion) }
