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
				Tags: []string{"node", "node_hosts", "node_name", "node_resolv", "node_sec", "node_selinux", "node_firewall", "node_ca",
					"node_install", "node_repo", "node_repo_remove", "node_repo_upstream", "node_repo_add", "node_repo_cache",
					"node_pkg", "node_pkg_default", "node_pkg_extra",
					"node_uv", "node_pip", "node_feature", "node_kernel", "node_tune", "node_tune_active", "node_sysctl",
					"node_profile", "node_alias", "node_ulimit", "node_data",
					"node_admin", "node_admin_pk_list", "node_admin_pk_current", "node_timezone",
					"node_ntp", "node_ntp_install", "node_ntp_config", "node_ntp_launch", "node_crontab",
					"node_vip", "vip_check", "vip_config", "vip_launch", "vip_reload", "vip_refresh",
					"haproxy", "haproxy_install", "haproxy_config", "haproxy_launch", "haproxy_reload",
					"monitor", "node_exporter", "vip_exporter", "vector", "vector_install", "vector_clean", "vector_config", "vector_dir", "vector_launch",
					"node_register", "register", "add_metrics", "add_dns", "haproxy_register", "add_proxy"},
				Registration: module.Registers,
				Steps:        steps,
			},
			{
				Name:  "node-rm",
				Short: "Take away what node put on hosts; packages, accounts and data stay",
				Tags: []string{"node_rm", "vip", "haproxy", "node_exporter", "vip_exporter", "vector", "rm_logs",
					"node_hosts", "node_resolv", "node_firewall", "node_ntp", "node_crontab", "profile", "node_repo", "node_repo_remove", "node_tune", "node_ulimit", "node_admin",
					"node_deregister", "deregister", "rm_metrics", "rm_dns", "haproxy_deregister", "rm_proxy"},
				Registration: module.Deregisters,
				Steps:        removal,
				Removes:      removed,
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
		resolver(n, s, h)
		security(n, s, h)
		authority(n, s)
		repositories(n, s, h)
		packages(n, h)
		python(n, h)
		features(n, h)
		kernel(n, h)
		shell(n, h)
		administrator(n, s, h)
		if zone := module.Params[Params](h).NodeTimezone; zone != "" {
			n.Tag("node_timezone").Add(&resource.Timezone{Zone: zone})
		}
		Chrony(n, s, h)
		crontab(n, h)
		HAProxy(b, s, h)
		virtualAddress(n, s, h)
		monitor(b, s, h)
		all = append(all, b.Steps()...)
	}
	return all
}
