package pgsql

import (
	"strings"

	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// cronTab returns the directory of the users' crontabs, and the superuser's own.
func (m *Member) cronTab() (dir, file string) {
	dir = "/var/spool/cron/crontabs"
	if m.Facts.Family == "rpm" {
		dir = "/var/spool/cron"
	}
	return dir, dir + "/" + m.Params.PgDbsu
}

// addCrontab keeps the superuser's crontab, nightly backups for instance. One that
// somebody else wrote stays when pg_crontab is empty.
func (m *Member) addCrontab(b *plan.Builder) {
	p := m.Params
	b = b.Tag("pg_crontab")
	dir, file := m.cronTab()
	if len(p.PgCrontab) == 0 {
		b.Add(&resource.Prune{Dir: dir, Glob: p.PgDbsu, Header: managed})
		return
	}
	daemon, unit := "cron", "cron.service"
	if m.Facts.Family == "rpm" {
		daemon, unit = "cronie", "crond.service"
	}
	b.Add(
		&resource.Packages{Items: []resource.PackageItem{{Name: daemon, For: "pg_crontab"}}},
		resource.NewFile(file, managed+"\n"+strings.Join(p.PgCrontab, "\n")+"\n", resource.Mode(0o600), resource.OwnedBy(p.PgDbsu, dbsuGroup)),
		&resource.Unit{Name: unit, Enabled: true, Running: true},
	)
}
