package node

import (
	"pigsty/internal/param"
	"pigsty/internal/secret"
)

// Params are the parameters of the NODE module, which prepares every host.
type Params struct {
	// NODE_ID

	Nodename          string `param:"nodename" level:"instance" group:"NODE_ID" doc:"Name of the node: its host name and the instance label in monitoring. Unless it is written, the PostgreSQL instance's name is taken while node_id_from_pg is on, else the name that the host has."`
	NodeCluster       string `param:"node_cluster" default:"nodes" format:"hostname" level:"cluster" group:"NODE_ID" doc:"Cluster that the node belongs to in monitoring, and the name of its virtual address."`
	NodenameOverwrite bool   `param:"nodename_overwrite" default:"true" level:"cluster" group:"NODE_ID" doc:"Whether the machine's host name is set to the node's name."`
	NodenameExchange  bool   `param:"nodename_exchange" default:"false" level:"cluster" group:"NODE_ID" doc:"Whether the nodes of a run learn each other's names through /etc/hosts."`
	NodeIDFromPg      bool   `param:"node_id_from_pg" default:"true" level:"cluster" group:"NODE_ID" doc:"Whether a node with a PostgreSQL instance takes its name and cluster from it."`

	// NODE_DNS

	NodeWriteEtcHosts   bool     `param:"node_write_etc_hosts" default:"true" level:"global/cluster/instance" group:"NODE_DNS" doc:"Whether the static records below are kept in /etc/hosts."`
	NodeDefaultEtcHosts []string `param:"node_default_etc_hosts" default:"['${admin_ip} i.pigsty']" format:"hosts" level:"global" group:"NODE_DNS" doc:"Static records for every node, an address followed by names."`
	NodeEtcHosts        []string `param:"node_etc_hosts" default:"[]" format:"hosts" level:"cluster" group:"NODE_DNS" doc:"Further static records, for some nodes only."`
	NodeDNSMethod       string   `param:"node_dns_method" default:"add" enum:"add,overwrite,none" level:"cluster" group:"NODE_DNS" doc:"What happens to /etc/resolv.conf: put our servers before those that are there, replace these, or leave the file alone."`
	NodeDNSServers      []string `param:"node_dns_servers" default:"['${admin_ip}']" format:"ip" level:"cluster" group:"NODE_DNS" doc:"Name servers that the node asks first; unless it is written, those that it has stay. The admin node counts where it is an infra node that serves names (dns_enabled)."`
	NodeDNSOptions      []string `param:"node_dns_options" default:"['options single-request-reopen timeout:1']" level:"cluster" group:"NODE_DNS" doc:"Option lines of /etc/resolv.conf."`

	// NODE_PACKAGE

	NodeRepoModules     string   `param:"node_repo_modules" default:"local" level:"cluster/arg" group:"NODE_PACKAGE" doc:"Software repositories to configure, by module name, separated by commas. local is the one on the admin node."`
	NodeRepoRemove      bool     `param:"node_repo_remove" default:"true" level:"cluster/arg" group:"NODE_PACKAGE" doc:"Whether the repository files that the host has are set aside, in /etc/apt/backup or /etc/yum.repos.d/backup, where others take their place; node-rm and false put them back. Unless it is written they stay."`
	NodePackages        []string `param:"node_packages" default:"[openssh-server]" level:"cluster" group:"NODE_PACKAGE" doc:"Packages to install; an item may hold several, separated by commas or spaces."`
	NodeDefaultPackages []string `param:"node_default_packages" level:"global" group:"NODE_PACKAGE" doc:"Packages that every node gets. Chosen by operating system unless set."`
	NodeUvEnv           string   `param:"node_uv_env" default:"/data/venv" format:"path" level:"cluster" group:"NODE_PACKAGE" doc:"Python virtual environment to create, by uv where it is installed, else by python3; empty for none."`
	NodePipPackages     string   `param:"node_pip_packages" default:"" level:"cluster" group:"NODE_PACKAGE" doc:"Python packages to install there, separated by spaces. What is there is not upgraded."`

	// NODE_SEC

	NodeSelinuxMode        string   `param:"node_selinux_mode" default:"permissive" enum:"disabled,permissive,enforcing" level:"cluster" group:"NODE_SEC" doc:"SELinux mode, on systems that have it."`
	NodeFirewallMode       string   `param:"node_firewall_mode" default:"zone" enum:"zone,off,none" level:"cluster" group:"NODE_SEC" doc:"What becomes of firewalld or ufw, where one is installed: zone turns it on, trusts the intranet and all nodes, and opens the public ports; off turns it off; none leaves it as it is."`
	NodeFirewallIntranet   []string `param:"node_firewall_intranet" default:"[10.0.0.0/8, 192.168.0.0/16, 172.16.0.0/12]" format:"address" level:"cluster" group:"NODE_SEC" doc:"Networks that count as internal: the firewall trusts them, and HBA rules mean them by intra."`
	NodeFirewallPublicPort []int    `param:"node_firewall_public_port" default:"[22, 80, 443]" format:"port" level:"cluster" group:"NODE_SEC" doc:"TCP ports that are open to everybody."`

	// NODE_TUNE

	NodeDisableNuma     bool              `param:"node_disable_numa" default:"false" level:"cluster" group:"NODE_TUNE" doc:"Whether NUMA is turned off by a kernel argument. Needs a reboot."`
	NodeDisableSwap     bool              `param:"node_disable_swap" default:"false" level:"cluster" group:"NODE_TUNE" doc:"Whether swap is turned off, now and at boot."`
	NodeStaticNetwork   bool              `param:"node_static_network" default:"true" level:"cluster" group:"NODE_TUNE" doc:"Whether DHCP is kept from rewriting the name servers where node_dns_servers sets them."`
	NodeDiskPrefetch    bool              `param:"node_disk_prefetch" default:"false" level:"cluster" group:"NODE_TUNE" doc:"Whether disks read far ahead, which helps rotating ones."`
	NodeKernelModules   []string          `param:"node_kernel_modules" default:"[softdog, ip_vs, ip_vs_rr, ip_vs_wrr, ip_vs_sh]" level:"cluster" group:"NODE_TUNE" doc:"Kernel modules to load, now and at boot."`
	NodeTune            string            `param:"node_tune" default:"oltp" enum:"none,oltp,olap,crit,tiny" level:"cluster" group:"NODE_TUNE" doc:"Tuned profile to activate: oltp for latency, olap for throughput, crit for safety of data, tiny for small machines, none to leave tuned alone."`
	NodeTunedProfileDir string            `param:"node_tuned_profile_dir" default:"/etc/tuned" format:"path" level:"global" group:"NODE_TUNE" doc:"Directory of the tuned profiles."`
	NodeHugepageCount   int               `param:"node_hugepage_count" default:"0" min:"0" level:"cluster" group:"NODE_TUNE" doc:"Number of 2 MiB huge pages to reserve; at most 90 % of memory. Takes precedence over node_hugepage_ratio."`
	NodeHugepageRatio   float64           `param:"node_hugepage_ratio" default:"0" min:"0" max:"0.9" level:"cluster" group:"NODE_TUNE" doc:"Share of memory to reserve as huge pages; 0 reserves none."`
	NodeOvercommitRatio float64           `param:"node_overcommit_ratio" default:"0" min:"0" level:"cluster" group:"NODE_TUNE" doc:"Percentage for strict memory overcommit (vm.overcommit_ratio); 0 lets the kernel decide."`
	NodeSysctlParams    map[string]string `param:"node_sysctl_params" default:"{fs.nr_open: 8388608}" level:"cluster" group:"NODE_TUNE" doc:"Kernel parameters to set on top of the profile."`

	// NODE_ADMIN

	NodeData             string            `param:"node_data" default:"/data" format:"path" level:"cluster" group:"NODE_ADMIN" doc:"Directory of the main data disk."`
	NodeAdminEnabled     bool              `param:"node_admin_enabled" default:"true" level:"cluster" group:"NODE_ADMIN" doc:"Whether an administrator account is created."`
	NodeAdminUID         int               `param:"node_admin_uid" default:"88" min:"0" level:"cluster" group:"NODE_ADMIN" doc:"User and group id of the administrator."`
	NodeAdminUsername    string            `param:"node_admin_username" default:"dba" format:"username" level:"cluster" group:"NODE_ADMIN" doc:"Name of the administrator."`
	NodeAdminSudo        string            `param:"node_admin_sudo" default:"nopass" enum:"nopass,all,limit,none" level:"cluster" group:"NODE_ADMIN" doc:"What the administrators may run as root: everything without a password, everything with one, a few service commands, nothing."`
	NodeAdminSSHExchange bool              `param:"node_admin_ssh_exchange" default:"true" level:"cluster" group:"NODE_ADMIN" doc:"Whether the administrator may log in from node to node. Each node makes a key of its own, for which the deployment's CA vouches; the nodes of the inventory are let in."`
	NodeAdminPkCurrent   bool              `param:"node_admin_pk_current" default:"true" level:"cluster" group:"NODE_ADMIN" doc:"Whether the public keys of the user who runs pigsty are authorized for the administrator."`
	NodeAdminPkList      []string          `param:"node_admin_pk_list" default:"[]" level:"cluster" group:"NODE_ADMIN" doc:"Further public keys to authorize, one line each."`
	NodeAliases          map[string]string `param:"node_aliases" default:"{}" level:"cluster/instance" group:"NODE_ADMIN" doc:"Shell aliases, by name."`

	// NODE_TIME

	NodeTimezone         string   `param:"node_timezone" default:"" format:"timezone" level:"cluster" group:"NODE_TIME" doc:"Time zone, such as Europe/Vienna; empty leaves it as it is."`
	NodeNtpEnabled       bool     `param:"node_ntp_enabled" default:"true" level:"cluster" group:"NODE_TIME" doc:"Whether chrony keeps the time."`
	NodeNtpServers       []string `param:"node_ntp_servers" default:"[pool pool.ntp.org iburst]" format:"ntp" level:"cluster" group:"NODE_TIME" doc:"Server and pool lines for chrony. Lines that name the admin node are left out there."`
	NodeCrontabOverwrite bool     `param:"node_crontab_overwrite" default:"true" level:"cluster" group:"NODE_TIME" idle:"node_crontab has a file of its own, and /etc/crontab stays as it is" doc:"Whether node_crontab takes the place of what is in /etc/crontab."`
	NodeCrontab          []string `param:"node_crontab" default:"[]" format:"crontab" level:"cluster" group:"NODE_TIME" doc:"Lines of /etc/cron.d/pigsty, with the user to run as."`

	// NODE_VIP

	VipEnabled      bool         `param:"vip_enabled" default:"false" level:"cluster" group:"NODE_VIP" doc:"Whether the nodes of a cluster share a virtual address, kept by keepalived."`
	VipAddress      string       `param:"vip_address" format:"ip" level:"cluster" group:"NODE_VIP" doc:"The virtual address. Needed when vip_enabled is on."`
	VipVrid         *int         `param:"vip_vrid" min:"1" max:"254" level:"cluster" group:"NODE_VIP" doc:"Virtual router id, unique in the network. Needed when vip_enabled is on."`
	VipRole         string       `param:"vip_role" default:"backup" enum:"master,backup" fold:"true" level:"instance" group:"NODE_VIP" doc:"The master has the higher priority: it wins when several nodes could take the address, and takes it back with vip_preempt. One per cluster should be master."`
	VipPreempt      bool         `param:"vip_preempt" default:"false" level:"cluster/instance" group:"NODE_VIP" doc:"Whether a node with higher priority takes the address back when it returns."`
	VipInterface    string       `param:"vip_interface" default:"auto" level:"cluster/instance" group:"NODE_VIP" doc:"Network interface of the address; auto finds the one that has the node's own address."`
	VipDNSSuffix    string       `param:"vip_dns_suffix" default:"" level:"cluster" group:"NODE_VIP" doc:"What follows the cluster's name in the DNS name of the address."`
	VipAuthPass     secret.Value `param:"vip_auth_pass" default:"" level:"cluster" group:"NODE_VIP" doc:"Password among the nodes that share the address; keepalived heeds 8 characters. Without one, nodes accept what comes from each other's addresses."`
	VipExporterPort int          `param:"vip_exporter_port" default:"9650" format:"port" level:"cluster" group:"NODE_VIP" doc:"Port of keepalived's exporter."`

	// HAPROXY

	HaproxyEnabled       bool             `param:"haproxy_enabled" default:"true" level:"cluster" group:"HAPROXY" doc:"Whether HAProxy runs on the node."`
	HaproxyClean         bool             `param:"haproxy_clean" default:"false" level:"global/cluster/arg" group:"HAPROXY" idle:"files of services that are no longer declared are removed, others stay" doc:"Whether files of services are removed before those declared are written."`
	HaproxyReload        bool             `param:"haproxy_reload" default:"true" level:"arg" group:"HAPROXY" idle:"HAProxy is reloaded when its configuration changes, and only then" doc:"Whether HAProxy is reloaded."`
	HaproxyAuthEnabled   bool             `param:"haproxy_auth_enabled" default:"true" level:"global" group:"HAPROXY" doc:"Whether the statistics page asks for a password."`
	HaproxyAdminUsername string           `param:"haproxy_admin_username" default:"admin" level:"global" group:"HAPROXY" doc:"User who may administer HAProxy on its statistics page."`
	HaproxyAdminPassword secret.Value     `param:"haproxy_admin_password" default:"pigsty" level:"global" group:"HAPROXY" doc:"That user's password."`
	HaproxyExporterPort  int              `param:"haproxy_exporter_port" default:"9101" format:"port" level:"cluster" group:"HAPROXY" doc:"Port of the statistics page and the metrics."`
	HaproxyClientTimeout string           `param:"haproxy_client_timeout" default:"24h" format:"interval" level:"cluster" group:"HAPROXY" doc:"How long a client may be silent."`
	HaproxyServerTimeout string           `param:"haproxy_server_timeout" default:"24h" format:"interval" level:"cluster" group:"HAPROXY" doc:"How long a server may be silent."`
	HaproxyServices      []HAProxyService `param:"haproxy_services" default:"[]" unique:"name" level:"cluster" group:"HAPROXY" doc:"Services of your own to publish through HAProxy."`

	// VECTOR

	VectorEnabled     bool     `param:"vector_enabled" default:"true" level:"cluster" group:"VECTOR" doc:"Whether Vector collects the node's logs."`
	VectorClean       bool     `param:"vector_clean" default:"false" level:"global/arg" group:"VECTOR" doc:"Whether Vector forgets which logs it has read."`
	VectorData        string   `param:"vector_data" default:"/data/vector" format:"path" level:"cluster" group:"VECTOR" doc:"Directory of Vector's positions and buffers."`
	VectorPort        int      `param:"vector_port" default:"9598" format:"port" level:"cluster" group:"VECTOR" doc:"Port of Vector's metrics."`
	VectorReadFrom    string   `param:"vector_read_from" default:"beginning" enum:"beginning,end" level:"cluster" group:"VECTOR" doc:"Where Vector starts in a log that it has not seen before."`
	VectorLogEndpoint []string `param:"vector_log_endpoint" default:"[infra]" level:"cluster" group:"VECTOR" doc:"Where logs are sent: infra for every infra node, or ingestion URLs."`

	// NODE_EXPORTER

	NodeExporterEnabled bool   `param:"node_exporter_enabled" default:"true" level:"cluster" group:"NODE_EXPORTER" doc:"Whether the node's metrics are exported."`
	NodeExporterPort    int    `param:"node_exporter_port" default:"9100" format:"port" level:"cluster" group:"NODE_EXPORTER" doc:"Port of node_exporter."`
	NodeExporterOptions string `param:"node_exporter_options" default:"--no-collector.softnet --no-collector.nvme --collector.tcpstat --collector.processes" level:"cluster" group:"NODE_EXPORTER" doc:"Further command-line options of node_exporter."`
}

