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

	// Foreign is a recovery of something else than the cluster's own data: from
	// elsewhere, or of another database cluster that had the stanza before this one.
	Foreign bool
	Former  uint64 // system identifier that the cluster has until then; 0 if nobody knows

	from      place              // where the backups are
	elsewhere bool               // whether that is not the cluster's own place
	paused    bool               // whether Patroni answers, so that it can be told to do nothing
	record    *postgres.Progress // of a recovery that was cut and is to be finished
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
	r.from, r.elsewhere = target.from(c)
	if c.standby() {
		return nil, fmt.Errorf("%s stands by for another cluster, which it follows again after a restore: restore that one", c.Name)
	}
	if err := target.supported(); err != nil {
		return nil, err
	}
	leader := ""
	if view != nil {
		if m, ok := view.Leader(); ok {
			leader = m.Name
		}
	}
	if several := r.contenders(seen); leader == "" && on == "" && len(several) > 1 && !r.isCut(seen) {
		return nil, fmt.Errorf("%s run as primaries, and nobody leads %s: name the one whose data count by --member", strings.Join(several, " and "), c.Name)
	}
	if !r.choose(leader, on, seen) {
		return nil, fmt.Errorf("nobody leads %s, and no server of it runs as a primary: name the member with the latest data by --member, since each has a repository of its own", c.Name)
	}
	var ok bool
	if r.Seen, ok = seen[r.Member]; !ok {
		return nil, fmt.Errorf("%s was not reached", r.Member.Instance())
	}
	r.record = r.cut(r.Seen, leader)
	r.compare(seen)
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
	err := r.fits()
	if err == nil {
		r.Set, r.Line, err = target.pick(r.beside())
	}
	if err == nil {
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
	found := len(r.Cluster.Members) == 1 || !r.elsewhere && r.Cluster.Params.PgbackrestMethod != "local" || r.elsewhere && !r.from.onHost()
	take := func(m *Member) { r.Member, found = m, true }
	for _, name := range r.contenders(seen) {
		take(r.Cluster.Member(name))
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

// contenders are the members whose servers run as primaries.
func (r *Recovery) contenders(seen map[*Member]postgres.BackupsSeen) []string {
	var out []string
	for _, m := range r.Cluster.Members {
		if s := seen[m].Server; s.Running && !s.Replica {
			out = append(out, m.Instance())
		}
	}
	return out
}

// isCut reports whether a recovery of a cluster that nobody leads was cut on one
// of its members.
func (r *Recovery) isCut(seen map[*Member]postgres.BackupsSeen) bool {
	return slices.ContainsFunc(r.Cluster.Members, func(m *Member) bool { return r.cut(seen[m], "") != nil })
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
	asked := append(r.Target.options(), "timeline "+r.Target.Timeline, "set "+r.Target.Set, fmt.Sprint("aside ", r.Target.Backup))
	if r.elsewhere {
		asked = append(asked, "from "+r.from.words())
	}
	return strings.Join(asked, " ")
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
		before = append(before, pitr.Tag("config").After(before...).Add(resource.NewFile(pitrConfig, t.backupINIFor(r.from, "detail", orZero(r.Target.Process)), resource.Mode(0o600),
			resource.OwnedBy(p.PgDbsu, dbsuGroup), resource.Masking(r.from.secrets()...))))
		before = append(before, pitr.After(before...).Add(postgres.RestoreBegun{Progress: postgres.Progress{
			Cluster: c.Name, Request: r.request(), Phase: postgres.PhaseBegun, Set: r.Set.Label, Whole: r.complete(), InArchive: r.inArchive(), Timeline: r.Line.ID,
			Foreign: r.Foreign, Former: r.Former,
		}, Fresh: r.Phase == ""}))
		var stopped []string
		for _, m := range r.replicas() {
			mb := m.builder().Tag("pg_pitr", "down", "stop").After(before...)
			stopped = append(stopped, m.halt(mb))
			out = append(out, mb.Steps()...)
		}
		if r.Phase != postgres.PhaseRestored {
			stopped = append(stopped, t.halt(down.Tag("stop").After(append(stopped, before...)...)))
		}
		if r.Foreign && r.Phase != postgres.PhaseRestored { // else a server may be reading from there
			stopped = append(stopped, pitr.After(append(stopped, before...)...).Add(spooled(r.from.Stanza, "in")))
		}
		before = append(before, pitr.Tag("restore").After(append(stopped, before...)...).Add(r.restore()))
	}
	up := b.Tag("up", "start")
	before = append(before, r.known(up.After(before...))...)
	before = append(before, up.After(before...).Add(t.patroniUnit()))
	before = append(before, up.After(before...).Add(t.ready()))
	before = append(before, up.After(before...).Add(patroni.Adopt{API: t.api(), Member: t.Instance(), Unit: postgres.RecoveryUnit}))
	before = append(before, b.Tag("up", "resume").After(before...).AddOnLeader(c.Name, c.addresses(), patroni.Paused{API: c.api(), Cluster: t.scopeName()}))
	replication, pools := r.addLogins(b.Tag("up").After(before...))
	before, out = append(before, replication...), append(out, pools...)
	followed := slices.Clone(before)
	for _, m := range r.replicas() {
		mb := m.builder().Tag("pg_pitr", "up", "replica").After(before...)
		emptied := r.empty(mb, m)
		ready := mb.After(emptied...).Add(m.patroniUnit(), m.ready())
		followed = append(followed, ready)
		if m.ownRepository() {
			followed = append(followed, r.addStanza(mb.After(ready), m)...)
		}
		out = append(out, mb.Steps()...)
	}
	archives := append(r.addStanza(b.Tag("up").After(before...), t), before...)
	followed = append(followed, b.Tag("up").After(archives...).AddOnLeader(c.Name, c.addresses(), postgres.ArchiveCheck{Stanza: t.stanza(), Restored: r.Foreign}))
	if r.elsewhere { // it may hold secrets that nothing else on the host has
		followed = append(followed, b.Tag("up").After(followed...).Add(&resource.Absent{Path: pitrConfig, Reason: "the recovery is done"}))
	}
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
		Server: r.Member.server(), Name: r.Cluster.Name, Data: p.PgData, Bin: p.PgBinDir, Config: pitrConfig, Stanza: r.from.Stanza,
		Request: r.request(), Set: r.Set.Label, Target: r.options(), Whole: r.whole(), InArchive: r.inArchive(),
	}
	if r.Foreign {
		out.Foreign, out.Settings = true, r.Member.recoverySettings()
		out.Timeline, out.Beyond = r.followed(), r.beyond()
	}
	if r.Target.Backup {
		out.Aside = r.Member.aside()
	}
	return out
}

// aside is where a restore keeps m's data directory if it is asked to.
func (m *Member) aside() string { return m.Params.PgData + "-backup" }
