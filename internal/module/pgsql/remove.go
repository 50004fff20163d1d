package pgsql

import (
	"fmt"
	"path"
	"slices"

	"pigsty/internal/diag"
	"pigsty/internal/module"
	"pigsty/internal/module/etcd"
	"pigsty/internal/module/node"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
	resetcd "pigsty/internal/resource/etcd"
	"pigsty/internal/resource/postgres"
)

// removeTags are the tags of pgsql-rm, in its order.
var removeTags = []string{
	"pg_access", "pg_vip", "pg_vip_config", "pg_vip_launch", "pg_service", "pgbouncer", "postgres", "pg_replica", "pg_primary", "pg_meta", "pg_backup", "pg_data", "pg_crontab", "pg_pkg",
	"pg_deregister", "deregister", "rm_metrics", "rm_ds", "pg_dns", "rm_dns",
}

// removes names the clusters that a removal ends, else the instances that it
// takes from one, and says what refuses it.
func removes(s *module.Site, hosts []*module.Host) ([]string, diag.List) {
	var names []string
	var refused diag.List
	covering(s, hosts, func(c *Cluster, covered []*Member) {
		if len(covered) == len(c.Members) {
			names = append(names, c.Name)
		}
		for _, m := range covered {
			if len(covered) < len(c.Members) {
				names = append(names, m.Instance())
			}
			if m.Params.PgSafeguard {
				refused.Add(diag.Diagnostic{
					Code: "safeguard", Pos: m.At("pg_safeguard"),
					Message: fmt.Sprintf("pg_safeguard protects %s on %s", m.Instance(), m.Name()),
					Advice:  "set pg_safeguard: false for it, if its data is really to go",
				})
			}
		}
	})
	return names, refused
}

// remove is the play pgsql-rm. Clients go first, then replicas, then the leader,
// and only when nothing runs any more what it left on disk. What the cluster
// keeps in etcd goes only with its last member, whoever led it.
func remove(s *module.Site, hosts []*module.Host) []*plan.Step {
	return each(s, hosts, func(c *Cluster, gone []*Member) []*plan.Step {
		whole := len(gone) == len(c.Members)
		gone = slices.Clone(gone)
		slices.SortStableFunc(gone, func(a, b *Member) int { // the primary last
			switch {
			case a.primary() == b.primary():
				return 0
			case a.primary():
				return 1
			}
			return -1
		})
		var out []*plan.Step
		var stopped, backups []string
		for _, m := range gone {
			b := m.builder()
			m.removeAccess(b.Tag("pg_access"), s)
			stopped = append(stopped, m.removeServer(b.Tag("postgres"), whole, stopped))
			out = append(out, b.Steps()...)
		}
		out = append(out, c.removeFromProviders(s, hosts, whole)...)
		if whole {
			b := c.first().builder().After(stopped...)
			if len(c.Etcd) > 0 && c.Params.PatroniEnabled {
				meta := b.Tag("pg_meta")
				keys := meta.Add(resetcd.DeletePrefix{API: etcd.Access(s, node.CAFile), Prefix: c.first().ownPrefix()})
				if !c.first().sharded() { // other parts use the account too
					meta.After(keys).Add(resetcd.AccountAbsent{API: etcd.Access(s, node.CAFile), Name: c.first().scopeName()})
				}
			}
			out = append(out, b.Steps()...)
			var deleted []*plan.Step
			deleted, backups = c.removeStanza(stopped)
			out = append(out, deleted...)
		}
		for _, m := range gone {
			b := m.builder().After(plan.ID(m.Name(), "unit absent patroni.service"), plan.ID(m.Name(), m.stopped(0).Key()),
				plan.ID(m.Name(), "unit absent pgbouncer.service"))
			if m == c.first() {
				b = b.After(backups...)
			}
			m.removeFiles(b)
			out = append(out, b.Steps()...)
		}
		return out
	})
}

// removeAccess takes the cluster's services and pool from m's host.
func (m *Member) removeAccess(b *plan.Builder, s *module.Site) {
	if !slices.Contains(m.Cluster.providers(s), m.Host) {
		withdraw(b.Tag("pg_service"), s, m.Host, m.Cluster.Name)
	}
	b.Tag("pgbouncer").Add(&resource.UnitAbsent{Name: "pgbouncer.service"})
	m.removeVIP(b)
}

// withdraw removes the services of a cluster from HAProxy on h.
func withdraw(b *plan.Builder, s *module.Site, h *module.Host, cluster string) {
	if !module.Params[node.Params](h).HaproxyEnabled {
		return
	}
	b.Add(&resource.Prune{Dir: node.HAProxyDir, Glob: cluster + "-*.cfg", Header: serviceHeader(cluster)})
	reloadHAProxy(b, s, h)
}

// removeFromProviders takes the services of a cluster that goes from those of
// hosts that publish them for it; register does on others.
func (c *Cluster) removeFromProviders(s *module.Site, hosts []*module.Host, whole bool) []*plan.Step {
	var out []*plan.Step
	for _, h := range c.providers(s) {
		if whole && slices.Contains(hosts, h) {
			b := c.serviceBuilder(h)
			withdraw(b, s, h, c.Name)
			out = append(out, b.Steps()...)
		}
	}
	return out
}