// Declaration returns what the catalogue of parameters needs to know.
func Declaration() param.Module {
	return param.Module{
		Name: "NODE",
		Doc: "Every host is a node: its name, name servers, packages, kernel settings, administrator, time, " +
			"virtual address, load balancer, and the agents that watch it.",
		Params: Params{},
		Groups: map[string]string{
			"NODE_ID":       "What the node is called.",
			"NODE_DNS":      "How the node finds others by name.",
			"NODE_PACKAGE":  "What is installed, and from where.",
			"NODE_SEC":      "SELinux and the firewall.",
			"NODE_TUNE":     "Kernel, memory and disks.",
			"NODE_ADMIN":    "The administrator's account.",
			"NODE_TIME":     "Time, and jobs that run at given times.",
			"NODE_VIP":      "A virtual address that the nodes of a cluster share.",
			"HAPROXY":       "The load balancer in front of services.",
			"VECTOR":        "Collecting logs.",
			"NODE_EXPORTER": "The node's metrics.",
		},
		Prefixes: []string{"node_", "nodename_", "vip_", "haproxy_", "vector_"},
		Obsolete: map[string]string{
			"node_disable_firewall": "node_firewall_mode says what becomes of the firewall",
			"node_disable_selinux":  "node_selinux_mode says what becomes of SELinux",
			"node_repo_method":      "node_repo_modules says which repositories are used",
			"node_repo_local_urls":  "node_repo_modules says which repositories are used",
			"promtail_enabled":      "Vector collects logs, see vector_enabled",
			"promtail_clean":        "Vector collects logs, see vector_clean",
			"promtail_port":         "Vector collects logs, see vector_port",
			"promtail_positions":    "Vector collects logs, see vector_data",
		},
	}
}
