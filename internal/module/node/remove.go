package node

import (
	"path"
	"slices"

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
// NODE changed files, units and the firewall. What stays: packages, since others
// may need them by now; accounts and their files; the host's name and the mode
// of SELinux; the trusted CA, which services that go on may be asked with; the
// directory of the data disk; and the kernel's settings until the next boot.
func removal(s *module.Site, hosts []*module.Host) []*plan.Step {
	var all []*plan.Step
	for _, h := range hosts {
		p := module.Params[Params](h)
		b := plan.NewBuilder(h.Name(), "NODE").Tag("node_rm")

		removeVIP(b.Tag("vip"), h)
		removeHAProxy(b.Tag("haproxy"), h)
		nodeExporter(h).remove(b.Tag("node_exporter"))
		noCertificates(b, h)
		vipExporter(h).remove(b.Tag("vip_exporter"))
		vector := b.Tag("vector")
		vector = vector.After(vector.Add(&resource.UnitAbsent{Name: vectorUnit}))
		vector.Add(
			&resource.Absent{Path: vectorUnitFile},
			&resource.Absent{Path: vectorDir, Tree: true},
			&resource.Absent{Path: p.VectorData, Tree: true, Impact: resource.ImpactDataLoss,
				Reason: "how far logs were read, and lines that were not sent yet"},
		)
		b.Tag("rm_logs").Add(&resource.Absent{Path: vectorDir + "/node.yaml"})

		b.Tag("node_hosts").Add(&resource.Lines{Path: "/etc/hosts", Marker: hostsMarker})
		removeResolver(b.Tag("node_resolv"), h)
		if p.NodeFirewallMode != "none" {
			b.Tag("node_firewall").Add(&resource.Firewall{Mode: resource.FirewallAbsent})
		}
		removeChrony(b.Tag("node_ntp"), h)
		removeRepositories(b.Tag("node_repo"), s, h)
		b.Tag("node_crontab").Add(&resource.Absent{Path: cronFile})
		b.Tag("profile").Add(&resource.Absent{Path: profileFile}, &resource.Absent{Path: aliasFile})
		b.Tag("node_ulimit").Add(&resource.Absent{Path: limitsFile})

		tune := b.Tag("node_tune")
		off := tune
		if h.Facts.Container == "" && p.NodeTune != "none" {
			off = tune.After(tune.Add(&resource.TunedFormer{Ours: profiles}))
			off = off.After(off.Add(&resource.UnitAbsent{Name: "tuned.service", Ours: true}))
		}
		for _, name := range profiles {
			off.Add(&resource.Absent{Path: path.Join(p.NodeTunedProfileDir, name), Tree: true})
			if p.NodeTunedProfileDir == tunedDir {
				off.Add(&resource.Absent{Path: path.Join(tunedDir, "profiles", name)})
			}
		}
		if h.Facts.Container != "" { // nobody else's without tuned
			tune.Add(&resource.Absent{Path: tunedDir, Tree: true})
		}
		tune.Add(
			&resource.Absent{Path: modulesFile},
			&resource.Absent{Path: hugepageFile},
			&resource.Absent{Path: sysctlFile},
		)
		readahead := tune.After(tune.Add(&resource.UnitAbsent{Name: readaheadUnit}))
		readahead.Add(&resource.Absent{Path: readaheadUnitFile})
		// Not while it is what this very connection becomes root by.
		if p.NodeAdminEnabled && h.Facts.User != p.NodeAdminUsername {
			admin := b.Tag("node_admin")
			admin.Add(&resource.Absent{Path: sudoersFile(p.NodeAdminUsername)})
			noExchange(admin, p.NodeAdminUsername, "")
		}
		all = append(all, b.Steps()...)
	}
	return all
}

// removeHAProxy takes away what HAProxy publishes for us, and gives it back to
// whom it belonged before.
func removeHAProxy(b *plan.Builder, h *module.Host) {
	on := module.Params[Params](h).HaproxyEnabled
	if on { // the package's directory is open to all
		b.Add(&resource.Dir{Path: path.Dir(haproxyConfig)})
	}
	if on && family(h) == "rpm" { // that package has this one, too, and reads it
		b.Add(&resource.Dir{Path: haproxyServices})
	}
	b = b.After(b.Add(&resource.Prune{Dir: haproxyServices, Glob: "*.cfg", Header: serviceHeader, Begins: ServicesHeader}))
	if family(h) != "rpm" {
		b.Add(&resource.Absent{Path: haproxyServices, Empty: true})
	}
	b.Add(&resource.HandBack{Unit: haproxyUnit, Config: haproxyConfig, Header: module.Managed, Trees: []string{haproxyUnitFile}})
}

// removeVIP takes the node's virtual address from keepalived, and what NODE has
// of keepalived unless PostgreSQL has an address there.
func removeVIP(b *plan.Builder, h *module.Host) {
	if on(h, "pg_vip_enabled", false) {
		b.Add(
			&resource.Prune{Dir: KeepalivedDir, Glob: vipFiles, Header: module.Managed},
			&resource.Unit{Name: keepalivedUnit, Enabled: true, Running: true, IfRunning: true,
				ReloadOn: []string{keepalivedConfig, KeepalivedDir + "/"}},
		)
		return
	}
	if !module.Params[Params](h).VipEnabled {
		b.Add(&resource.Prune{Dir: KeepalivedDir, Glob: vipFiles, Header: module.Managed})
		return // keepalived, if there is one, is somebody else's
	}
	b.Add(HandBackKeepalived())
}

// removeResolver gives the host its own name servers back.
func removeResolver(b *plan.Builder, h *module.Host) {
	b.Add(&resource.Original{Path: resolvConf, Header: module.Managed}, &resource.Absent{Path: networkManagerFile})
	hook := b.After(b.Add(&resource.Absent{Path: dhclientHook}))
	hook = hook.After(hook.Add(&resource.Absent{Path: path.Dir(dhclientHook), Empty: true}))
	hook.Add(&resource.Absent{Path: path.Dir(path.Dir(dhclientHook)), Empty: true})
	dropin := b.After(b.Add(&resource.Absent{Path: resolvedDropin}))
	dropin.Add(&resource.Absent{Path: path.Dir(resolvedDropin), Empty: true})
	if slices.Contains(h.Facts.Units, resolvedUnit) {
		b.Add(&resource.Unit{Name: resolvedUnit, Enabled: true, Running: true, IfRunning: true, RestartOn: []string{resolvedDropin}})
	}
}

// removeChrony gives chrony its own configuration back.
func removeChrony(b *plan.Builder, h *module.Host) {
	if h.Facts.Container != "" {
		return
	}
	c := chronies[family(h)]
	unit := chronyUnit(h)
	unit.IfRunning, unit.After = true, []string{"original " + c.config}
	b.Add(&resource.Original{Path: c.config, Header: module.Managed}, unit)
}

// remove takes the exporter away; the package stays.
func (e exporter) remove(b *plan.Builder) {
	b = b.After(b.Add(&resource.UnitAbsent{Name: e.Unit()}))
	b.Add(&resource.Absent{Path: e.UnitFile()}, &resource.Absent{Path: e.EnvFile()}, &resource.Absent{Path: e.Path()})
}
