package pgsql

import (
	"embed"

	"pigsty/internal/module"
	"pigsty/internal/resource"
)

//go:embed templates/*.tmpl
var templateFiles embed.FS

var render = module.ParseTemplates(templateFiles).Render

// postgresFiles is how many open files the units of PostgreSQL would like to have.
const postgresFiles = 8388608

// unitFile returns the file of a unit that would like to have files open files, as
// far as m's host can give it.
func (m *Member) unitFile(unit string, files int) *resource.File {
	limit := module.OpenFiles(m.Host, files)
	return resource.NewFile("/etc/systemd/system/"+unit, render(unit+".tmpl", struct {
		*Member
		Header string
		Files  module.Limit
		OOM    bool
	}{m, managed, limit, m.Facts.OOMAdjust}), resource.Noting(limit.Note()))
}
