package infra

import (
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/module/node"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// timeServer is the name of the file that makes a node's chrony a server.
const timeServer = "pigsty-server.conf"

// time has the node's chrony answer the networks of the deployment.
func (i *instance) time(b *plan.Builder) {
	b = b.Tag("ntp")
	if !node.Chrony(b, i.site, i.Host) {
		return
	}
	// Nodes agree on the time among each other even while nobody outside is heard.
	text := module.Managed + "\nlocal stratum 10 orphan\nallow " + strings.Join(i.intranet(), "\nallow ") + "\n"
	b.Tag("ntp_config").Add(resource.NewFile(node.ChronyDir(i.Host)+"/"+timeServer, text))
}
