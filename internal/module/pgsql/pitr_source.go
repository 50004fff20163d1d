package pgsql

import (
	"fmt"
	"path"
	"slices"
	"strconv"

	"pigsty/internal/plan"
	"pigsty/internal/resource"
	"pigsty/internal/resource/etcd"
	"pigsty/internal/resource/postgres"
	"pigsty/internal/secret"
)

// from returns where the backups are that t asks for, and whether that is
// elsewhere than in the place of c itself.
func (t *PITR) from(c *Cluster) (at place, elsewhere bool) {
	at = c.first().place()
	if t.Cluster != "" && t.Cluster != c.Name {
		at.Stanza, elsewhere = t.Cluster, true
	}
	if t.Repo != nil {
		at.Method, at.Repository, elsewhere = "", t.Repo, true
	}
	return at, elsewhere
}

// elsewhere is how m looks at the backups that t asks for, nil if they are in the
// place of m's own cluster.
func (m *Member) elsewhere(t *PITR) *postgres.Elsewhere {
	at, elsewhere := t.from(m.Cluster)
	if !elsewhere {
		return nil
	}
	return &postgres.Elsewhere{Stanza: at.Stanza, Config: secret.New(m.backupINIFor(at, "off", 0)), Dir: confDir, Group: dbsuGroup}
}

// compare finds out whether what is restored is the cluster's own. What a
// recovery that was cut knew still holds, since the data directory may be the new
// one already.
func (r *Recovery) compare(seen map[*Member]postgres.BackupsSeen) {
	r.Foreign = r.elsewhere || r.Seen.Other()
	r.Former = r.Seen.Server.System
	for _, m := range r.Cluster.Members {
		if s, ok := seen[m]; ok && r.Former == 0 {
			r.Former = s.Server.System
		}
	}
	if p := r.record; p != nil {
		r.Foreign = r.Foreign || p.Foreign
		if p.Former != 0 {
			r.Former = p.Former
		}
	}
}

// beside returns what was seen, without a server whose position, clock and
// timelines say nothing about the backups.
func (r *Recovery) beside() postgres.BackupsSeen {
	seen := r.Seen
	if r.Foreign {
		seen.Server = postgres.ServerSeen{}
	}
	return seen
}

// fits reports why what was seen cannot become the data of this cluster: backups of
// another version, or a cluster that could not archive afterwards.
func (r *Recovery) fits() error {
	seen, c := r.Seen, r.Cluster
	if want := strconv.Itoa(r.Member.Params.PgVersion); seen.Version != "" && seen.Version != want {
		return fmt.Errorf("the backups of %s are of PostgreSQL %s, and %s runs %s: set pg_version to %s for a cluster that they are restored to",
			r.from.Stanza, seen.Version, c.Name, want, seen.Version)
	}
	switch own := seen.Own; {
	case !r.elsewhere || own == nil:
		return nil
	case own.Problem != "":
		return fmt.Errorf("the repository of %s itself, where it has to archive afterwards, cannot be read: %s", c.Name, own.Problem)
	case !r.Member.ownRepository() && !slices.Contains([]uint64{0, seen.System, r.Former}, own.System):
		return fmt.Errorf("stanza %s, where %s has to archive afterwards, is of another database cluster (system identifier %d; %s has %d), which may be alive: "+
			"give this one another pg_cluster or repository path, or if that one is gone for good, run as %s `pgbackrest --stanza=%s --no-online stanza-upgrade`",
			c.Name, c.Name, own.System, c.Name, r.Former, r.Member.Params.PgDbsu, c.Name)
	}
	return nil
}

// Source says where the backups are, and whose they are.
func (r *Recovery) Source() string {
	text := r.from.words()
	switch {
	case r.Seen.Other():
		text += fmt.Sprintf("; of another database cluster, with the system identifier %d", r.Seen.System)
	case r.elsewhere && r.Seen.System != 0 && r.Seen.System == r.Former:
		text += "; of the same database cluster"
	}
	return text
}

// Archives says where the cluster archives when what it has comes from elsewhere,
// "" if that is no news.
func (r *Recovery) Archives() string {
	if !r.elsewhere {
		return ""
	}
	return fmt.Sprintf("to its own %s, which has no backup of this until `pigsty pg backup %s --type full`", r.Member.place().words(), r.Cluster.Name)
}

