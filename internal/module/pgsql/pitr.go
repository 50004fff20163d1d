package pgsql

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pigsty/internal/plan"
	"pigsty/internal/resource"
	"pigsty/internal/resource/patroni"
	"pigsty/internal/resource/postgres"
)

// PITRTags are the tags of a point-in-time recovery, in its order.
var PITRTags = []string{"pg_pitr", "down", "pause", "stop", "pitr", "config", "restore", "up", "start", "resume", "replica"}

// pitrConfig is pgBackRest's configuration for a restore.
const pitrConfig = confDir + "/pitr.conf"

// Recovery is the point-in-time recovery of a whole cluster: what pg_pitr asks
// for, and how that can be had from the backups that were seen.
type Recovery struct {
	Cluster *Cluster
	Member  *Member // who is restored, and leads afterwards
	Target  *PITR
	Set     postgres.BackupSet
	Line    postgres.Timeline    // that is followed; without a number that of the backup
	Seen    postgres.BackupsSeen // on Member's host
	Phase   string               // of one that was cut, see postgres.Progress; empty for a new one

	paused bool               // whether Patroni answers, so that it can be told to do nothing
	record *postgres.Progress // of a recovery that was cut and is to be finished
}

// Wanted returns what pg_pitr asks of c, and whether it is set.
func (c *Cluster) Wanted() (*PITR, bool) {
	m := c.first()
	_, set := m.Vars.Get("pg_pitr")
	return &m.Params.PgPitr, set
}

// Recover finds out how target can be reached. view is nil when no Patroni
// answers; on names the member to restore, the leader if it is empty. The error
// says why the target cannot be reached.
func (c *Cluster) Recover(target *PITR, view *patroni.Cluster, on string, seen map[*Member]postgres.BackupsSeen) (*Recovery, error) {
	r := &Recovery{Cluster: c, Target: target, paused: view != nil}
	if c.standby() {
		return nil, fmt.Errorf("%s stands by for another cluster, which it follows again after a restore: restore that one", c.Name)
	}
	if err := target.supported(c); err != nil {
		return nil, err
	}
	leader := ""
	if view != nil {
		if m, ok := view.Leader(); ok {
			leader = m.Name
		}
	}
	if !r.choose(leader, on, seen) {
		return nil, fmt.Errorf("nobody leads %s, and no server of it runs as a primary: name the member with the latest data by --member, since each has a repository of its own", c.Name)
	}
	var ok bool
	if r.Seen, ok = seen[r.Member]; !ok {
		return nil, fmt.Errorf("%s was not reached", r.Member.Instance())
	}
	r.record = r.cut(r.Seen, leader)
	if p := r.record; p != nil && p.Request == r.request() {
		r.Phase, r.Set.Label, r.Line.ID = p.Phase, p.Set, p.Timeline
		for _, s := range r.Seen.Sets {
			if s.Label == p.Set {
				r.Set = s
			}
		}
		if r.Phase == postgres.PhaseRecovered && leader == "" && !r.Seen.Server.Running {
			r.Phase = postgres.PhaseRestored // the host was restarted: its server has to be started anew
		}
		return r, nil
	}
	var err error
	if r.Set, r.Line, err = target.pick(r.Seen); err == nil {
		err = r.kept()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Member.Instance(), err)
	}
	return r, nil
}

// choose finds the member to restore: the one that is named, one that is being
// restored, the leader, the one whose server runs as a primary. With none of
// these it is the one that began the cluster, if that is as good as any: it
// reports whether there is such a member.
func (r *Recovery) choose(leader, on string, seen map[*Member]postgres.BackupsSeen) bool {
	r.Member = r.Cluster.first()
	found := len(r.Cluster.Members) == 1 || r.Cluster.Params.PgbackrestMethod != "local"
	take := func(m *Member) { r.Member, found = m, true }
	for m, s := range seen {
		if s.Server.Running && !s.Server.Replica {
			take(m)
		}
	}
	if m := r.Cluster.Member(leader); m != nil {
		take(m)
	}
	for _, m := range r.Cluster.Members {
		if s, ok := seen[m]; ok && r.cut(s, leader) != nil {
			take(m)
		}
	}
	if m := r.Cluster.Member(on); m != nil {
		take(m)
	}
	return found
}

// cut returns the record of a recovery that was cut on a member, unless the cluster
// has outlived it: while a recovery is under way nobody leads, save at its very
// end.
func (r *Recovery) cut(s postgres.BackupsSeen, leader string) *postgres.Progress {
	p := s.Recovery
	if p == nil || leader != "" && (p.Phase != postgres.PhaseRecovered || p.Request != r.request()) {
		return nil
	}
	return p
}

// request is what tells one recovery from another.
func (r *Recovery) request() string {
	return strings.Join(append(r.Target.options(), "timeline "+r.Target.Timeline, "set "+r.Target.Set, fmt.Sprint("aside ", r.Target.Backup)), " ")
}

