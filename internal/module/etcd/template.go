package etcd

import (
	"embed"

	"pigsty/internal/module"
)

//go:embed templates/*.tmpl
var templateFiles embed.FS

var render = module.ParseTemplates(templateFiles).Render
