// Package pgsql is the PGSQL module: PostgreSQL clusters with Patroni, PgBouncer,
// pgBackRest and HAProxy. This file is its plays; every other file is one topic
// of them, in the order that things happen on a host.
package pgsql

import (
	"slices"

	"pigsty/internal/module"
	"pigsty/internal/plan"
)

const moduleName = "PGSQL"

// tags are what the steps of the main play carry, in its order. Some belong to
// parts that other versions bring, so that naming them is no mistake.
var tags = []string{
	"pgsql", "pg_install", "pg_dbsu", "pg_dbsu_create", "pg_dbsu_sudo", "pg_ssh", "pg_pkg", "pg_pre", "pg_ext", "pg_extension", "pg_post",
	"pg_link", "pg_path", "pg_dir", "pg_bin", "pg_alias", "pg_dummy",
	"pg_bootstrap", "pg_cert", "pg_cert_private", "pg_cert_issue", "pg_cert_copy", "pg_config", "pg_conf", "pg_etcd", "pg_key",
	"pg_launch", "pg_primary", "pg_replica", "pg_pass", "pg_file", "pg_hba", "pg_param", "pg_restart", "pg_reload", "patroni_reload", "pg_patroni",
	"pg_provision", "pg_init", "pg_user", "pg_db", "pg_db_baseline",
	"pg_backup", "pgbackrest", "pgbackrest_dir", "pgbackrest_config", "pgbackrest_init", "pgbackrest_backup", "pg_crontab",
	"pg_access", "pgbouncer", "pgbouncer_dir", "pgbouncer_config", "pgbouncer_hba", "pgbouncer_user", "pgbouncer_launch", "pgbouncer_reload",
	"pg_vip", "pg_vip_config", "pg_vip_launch",
	"pg_service", "pg_service_config", "pg_service_reload", "haproxy", "haproxy_install", "haproxy_config", "haproxy_launch", "haproxy_reload",
	"postgres", "patroni",
	"pg_register", "register", "add_metrics", "add_ds", "pg_dns", "add_dns",
}

// Module returns the module.
func Module() module.Module {
	return module.Module{
		Declaration: Declaration(),
		Check:       Check,
		Ports:       ports,
		Advise:      advise,
		Instances:   instances,
		Extras:      extras,
		Register:    register,
		Plays: []module.Play{
			{Name: "pgsql", Short: "Create PostgreSQL clusters and keep them as declared", Tags: tags, Deploy: 40, Steps: deploy, Registration: module.Registers},
			{Name: "pgsql-user", Short: "Create or change a user of a cluster", Tags: []string{"postgres", "pgbouncer"}, Steps: user},
			{Name: "pgsql-db", Short: "Create or change a database of a cluster", Tags: []string{"postgres", "pgbouncer", "add_ds"}, Steps: database, Registration: module.Registers},
			{Name: "pgsql-hba", Short: "Apply a cluster's access rules", Tags: []string{"pg_hba", "pg_reload", "pgbouncer_hba", "pgbouncer_reload"}, Steps: access},
			{Name: "pgsql-svc", Short: "Publish a cluster's services", Tags: []string{"pg_service", "pg_service_config", "pg_service_reload"}, Steps: publish, Registration: module.Registers},
			{Name: "pgsql-ext", Short: "Install a cluster's extensions", Tags: []string{"pg_ext", "pg_extension"}, Steps: extensions},
			{Name: "pgsql-rm", Short: "Remove PostgreSQL instances or whole clusters", Tags: removeTags, Steps: remove, Removes: removes, Registration: module.Deregisters},
		},
	}
}

// builder returns a builder of m's steps.
func (m *Member) builder() *plan.Builder { return plan.NewBuilder(m.Name(), moduleName).Tag("pgsql") }

// each calls add with every cluster that has members among hosts, and those
// members, and returns the steps of all.
func each(s *module.Site, hosts []*module.Host, add func(c *Cluster, covered []*Member) []*plan.Step) []*plan.Step {
	var out []*plan.Step
	covering(s, hosts, func(c *Cluster, covered []*Member) { out = append(out, add(c, covered)...) })
	return out
}

