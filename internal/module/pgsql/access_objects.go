package pgsql

import (
	"pigsty/internal/diag"
	"pigsty/internal/secret"
)

// Service is one item of pg_services or pg_default_services: a port at which
// HAProxy reaches some of the cluster's instances.
type Service struct {
	_ struct{} `doc:"A port at which HAProxy reaches some of the cluster's instances."`

	Pos      diag.Pos
	Name     string `param:"name" required:"true" format:"hostname" doc:"Name of the service; its file and listener have the cluster's name before it."`
	Port     int    `param:"port" aka:"src_port" required:"true" format:"port" doc:"Port to listen on."`
	IP       string `param:"ip" aka:"src_ip" default:"*" format:"bind" doc:"Address to listen on."`
	Selector string `param:"selector" required:"true" doc:"Which instances are servers, a JMESPath expression over the members' variables. [] takes all."`
	Backup   string `param:"backup" aka:"selector_backup" doc:"Which instances are used only when no other is left, a JMESPath expression."`
	Dest     string `param:"dest" aka:"dst_port" default:"default" pattern:"^(default|postgres|pgbouncer|[0-9]+)$" form:"default, postgres, pgbouncer or a port" doc:"Where connections go. default is what pg_default_service_dest says."`
	Check    string `param:"check" aka:"check_url" default:"/" format:"path" doc:"Path of Patroni's API that says whether an instance can serve."`
	MaxConn  int    `param:"maxconn" default:"5000" min:"1" doc:"Most connections at a time."`
	Balance  string `param:"balance" default:"roundrobin" usual:"roundrobin,leastconn,static-rr,source,random,first" doc:"How servers are chosen."`
	Options  string `param:"options" doc:"Options of every server, in place of those that pg_rto implies."`
}

// HBARule is one item of the lists of access rules: either raw lines, or an
// address with who may come from there.
type HBARule struct {
	_ struct{} `doc:"An access rule: either lines as they are, or an address with who may come from there."`

	Pos   diag.Pos
	Title string   `param:"title" doc:"What the rule is for, a comment in the file."`
	Role  string   `param:"role" default:"default" enum:"default,common,primary,replica,offline,standby,delayed" doc:"Role of the instances that the rule is for. default and common mean all."`
	Order *int     `param:"order" doc:"Place among the rules, lowest first. Rules without one come last."`
	Rules []string `param:"rules" doc:"Lines as they are. The other fields do not matter then."`
	Addr  string   `param:"addr" format:"hba-address" doc:"Where connections come from."`
	User  string   `param:"user" default:"all" doc:"Who connects. ${dbsu}, ${repl}, ${monitor} and ${admin} stand for the system's users; + before a name means the members of a role."`
	DB    string   `param:"db" default:"all" doc:"Database to connect to. replication means replication, and has no meaning for PgBouncer."`
	Auth  string   `param:"auth" default:"pwd" enum:"deny,reject,trust,pwd,ssl,sha,md5,ssl-sha,ssl-md5,cert,os,ident,peer,scram-sha-256" doc:"How they prove who they are. ssl is a password over TLS, os the user of the operating system."`
}

// Check requires either lines or an address.
func (r *HBARule) Check(l *diag.List) {
	if len(r.Rules) == 0 && r.Addr == "" {
		l.Add(diag.Diagnostic{
			Code: "missing-field", Pos: r.Pos, Message: "the access rule has neither addr nor rules",
			Advice: "add addr, such as intra",
		})
	}
}

// RTOPlan holds the timings of a failover, in seconds where a field is a number.
type RTOPlan struct {
	_ struct{} `object:"tuple" doc:"Timings of a failover; plain numbers are seconds, but rise and fall count checks."`

	TTL                 int    `param:"ttl" required:"true" min:"1" doc:"How long a leader's lock lasts without being renewed."`
	LoopWait            int    `param:"loop_wait" required:"true" min:"1" doc:"Pause between Patroni's rounds."`
	RetryTimeout        int    `param:"retry_timeout" required:"true" min:"1" doc:"How long etcd and PostgreSQL may fail to answer before a leader steps down."`
	PrimaryStartTimeout int    `param:"primary_start_timeout" required:"true" min:"0" doc:"How long a crashed leader may take to come back."`
	SafetyMargin        int    `param:"safety_margin" required:"true" min:"-1" doc:"How long before the lock expires the watchdog resets the machine."`
	Inter               string `param:"inter" required:"true" format:"interval" doc:"Pause between HAProxy's checks."`
	FastInter           string `param:"fastinter" required:"true" format:"interval" doc:"The same while a server's state changes."`
	DownInter           string `param:"downinter" required:"true" format:"interval" doc:"The same while a server is down."`
	Rise                int    `param:"rise" required:"true" min:"1" doc:"Good checks until a server is up."`
	Fall                int    `param:"fall" required:"true" min:"1" doc:"Bad checks until a server is down."`
}

// RemoteExporter is one entry of pg_exporters: a PostgreSQL server run by
// others. What is not written is as the infra node's own parameters say.
type RemoteExporter struct {
	_ struct{} `doc:"A PostgreSQL server run by others. What is not written is as the infra node's parameters of the same name say."`

	Pos             diag.Pos
	Cluster         string       `param:"pg_cluster" required:"true" format:"name" doc:"Cluster that the server belongs to."`
	Seq             int          `param:"pg_seq" required:"true" min:"0" doc:"Its number in the cluster."`
	Host            string       `param:"pg_host" required:"true" doc:"Its address or host name."`
	Port            int          `param:"pg_port" default:"5432" format:"port" doc:"Its port."`
	Dbsu            string       `param:"pg_dbsu" format:"username" doc:"Operating-system user that runs the exporter."`
	MonitorUsername string       `param:"pg_monitor_username" format:"username" doc:"User for monitoring."`
	MonitorPassword secret.Value `param:"pg_monitor_password" doc:"That user's password."`
	Config          string       `param:"pg_exporter_config" doc:"Definition of the metrics."`
	CacheTTLs       string       `param:"pg_exporter_cache_ttls" doc:"How many seconds fast, normal, slow and very slow metrics are cached."`
	Params          string       `param:"pg_exporter_params" doc:"Parameters of the URL by which the exporter connects."`
	URL             secret.Value `param:"pg_exporter_url" doc:"That URL, in place of the usual one."`
	AutoDiscovery   *bool        `param:"pg_exporter_auto_discovery" doc:"Whether all databases of the server are watched."`
	IncludeDatabase string       `param:"pg_exporter_include_database" doc:"The only databases that are, separated by commas."`
	ExcludeDatabase string       `param:"pg_exporter_exclude_database" doc:"Databases that are not, separated by commas."`
	ConnectTimeout  *int         `param:"pg_exporter_connect_timeout" min:"1" doc:"Milliseconds that connecting may take."`
	Databases       []Database   `param:"pg_databases" unique:"name" doc:"Databases that become data sources of Grafana."`
}
