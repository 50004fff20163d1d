package pgsql

import (
	"cmp"
	"slices"

	"pigsty/internal/diag"
	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
	"pigsty/internal/resource/patroni"
	"pigsty/internal/resource/postgres"
)

// Nearest returns the name of a cluster of s, or of a member of c if that is not
// nil, that is written almost like name; "" if there is none.
func Nearest(s *module.Site, c *Cluster, name string) string {
	return diag.Nearest(name, slices.Values(Names(s, c)))
}

// Names returns the names of the clusters of s, or of the members of c if that is not nil.
func Names(s *module.Site, c *Cluster) []string {
	var out []string
	if c != nil {
		for _, m := range c.Members {
			out = append(out, m.Instance())
		}
		return out
	}
	for _, c := range Clusters(s) {
		out = append(out, c.Name)
	}
	return out
}

// Named returns the cluster called name, nil if there is none.
func Named(s *module.Site, name string) *Cluster {
	for _, c := range Clusters(s) {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Member returns the member called name, by instance or by address; nil if there is none.
func (c *Cluster) Member(name string) *Member {
	for _, m := range c.Members {
		if m.Instance() == name || m.Name() == name {
			return m
		}
	}
	return nil
}

// Hosts returns the hosts of the members.
func (c *Cluster) Hosts() []*module.Host {
	var out []*module.Host
	for _, m := range c.Members {
		out = append(out, m.Host)
	}
	return out
}

// anywhere returns a step for r, which asks Patroni's API, on any member.
func (c *Cluster) anywhere(r resource.Resource) []*plan.Step {
	b := c.first().builder()
	b.AddOnLeader(c.Name, c.addresses(), r)
	return b.Steps()
}

// View returns the step that observes how c is; patroni.Seen reads what it finds.
func (c *Cluster) View() *plan.Step {
	return c.anywhere(patroni.View{API: c.api(), Cluster: c.first().scopeName()})[0]
}

// Switchover hands the lead from one member to another, the best if to is "".
func (c *Cluster) Switchover(from, to string) []*plan.Step {
	return c.anywhere(patroni.Switchover{API: c.api(), Cluster: c.first().scopeName(), From: from, To: to})
}

// Failover makes a member the leader, the one with most of the WAL if to is "".
func (c *Cluster) Failover(from, to string) []*plan.Step {
	return c.anywhere(patroni.Failover{API: c.api(), Cluster: c.first().scopeName(), From: from, To: to})
}

// Restart restarts the members of running (see patroni.RollingRestart), those
// that wait for it if that is empty.
func (c *Cluster) Restart(running map[string]string) []*plan.Step {
	return c.anywhere(patroni.RollingRestart{API: c.api(), Cluster: c.first().scopeName(), Running: running})
}

// Reload makes members read their configuration, all if none is named.
func (c *Cluster) Reload(members []string) []*plan.Step {
	return c.anywhere(patroni.Reload{API: c.api(), Cluster: c.first().scopeName(), Members: members})
}

// Pause makes Patroni leave c alone, or act again.
func (c *Cluster) Pause(on bool) []*plan.Step {
	return c.anywhere(patroni.Paused{API: c.api(), Cluster: c.first().scopeName(), On: on})
}

// Backup makes a backup on the leader, one newer than that labelled after.
func (c *Cluster) Backup(kind, after string) []*plan.Step {
	return c.anywhere(postgres.Backup{Stanza: c.first().stanza(), Type: kind, After: cmp.Or(after, postgres.NoBackup)})
}

// FirstBackup returns the step that makes the first backup of c, whose Change has
// a note where a leader that took over has none.
func (c *Cluster) FirstBackup() *plan.Step {
	return c.anywhere(postgres.Backup{Stanza: c.first().stanza(), Type: "full"})[0]
}

// KeepsOwnBackups reports whether each member of c has a repository of its own.
func (c *Cluster) KeepsOwnBackups() bool {
	return c.Params.PgbackrestEnabled && c.first().ownRepository() && c.writable()
}

// Reinit copies the leader's data to m anew; started is when its server did.
func (m *Member) Reinit(started string) []*plan.Step {
	b := m.builder()
	b.Add(patroni.Reinit{API: m.api(), Member: m.Instance(), Started: started, Log: m.Params.PatroniLogDir + "/patroni.log"})
	return b.Steps()
}

// Backups returns the step that observes m's backups and server, and for a
// recovery their timelines; postgres.SeenBackups reads what it finds.
func (m *Member) Backups(recovery *PITR) *plan.Step {
	look := postgres.Backups{Stanza: m.stanza(), Data: m.Params.PgData, Bin: m.Params.PgBinDir, Aside: m.aside()}
	if recovery != nil {
		look.From = m.elsewhere(recovery)
		look.History = true
		look.Timeline, _ = recovery.line()
	}
	b := m.builder()
	b.Add(look)
	return b.Steps()[0]
}
