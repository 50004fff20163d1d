package node

import (
	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// Module returns the NODE module.
func Module() module.Module {
	return module.Module{
		Declaration: Declaration(),
		Check:       check,
		Ports:       ports,
		Advise:      advise,
		Plays: []module.Play{
			{
				Name:   "node",
				Short:  "Make hosts ready: names, packages, kernel, administrator, load balancer",
				Deploy: 10,
				Tags: []string{"node", "node_hosts", "node_name", "node_resolv", "node_ca",
					"node_install", "node_repo", "node_repo_upstream", "node_repo_add", "node_repo_cache",
					"node_pkg", "node_pkg_default", "node_pkg_extra",
					"node_kernel", "node_tune", "node_tune_active", "node_sysctl",
					"node_profile", "node_alias", "node_ulimit", "node_data",
					"node_admin", "node_admin_pk_list", "node_admin_pk_current", "node_timezone", "node_crontab",
					"haproxy", "haproxy_install", "haproxy_config", "haproxy_launch", "haproxy_reload"},
				Steps: steps,
			},
			{
				Name:    "node-rm",
				Short:   "Take away what node put on hosts; packages, accounts and data stay",
				Tags:    []string{"node_rm", "haproxy", "node_hosts", "node_crontab", "profile", "node_tune", "node_ulimit", "node_admin"},
				Steps:   removal,
				Removes: removed,
			},
		},
	}
}

// steps compiles the play node, top to bottom in the order of things on a host.
func steps(s *module.Site, hosts []*module.Host) []*plan.Step {
	var all []*plan.Step
	for _, h := range hosts {
		b := plan.NewBuilder(h.Name(), "NODE")
		n := b.Tag("node")
		names(n, s, h)
		resolver(n, h)
		authority(n, s)
		repositories(n, s, h)
		packages(n, h)
		kernel(n, h)
		shell(n, h)
		administrator(n, s, h)
		if zone := module.Params[Params](h).NodeTimezone; zone != "" {
			n.Tag("node_timezone").Add(&resource.Timezone{Zone: zone})
		}
		crontab(n, h)
		HAProxy(b, s, h)
		all = append(all, b.Steps()...)
	}
	return all
}
