package pgsql

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"

	"pigsty/internal/diag"
	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource/postgres"
)

// addFiles copies pg_files into the data directory, and has the server read its
// configuration again when one changed.
func (m *Member) addFiles(b *plan.Builder, s *module.Site) {
	p := m.Params
	b = b.Tag("pg_launch", "pg_file").After(m.readyID())
	var paths []string
	for _, name := range p.PgFiles {
		content, err := s.File(name)
		if err != nil {
			continue // checkFiles has said so
		}
		f := postgres.NewDataFile(p.PgData, filepath.Base(name), content, m.owner())
		b.Add(f)
		paths = append(paths, f.Path)
	}
	if len(paths) > 0 && p.PgReload {
		b.Tag("pg_reload").Add(postgres.Reload{Server: m.server(), Name: "files", On: paths})
	}
}

// serverFiles are what the server itself writes in its data directory.
var serverFiles = []string{"PG_VERSION", "postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "postmaster.pid", "standby.signal", "recovery.signal", "current_logfiles"}

// checkFiles checks that the files which the inventory names on the control
// side can be read, and that none takes the place of one of the server's.
func (c *Cluster) checkFiles(s *module.Site, l *diag.List) {
	for _, m := range c.once("pg_files") {
		for _, name := range m.Params.PgFiles {
			if base := path.Base(filepath.ToSlash(name)); slices.Contains(serverFiles, base) {
				l.Add(diag.Diagnostic{
					Code: "reserved-name", Pos: m.At("pg_files"), Message: "pg_files names " + base + ", which the server and Patroni write themselves",
					Advice: "set parameters by pg_parameters and access rules by pg_hba_rules",
				})
			}
			if _, err := s.File(name); err != nil {
				l.Add(diag.Diagnostic{
					Code: "unreadable-file", Pos: m.At("pg_files"), Message: fmt.Sprintf("pg_files names a file that cannot be read: %v", err),
					Advice: "correct the name; a relative one starts where the inventory lies",
				})
			}
		}
	}
	for _, m := range c.once("pg_databases") {
		for _, d := range m.Params.PgDatabases {
			if d.Baseline == "" || d.State == "absent" {
				continue
			}
			if _, err := s.File(d.Baseline); err != nil {
				l.Warn(m.FieldValue("pg_databases", d.Pos, "baseline").Pos, "unreadable-file", fmt.Sprintf("the baseline of database %s cannot be read: %v", d.Name, err),
					"put the file there, beside the inventory or below files/: the database is made without it, and an apply runs it once it is there")
			}
		}
	}
}