// options returns what pgbackrest restore is told of the target and its timeline.
// A backup that is restored alone needs none.
func (r *Recovery) options() []string {
	out := r.Target.options()
	switch {
	case r.Target.Type == "immediate":
	case r.Line.ID > 0:
		out = append(out, "--target-timeline="+strconv.Itoa(r.Line.ID))
	case r.Target.Timeline == "current":
		out = append(out, "--target-timeline=current")
	}
	return out
}

// Stops returns the members that a recovery stops, the one that is restored last.
func (r *Recovery) Stops() []string {
	var out []string
	for _, m := range r.replicas() {
		out = append(out, m.Instance())
	}
	return append(out, r.Member.Instance())
}

func (r *Recovery) replicas() []*Member {
	return slices.DeleteFunc(slices.Clone(r.Cluster.Members), func(m *Member) bool { return m == r.Member })
}

// Steps returns what the recovery takes, or what is left of it: Patroni is
// paused, so that nobody is promoted meanwhile; replicas stop and then the
// member that is restored; it recovers, and Patroni takes it over as leader.
// Only then do the replicas lose their data, to be copied anew.
func (r *Recovery) Steps() []*plan.Step {
	c, t := r.Cluster, r.Member
	p := t.Params
	b := t.builder().Tag("pg_pitr")
	var out []*plan.Step
	var before []string
	if r.Phase != postgres.PhaseRecovered {
		down := b.Tag("down")
		if r.paused {
			before = append(before, down.Tag("pause").AddOnLeader(c.Name, c.addresses(), patroni.Paused{API: c.api(), Cluster: t.scopeName(), On: true}))
		}
		pitr := b.Tag("pitr")
		before = append(before, pitr.Tag("config").After(before...).Add(resource.NewFile(pitrConfig, r.Member.backupINIFor("detail", orZero(r.Target.Process)), resource.Mode(0o600),
			resource.OwnedBy(p.PgDbsu, dbsuGroup), resource.Masking(r.Member.backupSecrets()...))))
		before = append(before, pitr.After(before...).Add(postgres.RestoreBegun{Progress: postgres.Progress{
			Cluster: c.Name, Request: r.request(), Phase: postgres.PhaseBegun, Set: r.Set.Label, Whole: r.complete(), InArchive: r.inArchive(), Timeline: r.Line.ID,
		}}))
		var stopped []string
		for _, m := range r.replicas() {
			mb := m.builder().Tag("pg_pitr", "down", "stop").After(before...)
			stopped = append(stopped, m.halt(mb))
			out = append(out, mb.Steps()...)
		}
		if r.Phase != postgres.PhaseRestored {
			stopped = append(stopped, t.halt(down.Tag("stop").After(append(stopped, before...)...)))
		}
		before = append(before, pitr.Tag("restore").After(append(stopped, before...)...).Add(r.restore()))
	}
	up := b.Tag("up", "start")
	before = append(before, up.After(before...).Add(t.patroniUnit()))
	before = append(before, up.After(before...).Add(t.ready()))
	before = append(before, up.After(before...).Add(patroni.Adopt{API: t.api(), Member: t.Instance(), Unit: postgres.RecoveryUnit}))
	before = append(before, b.Tag("up", "resume").After(before...).AddOnLeader(c.Name, c.addresses(), patroni.Paused{API: c.api(), Cluster: t.scopeName()}))
	followed := slices.Clone(before)
	for _, m := range r.replicas() {
		mb := m.builder().Tag("pg_pitr", "up", "replica").After(before...)
		outdated := mb.Add(postgres.Outdated{Data: m.Params.PgData, Unit: "patroni.service"})
		followed = append(followed, mb.After(outdated).Add(m.patroniUnit(), m.ready()))
		out = append(out, mb.Steps()...)
	}
	followed = append(followed, b.Tag("up").After(before...).AddOnLeader(c.Name, c.addresses(), postgres.ArchiveCheck{Stanza: t.stanza()}))
	b.Tag("up").After(followed...).Add(&resource.Absent{Path: postgres.ProgressPath, Reason: "the recovery is done"})
	return append(b.Steps(), out...)
}

// halt stops m's Patroni and then its server, and returns the last step's ID.
func (m *Member) halt(b *plan.Builder) string {
	b.Add(&resource.UnitAbsent{Name: "patroni.service"})
	return b.Add(m.stopped(resource.ImpactRestart))
}

func (r *Recovery) restore() postgres.Restore {
	p := r.Member.Params
	out := postgres.Restore{
		Server: r.Member.server(), Name: r.Cluster.Name, Data: p.PgData, Bin: p.PgBinDir, Config: pitrConfig, Stanza: r.Cluster.Name,
		Request: r.request(), Set: r.Set.Label, Target: r.options(), Whole: r.whole(), InArchive: r.inArchive(),
	}
	if r.Target.Backup {
		out.Aside = r.Member.aside()
	}
	return out
}

// aside is where a restore keeps m's data directory if it is asked to.
func (m *Member) aside() string { return m.Params.PgData + "-backup" }
