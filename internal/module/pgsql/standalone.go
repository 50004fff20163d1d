package pgsql

import (
	"slices"

	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

const postgresUnit = "postgres.service"

// Standalone reports whether the cluster runs without Patroni already, which
// patroni_mode: remove takes away once it has made the cluster.
func (c *Cluster) Standalone() bool {
	return c.Params.PatroniMode == "remove" && slices.ContainsFunc(c.Members, func(m *Member) bool {
		return slices.Contains(m.Facts.Units, postgresUnit)
	})
}

// addServerUnit runs PostgreSQL by itself, with what Patroni wrote when it was
// there.
func (m *Member) addServerUnit(b *plan.Builder, after ...string) string {
	p := m.Params
	b = b.Tag("pg_launch", "pg_patroni").After(after...)
	b.Add(resource.NewFile("/etc/systemd/system/"+postgresUnit, render("postgres.service.tmpl", m.unitLimits(8388608))))
	return b.Add(&resource.Unit{
		Name: postgresUnit, Enabled: true, Running: true, RestartImpact: resource.ImpactRestart,
		ReloadOn: []string{p.PgData + "/pg_hba.conf", certDir + "/"},
	})
}

// addRemoval takes Patroni away from the members that are covered, when
// everything else is done. The cluster is paused by then (see addDynamicConfig),
// so that its servers go on as they are, leader and replicas, and nobody takes
// over while they change hands one after another.
func (c *Cluster) addRemoval(covered []*Member, done []string) []*plan.Step {
	var out []*plan.Step
	after := slices.Clone(done)
	for _, m := range covered {
		b := m.builder().Tag("pg_bootstrap", "patroni").After(after...).After(m.readyID())
		handed := b.Tag("pg_launch", "pg_patroni")
		handed.Add(&resource.UnitAbsent{Name: "patroni.service"})
		stopped := handed.Add(m.stopped(resource.ImpactRestart))
		after = append(after, m.addServerUnit(b, stopped))
		out = append(out, b.Steps()...)
	}
	return out
}

// removeServerUnit stops a server that runs without Patroni.
func (m *Member) removeServerUnit(b *plan.Builder) {
	if slices.Contains(m.Facts.Units, postgresUnit) {
		b.Add(&resource.UnitAbsent{Name: postgresUnit})
	}
}
