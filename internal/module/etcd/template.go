package etcd

import (
	"embed"

	"pigsty/internal/module"
)

//go:embed templates/*.tmpl
var files embed.FS

var render = module.ParseTemplates(files).Render
