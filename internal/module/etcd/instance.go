package etcd

import (
	"fmt"
	"slices"

	"pigsty/internal/module"
	"pigsty/internal/resource/etcd"
)

// instances returns the members on hosts.
func instances(s *module.Site, hosts []*module.Host) []module.Instance {
	var out []module.Instance
	for _, m := range members(s) {
		if slices.Contains(hosts, m.Host) {
			out = append(out, module.Instance{
				Host: m.Host, Cluster: m.EtcdCluster, Name: m.instance(), Services: []string{fmt.Sprintf("client:%d", m.EtcdPort)},
				Report: etcd.Report{API: m.api(caFile, m), Unit: unitName},
			})
		}
	}
	return out
}