// followed returns the timeline that is followed, the backup's own if no other is.
func (r *Recovery) followed() int {
	if r.Line.ID > 0 {
		return r.Line.ID
	}
	return timelineOf(r.Set)
}

// beyond returns the newest timeline that the cluster's own archive has of the
// database cluster that is restored from elsewhere: as a copy that is made again
// finds it.
func (r *Recovery) beyond() int {
	own, server := r.Seen.Own, r.Seen.Server
	if own == nil {
		return 0
	}
	if server.System == r.Seen.System {
		return max(own.Timeline, server.Timeline)
	}
	return own.Timeline
}

// recoverySettings are what a server recovers with on m that has the configuration
// of other hosts: they may have more memory.
func (m *Member) recoverySettings() []string {
	var out []string
	for _, e := range clusterParameters(m) {
		if e.key == "shared_buffers" || e.key == "huge_pages" {
			out = append(out, fmt.Sprintf("%s=%v", e.key, e.value))
		}
	}
	if m.Params.PgVersion >= 15 {
		out = append(out, "archive_library=")
	}
	return out
}

// spooled is what pgBackRest has in its queue, in or out, for a stanza: segments of
// a database cluster that is no longer there, under names that come again.
func spooled(stanza, queue string) *resource.Absent {
	return &resource.Absent{Path: path.Join(spoolDir, "archive", stanza, queue), Tree: true, Reason: "it is of the database cluster that is given up"}
}

// known has Patroni expect the database cluster that was restored, unless it is
// certainly the one that was there.
func (r *Recovery) known(b *plan.Builder) []string {
	if !r.Foreign && r.Seen.System != 0 && r.Seen.Server.System != 0 {
		return nil
	}
	m := r.Member
	p := m.Params
	var out []string
	if r.Foreign {
		out = append(out, b.Add(spooled(r.Cluster.Name, "out")))
	}
	return append(out, b.Add(etcd.Identity{
		API:    etcd.API{Endpoints: m.etcdEndpoints(), CAFile: certDir + "/ca.crt", Username: m.scopeName(), Password: m.etcdPassword()},
		Prefix: m.ownPrefix(), Data: p.PgData, Bin: p.PgBinDir, User: p.PgDbsu, After: []string{r.restore().Key()},
	}))
}

// etcdEndpoints returns the URLs at which Patroni on m reaches etcd.
func (m *Member) etcdEndpoints() []string {
	var out []string
	for _, at := range m.Cluster.Etcd {
		out = append(out, "https://"+at)
	}
	return out
}

// addLogins has roles and pools be as the inventory declares them: what comes from
// elsewhere has passwords of its own. It returns the ID of the step after which
// replicas can log in; where another fails the cluster is restored all the same.
func (r *Recovery) addLogins(b *plan.Builder) (replication []string, pools []*plan.Step) {
	if !r.Foreign {
		return nil, nil
	}
	c, p := r.Cluster, r.Member.Params
	var roles []string
	for _, u := range p.roles() {
		id := b.AddOnLeader(c.Name, c.addresses(), c.first().role(u))
		if u.Name == p.PgReplicationUsername {
			replication = append(replication, id)
		}
		roles = append(roles, id)
	}
	for _, m := range c.Members {
		if m.Params.PgbouncerEnabled {
			pool := m.builder().Tag("pg_pitr", "up").After(m.readyID())
			m.addUserList(pool, roles...)
			pools = append(pools, pool.Steps()...)
		}
	}
	return replication, pools
}

// empty makes room on a replica for a copy of the leader.
func (r *Recovery) empty(b *plan.Builder, m *Member) []string {
	out := []string{b.Add(postgres.Outdated{Data: m.Params.PgData, Unit: "patroni.service"})}
	if r.Foreign {
		out = append(out, b.Add(spooled(r.Cluster.Name, "in")), b.Add(spooled(r.Cluster.Name, "out")))
	}
	return out
}

// addStanza makes the cluster's own stanza on m, or in the repository that members
// share, one of the database cluster that came from elsewhere.
func (r *Recovery) addStanza(b *plan.Builder, m *Member) []string {
	if !r.elsewhere {
		return nil
	}
	s := m.stanza()
	s.Former = r.Former
	if s.Shared {
		return []string{b.AddOnLeader(r.Cluster.Name, r.Cluster.addresses(), s)}
	}
	return []string{b.Add(s)}
}
