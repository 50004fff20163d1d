package pgsql

import (
	"slices"

	"pigsty/internal/plan"
	"pigsty/internal/resource"
	"pigsty/internal/resource/postgres"
)

const postgresUnit = "postgres.service"

// managed reports whether Patroni stays with the cluster.
func (c *Cluster) managed() bool { return c.Params.PatroniMode != "remove" }

// Standalone reports whether the cluster runs without Patroni already, which
// patroni_mode: remove takes away once it has made the cluster. A run that is
// cut may have done so on some members only: Patroni starts on none again.
func (c *Cluster) Standalone() bool {
	return !c.managed() && slices.ContainsFunc(c.Members, (*Member).handed)
}

// handed reports whether m's server was about to go over from Patroni to a unit
// of its own, or has.
func (m *Member) handed() bool { return slices.Contains(m.Facts.Units, postgresUnit) }

// strange reports a host that Patroni was never on.
func (m *Member) strange() bool {
	return m.HasFacts && !m.handed() && !slices.Contains(m.Facts.Units, "patroni.service")
}

// addHandover takes m's server from Patroni, which is paused by then (see
// addDynamicConfig) and so leaves it running when it stops, and has systemd run
// it with what Patroni wrote. Each step may be the last of a run that is cut. It
// returns the last one's ID.
func (m *Member) addHandover(b *plan.Builder, after ...string) string {
	p := m.Params
	b = b.Tag("pg_launch", "pg_patroni").After(after...)
	before := []string{
		b.Add(m.unitFile(postgresUnit, postgresFiles)),
		b.Add(postgres.Handed{Patroni: m.api(), Name: m.Instance(), Data: p.PgData, Unit: postgresUnit,
			Replica: m != m.Cluster.Primary || m.Cluster.standby(), New: m.Cluster.Standalone() && m.strange()}),
	}
	before = append(before, b.After(before...).Add(&resource.UnitAbsent{Name: "patroni.service"}))
	stopped := m.stopped(resource.ImpactRestart)
	stopped.Except = postgresUnit
	before = append(before, b.After(before...).Add(stopped))
	return b.After(before...).Add(&resource.Unit{
		Name: postgresUnit, Enabled: true, Running: true, RestartImpact: resource.ImpactRestart,
		ReloadOn: []string{p.PgData + "/pg_hba.conf", certDir + "/"},
	})
}

// addRemoval takes Patroni away from those of the members that are covered that
// still have it, when everything else is done. Its servers go on as they are,
// leader and replicas, and nobody takes over while they change hands one after
// another.
func (c *Cluster) addRemoval(covered []*Member, done []string) []*plan.Step {
	var out []*plan.Step
	after := slices.Clone(done)
	for _, m := range covered {
		if m.handed() {
			continue
		}
		b := m.builder().Tag("pg_bootstrap", "patroni")
		after = append(after, m.addHandover(b, append(slices.Clone(after), m.readyID())...))
		out = append(out, b.Steps()...)
	}
	return out
}

// addReturn gives m's server back to Patroni, which the inventory wants again and
// which runs by then.
func (m *Member) addReturn(b *plan.Builder) {
	if m.handed() {
		b.Tag("pg_launch", "pg_patroni").After(m.readyID()).Add(postgres.Returned{Name: m.Instance(), Unit: postgresUnit})
	}
}

// removeServerUnit stops a server that runs without Patroni.
func (m *Member) removeServerUnit(b *plan.Builder) {
	if m.handed() {
		b.Add(&resource.UnitAbsent{Name: postgresUnit})
	}
}
