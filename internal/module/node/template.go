package node

import (
	"embed"

	"pigsty/internal/module"
)

//go:embed templates/*.tmpl
var templateFiles embed.FS

var render = module.ParseTemplates(templateFiles).Render

// header is the first line of files that have no template.
const header = module.Managed + "\n"
