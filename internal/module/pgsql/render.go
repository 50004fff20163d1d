package pgsql

import (
	"embed"
	"fmt"

	"pigsty/internal/module"
)

//go:embed templates/*.tmpl
var templateFiles embed.FS

var render = module.ParseTemplates(templateFiles).Render

// limits are what a unit file asks the service manager for, as far as the host
// can give it.
type limits struct {
	*Member
	Header  string
	Files   int
	Lowered string // why Files is less than usual, for a comment; empty if it is not
	OOM     bool
}

// unitLimits returns the limits of a unit of m that would like to have files
// open files. A unit that asks for more than its host allows does not start.
func (m *Member) unitLimits(files int) limits {
	l := limits{Member: m, Header: managed, Files: files, OOM: m.Facts.OOMAdjust}
	if most := m.Facts.MaxFiles; most > 0 && most < files {
		l.Files = most
		l.Lowered = fmt.Sprintf("lowered from %d to what this host allows (fs.nr_open)", files)
	}
	return l
}