// deploy is the play pgsql: hosts get ready all at once, the primary begins its
// cluster, replicas follow, and what is in the cluster comes by way of its leader.
func deploy(s *module.Site, hosts []*module.Host) []*plan.Step {
	return each(s, hosts, func(c *Cluster, covered []*Member) []*plan.Step {
		var out []*plan.Step
		if c.Standalone() {
			out = addRemoval(slices.DeleteFunc(slices.Clone(covered), func(m *Member) bool { return !m.handed() }), nil)
		}
		for _, m := range covered {
			b := m.builder()
			m.addInstall(b.Tag("pg_install"), s)
			m.addCert(b.Tag("pg_bootstrap"), s.CA)
			m.addBackup(b)
			if m.Params.PatroniEnabled {
				boot := b.Tag("pg_bootstrap", "patroni")
				m.addSodium(boot.Tag("pg_config"))
				if !c.Standalone() {
					m.addPatroniConfig(boot.Tag("pg_config"))
					if m.primary() {
						c.addAccountInEtcd(boot, s)
					}
					m.addLaunch(boot)
					m.addReturn(boot)
				}
				m.addDrift(boot)
				m.addHBA(boot)
				m.addFiles(boot, s)
				m.addStanza(b)
				m.addCrontab(b)
			}
			out = append(out, b.Steps()...)
		}
		roles := c.addContents(&out, s)
		for _, m := range covered {
			b := m.builder()
			if m.Params.PgbouncerEnabled {
				pool := b.Tag("pg_access", "pgbouncer")
				m.addPgBouncer(pool)
				m.addUserList(pool, append(roles, m.readyID())...)
			}
			m.addVIP(b.Tag("pg_access"), s)
			out = append(out, b.Steps()...)
		}
		if c.Params.PatroniEnabled && !c.managed() {
			var done []string
			for _, step := range out {
				done = append(done, step.ID())
			}
			out = append(out, addRemoval(slices.DeleteFunc(slices.Clone(covered), (*Member).handed), done)...)
		}
		return append(out, addServices(s, c, hosts, covered, !c.managed())...)
	})
}

// addInstall adds what is on the host before there is a cluster.
func (m *Member) addInstall(b *plan.Builder, s *module.Site) {
	m.addAccount(b)
	m.addExchange(b, s)
	m.addPackages(b)
	m.addDirectories(b)
	m.addEnvironment(b)
	m.addScripts(b)
	m.addDummy(b)
}

// addContents appends the steps that run on the cluster's leader, and returns
// the IDs of those that make roles.
func (c *Cluster) addContents(out *[]*plan.Step, s *module.Site) []string {
	if !c.Params.PatroniEnabled {
		return nil
	}
	b := c.first().builder().Tag("postgres")
	var configured []string
	if c.Standalone() {
		for _, m := range c.Members {
			if m.handed() {
				configured = append(configured, m.readyID())
			}
		}
	} else {
		c.addLeaderReady(b.Tag("pg_bootstrap", "patroni"))
		configured = append(c.addDynamicConfig(b.Tag("pg_bootstrap", "patroni")), c.leaderReadyID())
	}
	var roles []string
	if c.writable() {
		c.addRepository(b.After(configured...))
		roles = c.addProvision(b.Tag("pg_provision").After(configured...), s)
	}
	*out = append(*out, b.Steps()...)
	return roles
}

// writable reports whether the cluster's leader accepts writes: that of a
// standby cluster follows another cluster and has all its contents from there.
func (c *Cluster) writable() bool { return !c.standby() }

// addProvision adds roles, then what every database holds, then databases.
func (c *Cluster) addProvision(b *plan.Builder, s *module.Site) []string {
	roles := c.addRoles(b.Tag("pg_user"), func(User) bool { return true })
	contents := b.After(roles...)
	var base []string
	if c.Params.PgProvision {
		c.addReplicationGrants(contents.Tag("pg_init"))
		base = c.addBase(contents.Tag("pg_init", "pg_db"))
	}
	c.addDatabases(contents.Tag("pg_db").After(base...), s, false, func(Database) bool { return true })
	return roles
}

