package infra

import (
	"pigsty/internal/module"
	"pigsty/internal/module/node"
	"pigsty/internal/plan"
)

// logs has the node's Vector send nginx's logs along.
func (i *instance) logs(b *plan.Builder) {
	if !i.NginxEnabled {
		return
	}
	node.Logs(b.Tag("infra_register", "register", "add_logs"), i.site, i.Host, "nginx", render("vector-nginx.yaml.tmpl", map[string]any{
		"From": module.Params[node.Params](i.Host).VectorReadFrom, "IP": i.ip(), "Seq": *i.InfraSeq,
	}))
}
