package etcd

import (
	"slices"

	"pigsty/internal/diag"
	"pigsty/internal/module"
	"pigsty/internal/module/node"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
	"pigsty/internal/resource/etcd"
)

// removed names the cluster if it goes, else the members that go, and says
// which of them etcd_safeguard protects.
func removed(s *module.Site, hosts []*module.Host) (names []string, refused diag.List) {
	leaving, staying := split(s, hosts)
	for _, m := range leaving {
		if m.EtcdSafeguard {
			refused.Add(diag.Diagnostic{
				Code: "safeguard", Pos: m.At("etcd_safeguard"),
				Message: "etcd_safeguard protects " + m.instance() + " on " + m.Host.Name(),
				Advice:  "set etcd_safeguard to false to remove it",
			})
		}
		if len(staying) > 0 {
			names = append(names, m.instance())
		}
	}
	if len(leaving) > 0 && len(staying) == 0 {
		names = []string{leaving[0].EtcdCluster}
	}
	return names, refused
}

// split tells the members among hosts, who leave, from those who stay.
func split(s *module.Site, hosts []*module.Host) (leaving, staying []member) {
	for _, m := range members(s) {
		if slices.Contains(hosts, m.Host) {
			leaving = append(leaving, m)
		} else {
			staying = append(staying, m)
		}
	}
	return leaving, staying
}

// removal compiles the play etcd-rm. A member leaves the cluster before it
// stops, and one after another, so that those who stay always agree with each
// other; when none stays there is nothing to leave.
//
// Packages stay unless etcd_rm_pkg says so; the trusted CA is NODE's.
func removal(s *module.Site, hosts []*module.Host) []*plan.Step {
	leaving, staying := split(s, hosts)
	var out []*plan.Step
	left := ""
	for _, m := range leaving {
		b := plan.NewBuilder(m.Host.Name(), "ETCD").Tag("etcd_rm")
		if len(staying) > 0 {
			leave := b.Tag("etcd_leave")
			if left != "" {
				leave = leave.After(left)
			}
			left = leave.Add(etcd.MemberAbsent{API: m.api(node.CAFile, staying...), Name: m.instance()})
			b = b.After(left)
		}
		stopped := b.Tag("etcd_svc", "etcd_stop", "etcd_data").Add(&resource.UnitAbsent{Name: unitName})
		b = b.After(stopped)
		for _, dir := range etcd.Leftovers(unitName) {
			b.Tag("etcd_svc", "etcd_stop").Add(&resource.Absent{Path: dir, Tree: true})
		}
		if m.EtcdRmData {
			b.Tag("etcd_data").Add(
				&resource.Absent{Path: m.EtcdData, Tree: true, Reason: "etcd_rm_data is true", Impact: resource.ImpactDataLoss},
				&resource.Absent{Path: configDir, Tree: true},
				&resource.Absent{Path: unitFile},
				&resource.Absent{Path: profileFile},
			)
		}
		if m.EtcdRmPkg {
			b.Tag("etcd_pkg").Add(&resource.PackagesAbsent{Names: packageNames[family(m.Host)]})
		}
		out = append(out, b.Steps()...)
	}
	return out
}