// user is the play pgsql-user: one user, or all, on the leader and in the pools.
func user(s *module.Site, hosts []*module.Host) []*plan.Step {
	name := s.Chosen["username"]
	return each(s, hosts, func(c *Cluster, covered []*Member) []*plan.Step {
		b := c.first().builder().Tag("postgres", "pg_user")
		roles := c.addRoles(b, func(u User) bool { return name == "" || u.Name == name })
		out := b.Steps()
		for _, m := range covered {
			out = append(out, m.pool(roles, "pg_user")...)
		}
		return out
	})
}

// database is the play pgsql-db: one database, or all, on the leader and in the
// pools. One that is named may be recreated.
func database(s *module.Site, hosts []*module.Host) []*plan.Step {
	name := s.Chosen["dbname"]
	return each(s, hosts, func(c *Cluster, covered []*Member) []*plan.Step {
		b := c.first().builder().Tag("postgres", "pg_db")
		c.addDatabases(b, s, name != "", func(d Database) bool { return name == "" || d.Name == name })
		out := b.Steps()
		for _, m := range covered {
			out = append(out, m.pool(nil, "pg_db")...)
		}
		return out
	})
}

// pool returns those steps of m's connection pool that carry tag.
func (m *Member) pool(roles []string, tag string) []*plan.Step {
	if !m.Params.PgbouncerEnabled {
		return nil
	}
	b := m.builder().Tag("pgbouncer")
	m.addPgBouncer(b)
	m.addUserList(b, roles...)
	return tagged(b.Steps(), tag)
}

// access is the play pgsql-hba.
func access(s *module.Site, hosts []*module.Host) []*plan.Step {
	return each(s, hosts, func(_ *Cluster, covered []*Member) []*plan.Step {
		var out []*plan.Step
		for _, m := range covered {
			b := m.builder()
			if m.Params.PatroniEnabled {
				if !m.Cluster.Standalone() {
					m.addPatroniConfig(b)
					m.addLaunch(b)
				}
				m.addHBA(b)
			}
			out = append(out, tagged(b.Steps(), "pg_hba")...)
			out = append(out, m.pool(nil, "pgbouncer_hba")...)
		}
		return out
	})
}

// publish is the play pgsql-svc.
func publish(s *module.Site, hosts []*module.Host) []*plan.Step {
	return each(s, hosts, func(c *Cluster, covered []*Member) []*plan.Step {
		var out []*plan.Step
		if c.Standalone() { // which looks whether they are what the inventory says
			for _, m := range covered {
				b := m.builder().Tag("pg_service", "pg_service_config")
				b.Add(m.handover())
				out = append(out, b.Steps()...)
			}
		}
		return append(out, addServices(s, c, hosts, covered, c.Standalone())...)
	})
}

// extensions is the play pgsql-ext: packages on the members, and the extensions
// of databases that exist.
func extensions(s *module.Site, hosts []*module.Host) []*plan.Step {
	return each(s, hosts, func(c *Cluster, covered []*Member) []*plan.Step {
		var out []*plan.Step
		for _, m := range covered {
			b := m.builder()
			m.addExtensionPackages(b)
			out = append(out, b.Steps()...)
		}
		m := c.first()
		b := m.builder().Tag("pg_ext", "pg_extension")
		for _, d := range m.Params.PgDatabases {
			for _, e := range d.Extensions {
				if d.State != "absent" && c.writable() {
					b.AddOnLeader(c.Name, c.addresses(), m.extension(d.Name, e))
				}
			}
		}
		return append(out, b.Steps()...)
	})
}

// tagged returns the steps that carry tag.
func tagged(steps []*plan.Step, tag string) []*plan.Step {
	var out []*plan.Step
	for _, s := range steps {
		if s.Tagged([]string{tag}) {
			out = append(out, s)
		}
	}
	return out
}
