package pgsql

import (
	_ "embed"
	"slices"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
	"pigsty/internal/resource/postgres"
)

// adminRole is the role that may create objects in every database.
const adminRole = "dbrole_admin"

// baseDatabases are the databases that every cluster has and that people's are
// copied from, directly or in spirit.
var baseDatabases = []string{"template1", "postgres"}

// addBase adds what every cluster's databases hold: schemas, extensions and
// privileges. It returns the IDs of what a database copied from template1 must
// wait for.
func (c *Cluster) addBase(b *plan.Builder) []string {
	m := c.first()
	p := m.Params
	var ids []string
	for _, db := range baseDatabases {
		var rs []resource.Resource
		for _, s := range p.PgDefaultSchemas {
			rs = append(rs, m.schema(db, s))
		}
		for _, e := range p.PgDefaultExtensions {
			rs = append(rs, m.extension(db, e))
		}
		rs = append(rs, m.privileges(Database{Name: db}, false), m.defaultPrivileges(db, ""))
		if m.Params.watched() {
			rs = append(rs, m.monitor(db))
		}
		for _, r := range rs {
			id := b.AddOnLeader(c.Name, c.addresses(), r)
			if db == "template1" {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// addDatabases adds those databases of c that want picks with what is in them.
// recreate allows one whose state is recreate to be dropped and made again.
func (c *Cluster) addDatabases(b *plan.Builder, s *module.Site, recreate bool, want func(Database) bool) {
	m := c.first()
	for _, d := range m.Params.PgDatabases {
		if !want(d) {
			continue
		}
		b.AddOnLeader(c.Name, c.addresses(), m.database(d, recreate))
		if d.State == "absent" {
			continue
		}
		baseline := b.Tag("pg_db_baseline")
		add := func(r resource.Resource) { baseline.AddOnLeader(c.Name, c.addresses(), r) }
		if !slices.Contains(baseDatabases, d.Name) {
			add(m.privileges(d, true))
			add(m.defaultPrivileges(d.Name, d.Owner))
		}
		for _, s := range d.Schemas {
			add(m.schema(d.Name, s))
		}
		for _, e := range d.Extensions {
			add(m.extension(d.Name, e))
		}
		switch script, err := s.File(d.Baseline); {
		case d.Baseline == "":
		case err != nil:
			add(&resource.Impossible{Name: "baseline " + d.Name, Why: err.Error()})
		default:
			add(postgres.NewBaseline(m.server(), d.Name, d.Baseline, script))
		}
	}
}

// monitorSQL makes the objects that the monitoring user reads.
//
//go:embed monitor.sql
var monitorSQL []byte

// monitorSchema is where they are.
const monitorSchema = "monitor"

// watched reports whether the inventory wants them: whether it declares their schema.
func (p *Params) watched() bool {
	return slices.ContainsFunc(p.PgDefaultSchemas, func(s Schema) bool { return s.Name == monitorSchema && s.State != "absent" })
}

// monitor returns the script that makes those objects in db. It can be
// repeated, and is when a later version of it comes.
func (m *Member) monitor(db string) postgres.Baseline {
	b := postgres.NewBaseline(m.server(), db, "monitor.sql", monitorSQL)
	b.Topic, b.Again = monitorSchema, true
	return b
}

// database returns the resource for d on the leader.
func (m *Member) database(d Database, recreate bool) postgres.Database {
	return postgres.Database{
		Server: m.server(), Name: d.Name, State: postgres.State(d.State), Force: recreate && d.State == "recreate",
		Owner: d.Owner, Template: d.Template, Encoding: d.Encoding, Locale: d.Locale,
		LCCollate: d.LcCollate, LCCtype: d.LcCtype, LocaleProvider: d.LocaleProvider,
		ICULocale: d.ICULocale, ICURules: d.ICURules, BuiltinLocale: d.BuiltinLocale, Strategy: d.Strategy,
		Tablespace: d.Tablespace, IsTemplate: postgres.Maybe(d.IsTemplate), AllowConn: postgres.Maybe(d.AllowConn),
		ConnLimit: postgres.Maybe(d.ConnLimit), Parameters: d.Parameters, Comment: d.Comment,
	}
}

func (m *Member) schema(db string, s Schema) postgres.Schema {
	return postgres.Schema{Server: m.server(), DB: db, Name: s.Name, Owner: s.Owner, State: postgres.State(s.State)}
}

func (m *Member) extension(db string, e Extension) postgres.Extension {
	return postgres.Extension{
		Server: m.server(), DB: db, Name: e.Name, Schema: e.Schema, Version: e.Version, State: postgres.State(e.State),
		Packages: []string{"packages"},
	}
}