// removeServer stops Patroni, which stops PostgreSQL unless it is paused, and
// then PostgreSQL in any case. It returns the last step's ID.
func (m *Member) removeServer(b *plan.Builder, whole bool, after []string) string {
	role, impact := "pg_replica", resource.ImpactRestart
	if m.primary() {
		role = "pg_primary"
	}
	if !whole { // it may lead
		impact = resource.ImpactFailover
	}
	b = b.Tag(role).After(after...).After(plan.ID(m.Name(), "unit absent pgbouncer.service"))
	m.removeServerUnit(b)
	b.Add(&resource.UnitAbsent{Name: "patroni.service", Impact: impact})
	return b.Add(m.stopped(impact))
}

// stopped is m's data directory without a server.
func (m *Member) stopped(impact resource.Impact) postgres.Stopped {
	p := m.Params
	return postgres.Stopped{Data: p.PgData, Bin: p.PgBinDir, User: p.PgDbsu, Unit: "patroni.service", Impact: impact}
}

// removeStanza deletes the cluster's backups from a repository that others use
// too, if the inventory says so, and returns the ID of that. It needs the
// configuration and the data directory that removeFiles removes from that host.
func (c *Cluster) removeStanza(after []string) (steps []*plan.Step, ids []string) {
	if p := c.first().Params; !p.PgbackrestEnabled || !p.PgRmBackup || c.first().ownRepository() {
		return nil, nil
	}
	var idle []string
	for _, m := range c.Members {
		b := m.builder().Tag("postgres", "pg_backup")
		idle = append(idle, b.Add(postgres.StanzaIdle{Stanza: m.stanza(), Data: m.Params.PgData}))
		steps = append(steps, b.Steps()...)
	}
	m := c.first()
	b := m.builder().Tag("pg_backup").After(after...).After(idle...)
	id := b.Add(postgres.StanzaAbsent{Stanza: m.stanza(), Data: m.Params.PgData, Bin: m.Params.PgBinDir})
	return append(steps, b.Steps()...), []string{id}
}

// removeFiles removes what the instance left on disk: configuration always,
// backups, data and packages as the inventory says.
func (m *Member) removeFiles(b *plan.Builder) {
	p := m.Params
	tree := func(b *plan.Builder, at string) { b.Add(&resource.Absent{Path: at, Tree: true}) }
	file := func(b *plan.Builder, at string) { b.Add(&resource.Absent{Path: at}) }
	pool, server := b.Tag("pg_access", "pgbouncer"), b.Tag("postgres")
	tree(pool, poolDir)
	file(pool, "/etc/systemd/system/pgbouncer.service")
	tree(server, "/etc/patroni")
	file(server, "/etc/systemd/system/patroni.service")
	file(server, "/etc/systemd/system/"+postgresUnit)
	file(server, m.tmpfiles())
	file(server, "/etc/profile.d/pgsql.sh")
	file(server, "/etc/profile.d/pg-alias.sh")
	file(server, p.PgDbsuHome+"/.psqlrc")
	file(server, "/etc/sudoers.d/"+dbsuGroup)
	file(server, p.PgDbsuHome+"/.pgpass")
	m.removeExchange(server, "")
	m.removeEtcdName(server)
	dir, _ := m.cronTab()
	server.Tag("pg_crontab").Add(&resource.Prune{Dir: dir, Glob: p.PgDbsu, Header: managed})

	backup := b.Tag("pg_backup")
	tree(backup, backupDir)
	if p.PgRmBackup && m.ownRepository() {
		if repo := m.repositoryPath(); repo != homeDir+"/backup" && repo != m.backupHome() { // others may use it too
			for _, kind := range []string{"archive", "backup"} {
				backup.Add(&resource.Absent{Path: path.Join(repo, kind, m.Cluster.Name), Tree: true, Reason: "pg_rm_backup", Impact: resource.ImpactDataLoss})
			}
		}
		id := backup.Add(&resource.Absent{Path: m.backupHome(), Tree: true, Reason: "pg_rm_backup", Impact: resource.ImpactDataLoss})
		backup.After(id).Add(&resource.Absent{Path: path.Dir(m.backupHome()), Empty: true})
	}
	data := b.Tag("pg_data")
	if p.PgRmData {
		id := data.Add(&resource.Absent{Path: m.dataHome(), Tree: true, Reason: "pg_rm_data", Impact: resource.ImpactDataLoss})
		file(data.After(id), homeDir)
	} else {
		tree(data, certDir)
	}
	if p.PgRmPkg {
		var names []string
		for _, item := range append(m.extensionPackages(), expandPackages(m.Facts, m.packages(), version(p), "")...) {
			names = append(names, item.Name)
		}
		slices.Sort(names)
		b.Tag("pg_pkg").Add(&resource.PackagesAbsent{Names: slices.Compact(names)}, &resource.Absent{Path: path.Dir(p.PgBinDir)})
	}
}
