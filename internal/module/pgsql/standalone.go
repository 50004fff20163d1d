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

// handover is what remembers that m's server goes over.
func (m *Member) handover() postgres.Handed {
	return postgres.Handed{Patroni: m.api(), Name: m.Instance(), Data: m.Params.PgData, Unit: postgresUnit,
		Replica: m != m.Cluster.Primary || m.Cluster.standby(), New: m.Cluster.Standalone() && m.strange()}
}

// handoverIDs are the steps of members after which nobody but the inventory says
// who leads.
func handoverIDs(members []*Member) []string {
	var out []string
	for _, m := range members {
		out = append(out, plan.ID(m.Name(), m.handover().Key()))
	}
	return out
}

// addHanded makes ready for m's server to go over, and returns the last step's ID.
func (m *Member) addHanded(b *plan.Builder, after []string) string {
	b = b.Tag("pg_launch", "pg_patroni").After(after...)
	return b.After(b.Add(m.unitFile(postgresUnit, postgresFiles))).Add(m.handover())
}

// addHandover takes m's server from Patroni, which is paused by then (see
// addDynamicConfig) and so leaves it running when it stops, and has systemd run
// it with what Patroni wrote. Each step may be the last of a run that is cut. It
// returns the last one's ID.
func (m *Member) addHandover(b *plan.Builder, after []string) string {
	b = b.Tag("pg_launch", "pg_patroni").After(after...)
	gone := b.Add(&resource.UnitAbsent{Name: "patroni.service"})
	stopped := m.stopped(resource.ImpactRestart)
	stopped.Except = postgresUnit
	return b.After(gone, b.After(gone).Add(stopped)).Add(&resource.Unit{
		Name: postgresUnit, Enabled: true, Running: true, RestartImpact: resource.ImpactRestart,
		ReloadOn: []string{m.Params.PgData + "/pg_hba.conf", certDir + "/"},
	})
}

// addRemoval takes Patroni away from members after the steps in done: first all
// remember it, which is refused where a server leads against the inventory, then
// they change hands one after another. Servers go on as they are, leader and
// replicas, and nobody takes over meanwhile.
func addRemoval(members []*Member, done []string) []*plan.Step {
	var out []*plan.Step
	after := slices.Clone(done)
	for _, m := range members {
		b, before := m.builder().Tag("pg_bootstrap", "patroni"), slices.Clone(done)
		if !m.handed() {
			before = append(before, m.readyID())
		}
		after = append(after, m.addHanded(b, before))
		out = append(out, b.Steps()...)
	}
	for _, m := range members {
		b := m.builder().Tag("pg_bootstrap", "patroni")
		after = append(after, m.addHandover(b, after))
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
