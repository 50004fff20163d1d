package node

import (
	"path"

	"pigsty/internal/diag"
	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// removed names the hosts that node-rm takes things from. Nodes have no
// safeguard: nothing of them holds data.
func removed(s *module.Site, hosts []*module.Host) ([]string, diag.List) {
	var list []string
	for _, h := range hosts {
		list = append(list, h.Name())
	}
	return list, nil
}

// removal compiles the play node-rm: a host goes back to what it was as far as
// NODE put files there. What stays: packages, since others may need them by
// now; accounts and their files; the trusted CA, which services that go on may
// be asked with; repositories; the directory of the data disk; and the kernel's
// settings until the next boot.
func removal(s *module.Site, hosts []*module.Host) []*plan.Step {
	var all []*plan.Step
	for _, h := range hosts {
		p := module.Params[Params](h)
		b := plan.NewBuilder(h.Name(), "NODE").Tag("node_rm")

		haproxy := b.Tag("haproxy")
		stopped := haproxy.Add(&resource.UnitAbsent{Name: haproxyUnit})
		haproxy = haproxy.After(stopped)
		haproxy.Add(
			&resource.Absent{Path: haproxyUnitFile},
			&resource.Absent{Path: "/etc/haproxy", Tree: true},
		)

		b.Tag("node_hosts").Add(&resource.Lines{Path: "/etc/hosts", Marker: hostsMarker})
		b.Tag("node_crontab").Add(&resource.Absent{Path: cronFile})
		b.Tag("profile").Add(&resource.Absent{Path: profileFile}, &resource.Absent{Path: aliasFile})
		b.Tag("node_ulimit").Add(&resource.Absent{Path: limitsFile})

		tune := b.Tag("node_tune")
		off := tune
		if h.Facts.Container == "" && p.NodeTune != "none" {
			off = tune.After(tune.Add(&resource.UnitAbsent{Name: "tuned.service"}))
		}
		for _, name := range profiles {
			off.Add(&resource.Absent{Path: path.Join(p.NodeTunedProfileDir, name), Tree: true})
			if p.NodeTunedProfileDir == tunedDir {
				off.Add(&resource.Absent{Path: path.Join(tunedDir, "profiles", name)})
			}
		}
		tune.Add(
			&resource.Absent{Path: modulesFile},
			&resource.Absent{Path: hugepageFile},
			&resource.Absent{Path: sysctlFile},
		)
		// Not while it is what this very connection becomes root by.
		if p.NodeAdminEnabled && h.Facts.User != p.NodeAdminUsername {
			b.Tag("node_admin").Add(&resource.Absent{Path: sudoersFile(p.NodeAdminUsername)})
		}
		all = append(all, b.Steps()...)
	}
	return all
}
