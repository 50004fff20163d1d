package infra

import (
	"fmt"
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/module/node"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// time adds the time server for the networks of the deployment. What the node
// itself asks for the time is NODE's.
func (i *instance) time(b *plan.Builder) {
	if !module.Params[node.Params](i.Host).NodeNtpEnabled {
		return
	}
	b = b.Tag("ntp")
	if i.Facts.Container != "" {
		b.Tag("ntp_config", "ntp_launch").Add(&resource.Impossible{Name: "time server", Why: "a container has the clock of its machine and cannot set it"})
		return
	}
	dir, unit := "/etc/chrony/conf.d", "chrony.service"
	if i.Facts.Family == "rpm" {
		dir, unit = "/etc/chrony.d", "chronyd.service"
	}
	file := dir + "/pigsty-server.conf"
	b.Tag("ntp_config").Add(
		&resource.Packages{Items: []resource.PackageItem{{Name: "chrony", For: "node_ntp_enabled"}}},
		// nodes agree on the time among each other even while nobody outside is heard
		resource.NewFile(file, module.Managed+"\nlocal stratum 10 orphan\n"+networks("allow", i.intranet())),
	)
	b.Tag("ntp_launch").Add(&resource.Unit{Name: unit, Enabled: true, Running: true, RestartOn: []string{file}})
}

// networks writes one directive of chrony for each network.
func networks(directive string, list []string) string {
	var out strings.Builder
	for _, n := range list {
		fmt.Fprintf(&out, "%s %s\n", directive, n)
	}
	return out.String()
}
