package pgsql

import (
	_ "embed"

	"pigsty/internal/param"
	"pigsty/internal/secret"
)

//go:embed defaults.yml
var defaults []byte

// Params are the parameters of the PGSQL module, which runs PostgreSQL clusters.
type Params struct {
	// PG_ID

	PgMode         string                    `param:"pg_mode" default:"pgsql" enum:"pgsql,citus,gpsql,mssql,mysql,ivory,polar,oriole,pgtde,agens,pgedge" level:"cluster" group:"PG_ID" doc:"Kind of PostgreSQL: the plain one, Citus, or another kernel."`
	PgCluster      string                    `param:"pg_cluster" format:"name" level:"cluster" group:"PG_ID" doc:"Name of the cluster. Makes the host a member."`
	PgSeq          *int                      `param:"pg_seq" min:"0" level:"instance" group:"PG_ID" doc:"Number of the instance, unique in the cluster and never reused."`
	PgRole         string                    `param:"pg_role" enum:"primary,replica,offline,standby,delayed" level:"instance" group:"PG_ID" doc:"Role of the instance. primary says who starts a new cluster; afterwards the leader is whoever Patroni says."`
	PgInstances    map[int]map[string]string `param:"pg_instances" key:"port" level:"instance" group:"PG_ID" idle:"clusters of Greenplum are not managed yet" doc:"Several instances of one node by port (gpsql only)."`
	PgUpstream     string                    `param:"pg_upstream" format:"ip" level:"instance" group:"PG_ID" doc:"Address of the instance to replicate from: on a replica another replica of its cluster, on a primary the cluster that this one stands by for."`
	PgShard        string                    `param:"pg_shard" format:"name" level:"cluster" group:"PG_ID" doc:"Name of the sharded cluster that this cluster is a part of (citus)."`
	PgGroup        *int                      `param:"pg_group" min:"0" level:"cluster" group:"PG_ID" doc:"Number of that part; 0 is the coordinator (citus)."`
	GpRole         string                    `param:"gp_role" enum:"master,segment" level:"cluster" group:"PG_ID" idle:"clusters of Greenplum are not managed yet" doc:"Role of the cluster (gpsql)."`
	PgOfflineQuery bool                      `param:"pg_offline_query" default:"false" level:"instance" group:"PG_ID" doc:"Whether the instance takes offline queries beside its role."`

	// PG_EXPORTER

	PgExporters map[int]RemoteExporter `param:"pg_exporters" key:"port" level:"cluster" group:"PG_EXPORTER" idle:"servers run by others are not watched yet" doc:"Remote PostgreSQL servers to monitor, by the local port of their exporter. Set it on infra nodes."`

	// PG_BUSINESS

	PgUsers               []User       `param:"pg_users" default:"[]" unique:"name" level:"cluster" group:"PG_BUSINESS" doc:"Users and roles of the cluster."`
	PgDatabases           []Database   `param:"pg_databases" default:"[]" unique:"name" level:"cluster" group:"PG_BUSINESS" doc:"Databases of the cluster."`
	PgServices            []Service    `param:"pg_services" default:"[]" unique:"name" level:"cluster" group:"PG_BUSINESS" doc:"Services of the cluster beside the default ones."`
	PgHBARules            []HBARule    `param:"pg_hba_rules" default:"[]" level:"cluster" group:"PG_BUSINESS" doc:"Who may connect to PostgreSQL, beside the default rules."`
	PgbHBARules           []HBARule    `param:"pgb_hba_rules" default:"[]" level:"cluster" group:"PG_BUSINESS" doc:"Who may connect to PgBouncer, beside the default rules."`
	PgCrontab             []string     `param:"pg_crontab" default:"[]" format:"cron" level:"cluster" group:"PG_BUSINESS" doc:"Crontab lines of the database superuser, such as backups."`
	PgReplicationUsername string       `param:"pg_replication_username" default:"replicator" format:"username" level:"global" group:"PG_BUSINESS" doc:"User for replication."`
	PgReplicationPassword secret.Value `param:"pg_replication_password" default:"DBUser.Replicator" level:"global" group:"PG_BUSINESS" doc:"That user's password."`
	PgAdminUsername       string       `param:"pg_admin_username" default:"dbuser_dba" format:"username" level:"global" group:"PG_BUSINESS" doc:"Superuser for administrators."`
	PgAdminPassword       secret.Value `param:"pg_admin_password" default:"DBUser.DBA" level:"global" group:"PG_BUSINESS" doc:"That user's password."`
	PgMonitorUsername     string       `param:"pg_monitor_username" default:"dbuser_monitor" format:"username" level:"global" group:"PG_BUSINESS" doc:"User for monitoring."`
	PgMonitorPassword     secret.Value `param:"pg_monitor_password" default:"DBUser.Monitor" level:"global" group:"PG_BUSINESS" doc:"That user's password."`
	PgDbsuPassword        secret.Value `param:"pg_dbsu_password" default:"" level:"global/cluster" group:"PG_BUSINESS" doc:"Password of the database superuser; empty for local logins only. Citus needs one."`

	// PG_INSTALL

	PgDbsu            string   `param:"pg_dbsu" default:"postgres" format:"username" level:"cluster" group:"PG_INSTALL" doc:"Operating-system user and superuser of PostgreSQL."`
	PgDbsuUID         int      `param:"pg_dbsu_uid" default:"26" min:"0" level:"cluster" group:"PG_INSTALL" doc:"Its user id; 26 becomes 543 on Debian and Ubuntu."`
	PgDbsuSudo        string   `param:"pg_dbsu_sudo" default:"limit" enum:"limit,none,all,nopass" level:"cluster" group:"PG_INSTALL" doc:"What it may run as root: the services of the cluster, nothing, everything with a password, everything."`
	PgDbsuHome        string   `param:"pg_dbsu_home" default:"/var/lib/pgsql" format:"path" level:"cluster" group:"PG_INSTALL" doc:"Its home directory."`
	PgDbsuSSHExchange bool     `param:"pg_dbsu_ssh_exchange" default:"true" level:"cluster" group:"PG_INSTALL" doc:"Whether it can log in from member to member. Each member makes a key of its own, for which the deployment's CA vouches."`
	PgVersion         int      `param:"pg_version" default:"18" enum:"13,14,15,16,17,18,19" level:"cluster" group:"PG_INSTALL" doc:"Major version of PostgreSQL."`
	PgBinDir          string   `param:"pg_bin_dir" default:"/usr/pgsql/bin" format:"path" level:"cluster" group:"PG_INSTALL" doc:"Directory of PostgreSQL's programs."`
	PgLogDir          string   `param:"pg_log_dir" default:"/pg/log/postgres" format:"path" level:"cluster" group:"PG_INSTALL" doc:"Directory of PostgreSQL's logs."`
	PgPackages        []string `param:"pg_packages" default:"[pgsql-main pgsql-common]" level:"cluster" group:"PG_INSTALL" doc:"Packages of PostgreSQL and its companions; names and aliases, in which $v is the major version."`
	PgExtensions      []string `param:"pg_extensions" default:"[]" level:"cluster" group:"PG_INSTALL" doc:"Packages of extensions; names and aliases. Those of the extensions that databases declare, and of pg_libs, come by themselves."`

	// PG_BOOTSTRAP

	PgData               string             `param:"pg_data" default:"/pg/data" format:"path" level:"cluster" group:"PG_BOOTSTRAP" doc:"Data directory."`
	PgFsMain             string             `param:"pg_fs_main" default:"/data/postgres" format:"path" level:"cluster" group:"PG_BOOTSTRAP" doc:"Directory on the main disk under which the cluster lives."`
	PgFsBackup           string             `param:"pg_fs_backup" default:"/data/backups" aka:"pg_fs_bkup" format:"path" level:"cluster" group:"PG_BOOTSTRAP" doc:"Directory on the backup disk."`
	PgStorageType        string             `param:"pg_storage_type" default:"SSD" enum:"SSD,HDD" fold:"true" level:"cluster" group:"PG_BOOTSTRAP" doc:"Kind of disk, which sets the planner's costs."`
	PgDummyFilesize      string             `param:"pg_dummy_filesize" default:"64MiB" format:"size" level:"cluster" group:"PG_BOOTSTRAP" doc:"Size of the file /pg/dummy, which can be deleted when the disk is full; 0 for none."`
	PgListen             string             `param:"pg_listen" default:"0.0.0.0" level:"cluster/instance" group:"PG_BOOTSTRAP" doc:"Addresses to listen on, separated by commas; ${ip}, ${vip} and ${lo} stand for the host's own, the cluster's and the local one."`
	PgPort               int                `param:"pg_port" default:"5432" format:"port" level:"cluster" group:"PG_BOOTSTRAP" doc:"Port of PostgreSQL."`
	PgLocalhost          string             `param:"pg_localhost" default:"/var/run/postgresql" format:"path" level:"cluster" group:"PG_BOOTSTRAP" doc:"Directory of the Unix socket."`
	PgNamespace          string             `param:"pg_namespace" default:"/pg" format:"path" level:"cluster" group:"PG_BOOTSTRAP" doc:"Prefix of Patroni's keys in etcd."`
	PatroniEnabled       bool               `param:"patroni_enabled" default:"true" level:"cluster" group:"PG_BOOTSTRAP" doc:"Whether the cluster is created and run by Patroni."`
	PatroniMode          string             `param:"patroni_mode" default:"default" enum:"default,pause,remove" level:"cluster" group:"PG_BOOTSTRAP" doc:"Whether Patroni manages the cluster, is paused after setup, or is taken away after it."`
	PatroniPort          int                `param:"patroni_port" default:"8008" format:"port" level:"cluster" group:"PG_BOOTSTRAP" doc:"Port of Patroni's API."`
	PatroniLogDir        string             `param:"patroni_log_dir" default:"/pg/log/patroni" format:"path" level:"cluster" group:"PG_BOOTSTRAP" doc:"Directory of Patroni's logs."`
	PatroniSSLEnabled    bool               `param:"patroni_ssl_enabled" default:"false" level:"global" group:"PG_BOOTSTRAP" doc:"Whether Patroni's API speaks TLS."`
	PatroniWatchdogMode  string             `param:"patroni_watchdog_mode" default:"off" enum:"off,automatic,required" level:"cluster" group:"PG_BOOTSTRAP" doc:"Whether a leader must, may or need not hold a watchdog."`
	PatroniUsername      string             `param:"patroni_username" default:"postgres" format:"username" level:"cluster" group:"PG_BOOTSTRAP" doc:"User of Patroni's API."`
	PatroniPassword      secret.Value       `param:"patroni_password" default:"Patroni.API" level:"cluster" group:"PG_BOOTSTRAP" doc:"That user's password."`
	PgEtcdPassword       secret.Value       `param:"pg_etcd_password" default:"" level:"cluster" group:"PG_BOOTSTRAP" doc:"Password of the cluster's etcd user. Derived from etcd_root_password and the cluster's name when empty."`
	PgPrimaryDb          string             `param:"pg_primary_db" default:"postgres" aka:"patroni_citus_db" level:"cluster" group:"PG_BOOTSTRAP" doc:"Main database of the cluster, where Citus and cron live."`
	PgParameters         map[string]string  `param:"pg_parameters" default:"{}" level:"cluster" group:"PG_BOOTSTRAP" doc:"Server parameters that override those of the template."`
	PgFiles              []string           `param:"pg_files" default:"[]" level:"cluster" group:"PG_BOOTSTRAP" doc:"Files to copy into the data directory, on the side that runs pigsty."`
	PgConf               string             `param:"pg_conf" default:"oltp.yml" level:"cluster" group:"PG_BOOTSTRAP" doc:"Template of server parameters: oltp.yml, olap.yml, crit.yml or tiny.yml, or a YAML file of your own that says what differs from its base."`
	PgMaxConn            string             `param:"pg_max_conn" default:"auto" pattern:"^(auto|[0-9]+)$" form:"auto or a number" level:"cluster" group:"PG_BOOTSTRAP" doc:"Value of max_connections; auto lets the template choose."`
	PgSharedBufferRatio  float64            `param:"pg_shared_buffer_ratio" default:"0.25" min:"0.1" max:"0.4" level:"cluster" group:"PG_BOOTSTRAP" doc:"Share of memory for shared buffers."`
	PgIoMethod           string             `param:"pg_io_method" default:"worker" enum:"auto,sync,worker,io_uring" level:"cluster" group:"PG_BOOTSTRAP" doc:"How PostgreSQL 18 and later read asynchronously."`
	PgRto                string             `param:"pg_rto" default:"norm" usual:"fast,norm,safe,wide" level:"cluster" group:"PG_BOOTSTRAP" doc:"Which plan of pg_rto_plan bounds the time of a failover."`
	PgRtoPlan            map[string]RTOPlan `param:"pg_rto_plan" default:"@pg_rto_plan" level:"global/cluster" group:"PG_BOOTSTRAP" doc:"Timings of failover plans by name."`
	PgRpo                int                `param:"pg_rpo" default:"1048576" min:"0" level:"cluster" group:"PG_BOOTSTRAP" doc:"Bytes of WAL that a failover may lose; 0 makes replication synchronous."`
	PgLibs               string             `param:"pg_libs" default:"pg_stat_statements, auto_explain" level:"cluster" group:"PG_BOOTSTRAP" doc:"Value of shared_preload_libraries."`
	PgDelay              string             `param:"pg_delay" default:"0" format:"interval" level:"instance" group:"PG_BOOTSTRAP" doc:"How far a delayed standby cluster lags behind; set it on its primary."`
	PgChecksum           bool               `param:"pg_checksum" default:"true" level:"cluster" group:"PG_BOOTSTRAP" doc:"Whether data pages have checksums."`
	PgPwdEnc             string             `param:"pg_pwd_enc" default:"scram-sha-256" enum:"scram-sha-256,md5" level:"cluster" group:"PG_BOOTSTRAP" doc:"How passwords are stored."`
	PgEncoding           string             `param:"pg_encoding" default:"UTF8" level:"cluster" group:"PG_BOOTSTRAP" doc:"Encoding of new databases."`
	PgLocale             string             `param:"pg_locale" default:"C" level:"cluster" group:"PG_BOOTSTRAP" doc:"Locale of new databases."`
	PgLcCollate          string             `param:"pg_lc_collate" default:"C" level:"cluster" group:"PG_BOOTSTRAP" doc:"Sort order of new databases."`
	PgLcCtype            string             `param:"pg_lc_ctype" default:"C" level:"cluster" group:"PG_BOOTSTRAP" doc:"Character classes of new databases."`
	PgsodiumKey          secret.Value       `param:"pgsodium_key" level:"cluster" group:"PG_BOOTSTRAP" doc:"Root key of pgsodium, 64 hexadecimal digits. Derived from the cluster's name unless set. What was encrypted with another key cannot be read."`
	PgsodiumGetkeyScript string             `param:"pgsodium_getkey_script" format:"path" level:"cluster" group:"PG_BOOTSTRAP" doc:"Program that prints that key, in place of /pg/bin/pgsodium_getkey, which prints /pg/conf/pgsodium.key."`

	// PG_PROVISION

	PgProvision         bool        `param:"pg_provision" default:"true" level:"cluster" group:"PG_PROVISION" doc:"Whether default roles, schemas, extensions and privileges are created."`
	PgInit              string      `param:"pg_init" default:"pg-init" level:"global/cluster" group:"PG_PROVISION" idle:"the roles, schemas, extensions and privileges that are declared are compared on every run; baseline is for SQL of your own" doc:"Script that runs once in a new cluster."`
	PgDefaultRoles      []User      `param:"pg_default_roles" default:"@pg_default_roles" unique:"name" level:"global/cluster" group:"PG_PROVISION" doc:"Roles of every cluster."`
	PgDefaultPrivileges []string    `param:"pg_default_privileges" default:"@pg_default_privileges" level:"global/cluster" group:"PG_PROVISION" doc:"What roles may do with objects that administrators create, as clauses of ALTER DEFAULT PRIVILEGES."`
	PgDefaultSchemas    []Schema    `param:"pg_default_schemas" default:"[monitor]" unique:"name" level:"global/cluster" group:"PG_PROVISION" doc:"Schemas of every database."`
	PgDefaultExtensions []Extension `param:"pg_default_extensions" default:"@pg_default_extensions" unique:"name" level:"global/cluster" group:"PG_PROVISION" doc:"Extensions of every database."`
	PgReload            bool        `param:"pg_reload" default:"true" level:"arg" group:"PG_PROVISION" doc:"Whether PostgreSQL, PgBouncer and HAProxy are reloaded when their configuration changes."`
	PgDefaultHBARules   []HBARule   `param:"pg_default_hba_rules" default:"@pg_default_hba_rules" level:"global/cluster" group:"PG_PROVISION" doc:"Who may connect to PostgreSQL, in every cluster."`
	PgbDefaultHBARules  []HBARule   `param:"pgb_default_hba_rules" default:"@pgb_default_hba_rules" level:"global/cluster" group:"PG_PROVISION" doc:"Who may connect to PgBouncer, in every cluster."`

	// PG_BACKUP

	PgbackrestEnabled    bool                                `param:"pgbackrest_enabled" default:"true" level:"cluster" group:"PG_BACKUP" doc:"Whether pgBackRest archives WAL and makes backups."`
	PgbackrestLogDir     string                              `param:"pgbackrest_log_dir" default:"/pg/log/pgbackrest" format:"path" level:"cluster" group:"PG_BACKUP" doc:"Directory of pgBackRest's logs."`
	PgbackrestMethod     string                              `param:"pgbackrest_method" default:"local" level:"cluster" group:"PG_BACKUP" doc:"Which entry of pgbackrest_repo holds the backups."`
	PgbackrestInitBackup bool                                `param:"pgbackrest_init_backup" default:"true" level:"cluster" group:"PG_BACKUP" doc:"Whether a new cluster is backed up at once."`
	PgbackrestRepo       map[string]map[string]param.Setting `param:"pgbackrest_repo" default:"@pgbackrest_repo" secrets:"s3_key,s3_key_secret,s3_token,cipher_pass,azure_key,sftp_private_key_passphrase" level:"global/cluster" group:"PG_BACKUP" doc:"Backup repositories by name: options of pgBackRest, with underscores and without repo1- before them. ${pg_cluster} stands for the cluster's name."`

	// PG_ACCESS

	PgbouncerEnabled     bool      `param:"pgbouncer_enabled" default:"true" level:"cluster" group:"PG_ACCESS" doc:"Whether PgBouncer pools connections."`
	PgbouncerPort        int       `param:"pgbouncer_port" default:"6432" format:"port" level:"cluster" group:"PG_ACCESS" doc:"Port of PgBouncer."`
	PgbouncerLogDir      string    `param:"pgbouncer_log_dir" default:"/pg/log/pgbouncer" format:"path" level:"cluster" group:"PG_ACCESS" doc:"Directory of PgBouncer's logs."`
	PgbouncerAuthQuery   bool      `param:"pgbouncer_auth_query" default:"false" level:"cluster" group:"PG_ACCESS" doc:"Whether PgBouncer asks PostgreSQL for passwords of users that are not on its list."`
	PgbouncerPoolmode    string    `param:"pgbouncer_poolmode" default:"transaction" enum:"transaction,session,statement" level:"cluster" group:"PG_ACCESS" doc:"When a connection returns to the pool."`
	PgbouncerSslmode     string    `param:"pgbouncer_sslmode" default:"disable" enum:"disable,allow,prefer,require,verify-ca,verify-full" level:"cluster" group:"PG_ACCESS" doc:"Whether clients of PgBouncer may or must use TLS."`
	PgbouncerIgnoreParam []string  `param:"pgbouncer_ignore_param" default:"@pgbouncer_ignore_param" level:"cluster" group:"PG_ACCESS" doc:"Startup parameters that PgBouncer ignores."`
	PgWeight             int       `param:"pg_weight" default:"100" min:"0" max:"256" level:"instance" group:"PG_ACCESS" doc:"Share of the instance in its services' load."`
	PgServiceProvider    string    `param:"pg_service_provider" default:"" level:"global/cluster" group:"PG_ACCESS" doc:"Group of hosts whose HAProxy publishes the services; empty for the members themselves."`
	PgDefaultServiceDest string    `param:"pg_default_service_dest" default:"pgbouncer" enum:"pgbouncer,postgres" level:"global/cluster" group:"PG_ACCESS" doc:"Where services go whose dest is default."`
	PgDefaultServices    []Service `param:"pg_default_services" default:"@pg_default_services" unique:"name" level:"global/cluster" group:"PG_ACCESS" doc:"Services of every cluster."`
	PgVipEnabled         bool      `param:"pg_vip_enabled" default:"false" level:"cluster" group:"PG_ACCESS" doc:"Whether the cluster's leader holds a virtual address."`
	PgVipAddress         string    `param:"pg_vip_address" default:"127.0.0.1/24" format:"address" level:"cluster" group:"PG_ACCESS" doc:"That address, with its prefix length."`
	PgVipInterface       string    `param:"pg_vip_interface" default:"auto" level:"cluster/instance" group:"PG_ACCESS" doc:"Network interface of the address; auto finds the one that has the node's own address."`
	PgDNSSuffix          string    `param:"pg_dns_suffix" default:"" level:"cluster" group:"PG_ACCESS" doc:"What follows the cluster's name in its DNS name."`
	PgDNSTarget          string    `param:"pg_dns_target" default:"auto" usual:"auto,primary,vip,none" level:"cluster" group:"PG_ACCESS" doc:"What the cluster's DNS name points at: its virtual address, its primary, the first that there is, nothing, or the address written here."`

	// PG_MONITOR

	PgExporterEnabled         bool         `param:"pg_exporter_enabled" default:"true" level:"cluster" group:"PG_MONITOR" doc:"Whether PostgreSQL's metrics are exported."`
	PgExporterConfig          string       `param:"pg_exporter_config" default:"pg_exporter.yml" level:"cluster" group:"PG_MONITOR" idle:"the exporters of PostgreSQL and PgBouncer are not managed yet" doc:"Definition of the metrics."`
	PgExporterCacheTtls       string       `param:"pg_exporter_cache_ttls" default:"1,10,60,300" level:"cluster" group:"PG_MONITOR" idle:"the exporters of PostgreSQL and PgBouncer are not managed yet" doc:"How many seconds fast, normal, slow and very slow metrics are cached."`
	PgExporterPort            int          `param:"pg_exporter_port" default:"9630" format:"port" level:"cluster" group:"PG_MONITOR" doc:"Port of pg_exporter."`
	PgExporterParams          string       `param:"pg_exporter_params" default:"sslmode=disable" level:"cluster" group:"PG_MONITOR" idle:"the exporters of PostgreSQL and PgBouncer are not managed yet" doc:"Parameters of the URL by which pg_exporter connects."`
	PgExporterURL             secret.Value `param:"pg_exporter_url" default:"" level:"cluster" group:"PG_MONITOR" idle:"the exporters of PostgreSQL and PgBouncer are not managed yet" doc:"That URL, in place of the usual one."`
	PgExporterAutoDiscovery   bool         `param:"pg_exporter_auto_discovery" default:"true" level:"cluster" group:"PG_MONITOR" idle:"the exporters of PostgreSQL and PgBouncer are not managed yet" doc:"Whether all databases of the server are watched."`
	PgExporterExcludeDatabase string       `param:"pg_exporter_exclude_database" default:"template0,template1,postgres" level:"cluster" group:"PG_MONITOR" idle:"the exporters of PostgreSQL and PgBouncer are not managed yet" doc:"Databases that are not, separated by commas."`
	PgExporterIncludeDatabase string       `param:"pg_exporter_include_database" default:"" level:"cluster" group:"PG_MONITOR" idle:"the exporters of PostgreSQL and PgBouncer are not managed yet" doc:"The only databases that are, separated by commas; empty for all."`
	PgExporterConnectTimeout  int          `param:"pg_exporter_connect_timeout" default:"200" min:"1" level:"cluster" group:"PG_MONITOR" idle:"the exporters of PostgreSQL and PgBouncer are not managed yet" doc:"Milliseconds that connecting may take."`
	PgExporterOptions         string       `param:"pg_exporter_options" default:"" level:"cluster" group:"PG_MONITOR" idle:"the exporters of PostgreSQL and PgBouncer are not managed yet" doc:"Further options of pg_exporter."`
	PgbouncerExporterEnabled  bool         `param:"pgbouncer_exporter_enabled" default:"true" level:"cluster" group:"PG_MONITOR" doc:"Whether PgBouncer's metrics are exported."`
	PgbouncerExporterPort     int          `param:"pgbouncer_exporter_port" default:"9631" format:"port" level:"cluster" group:"PG_MONITOR" doc:"Port of PgBouncer's exporter."`
	PgbouncerExporterURL      secret.Value `param:"pgbouncer_exporter_url" default:"" level:"cluster" group:"PG_MONITOR" idle:"the exporters of PostgreSQL and PgBouncer are not managed yet" doc:"URL by which it connects, in place of the usual one."`
	PgbouncerExporterOptions  string       `param:"pgbouncer_exporter_options" default:"" level:"cluster" group:"PG_MONITOR" idle:"the exporters of PostgreSQL and PgBouncer are not managed yet" doc:"Further options of that exporter."`
	PgbackrestExporterEnabled bool         `param:"pgbackrest_exporter_enabled" default:"true" level:"cluster" group:"PG_MONITOR" doc:"Whether pgBackRest's metrics are exported."`
	PgbackrestExporterPort    int          `param:"pgbackrest_exporter_port" default:"9854" format:"port" level:"cluster" group:"PG_MONITOR" doc:"Port of pgbackrest_exporter."`
	PgbackrestExporterOptions string       `param:"pgbackrest_exporter_options" default:"--collect.interval=120 --log.level=info" level:"cluster" group:"PG_MONITOR" idle:"the exporter of pgBackRest is not managed yet" doc:"Further options of pgbackrest_exporter."`

	// PG_REMOVE

	PgSafeguard bool `param:"pg_safeguard" default:"false" aka:"pg_disable_purge" level:"global/cluster/arg" group:"PG_REMOVE" doc:"Whether the removal of instances is refused."`
	PgRmData    bool `param:"pg_rm_data" default:"true" level:"global/cluster/arg" group:"PG_REMOVE" doc:"Whether removal deletes the data."`
	PgRmBackup  bool `param:"pg_rm_backup" default:"true" aka:"pg_rm_bkup" level:"global/cluster/arg" group:"PG_REMOVE" doc:"Whether the removal of a cluster deletes its backups, those in a repository that others use included, and the removal of a member those that it keeps."`
	PgRmPkg     bool `param:"pg_rm_pkg" default:"true" level:"global/cluster/arg" group:"PG_REMOVE" doc:"Whether removal uninstalls the packages."`

	// ARG

	Clsname  string `param:"clsname" default:"" level:"arg" group:"ARG" idle:"servers run by others are not watched yet" doc:"Remote cluster to monitor; empty for all of them."`
	Dbname   string `param:"dbname" level:"arg" group:"ARG" doc:"Database that a run is about."`
	Username string `param:"username" format:"username" level:"arg" group:"ARG" doc:"User that a run is about."`

	// PG_MIGRATION

	ContextDir string       `param:"context_dir" default:"~/migration" level:"arg" group:"PG_MIGRATION" idle:"there is no play that prepares a migration" doc:"Directory where migration scripts are written."`
	DstCls     string       `param:"dst_cls" level:"arg" group:"PG_MIGRATION" idle:"there is no play that prepares a migration" doc:"Cluster to migrate to."`
	DstDb      string       `param:"dst_db" level:"arg" group:"PG_MIGRATION" idle:"there is no play that prepares a migration" doc:"Database to migrate to."`
	DstDNS     string       `param:"dst_dns" level:"arg" group:"PG_MIGRATION" idle:"there is no play that prepares a migration" doc:"DNS name of the cluster to migrate to."`
	DstIP      string       `param:"dst_ip" level:"arg" group:"PG_MIGRATION" idle:"there is no play that prepares a migration" doc:"Address of the primary to migrate to."`
	DstPg      secret.Value `param:"dst_pg" level:"arg" group:"PG_MIGRATION" idle:"there is no play that prepares a migration" doc:"URL of the database to migrate to. Made of address and database unless set."`
	DstUser    string       `param:"dst_user" level:"arg" group:"PG_MIGRATION" idle:"there is no play that prepares a migration" doc:"Owner of the migrated objects."`
	DstVip     string       `param:"dst_vip" level:"arg" group:"PG_MIGRATION" idle:"there is no play that prepares a migration" doc:"Virtual address of the cluster to migrate to."`
	SrcCls     string       `param:"src_cls" level:"arg" group:"PG_MIGRATION" idle:"there is no play that prepares a migration" doc:"Cluster to migrate from."`
	SrcDb      string       `param:"src_db" level:"arg" group:"PG_MIGRATION" idle:"there is no play that prepares a migration" doc:"Database to migrate from."`
	SrcDNS     string       `param:"src_dns" level:"arg" group:"PG_MIGRATION" idle:"there is no play that prepares a migration" doc:"DNS name of the cluster to migrate from."`
	SrcIP      string       `param:"src_ip" level:"arg" group:"PG_MIGRATION" idle:"there is no play that prepares a migration" doc:"Address of the primary to migrate from."`
	SrcList    string       `param:"src_list" level:"arg" group:"PG_MIGRATION" idle:"there is no play that prepares a migration" doc:"Addresses of all instances to migrate from."`
	SrcPg      secret.Value `param:"src_pg" level:"arg" group:"PG_MIGRATION" idle:"there is no play that prepares a migration" doc:"URL of the database to migrate from. Made of address and database unless set."`
	SrcVip     string       `param:"src_vip" level:"arg" group:"PG_MIGRATION" idle:"there is no play that prepares a migration" doc:"Virtual address of the cluster to migrate from."`
	SubConn    secret.Value `param:"sub_conn" level:"arg" group:"PG_MIGRATION" idle:"there is no play that prepares a migration" doc:"Connection string of the subscription. Made of address, database and replication user unless set."`

	// PG_PITR

	PgPitr PITR `param:"pg_pitr" level:"arg/cluster" group:"PG_PITR" doc:"What to restore: a recovery target and where to take it from."`
}

// Declaration returns what the catalogue of parameters needs to know.
func Declaration() param.Module {
	return param.Module{
		Name: "PGSQL",
		Doc: "PostgreSQL clusters with Patroni, PgBouncer, pgBackRest, HAProxy and a virtual address; " +
			"their users, databases, access rules and services.",
		Params:   Params{},
		Defaults: defaults,
		Groups: map[string]string{
			"PG_ID":        "Which cluster the instance belongs to, and what it is there.",
			"PG_EXPORTER":  "Servers run by others that are monitored all the same.",
			"PG_BUSINESS":  "What a cluster holds, and who may use it.",
			"PG_INSTALL":   "Operating-system user and packages.",
			"PG_BOOTSTRAP": "How a cluster is created and kept available.",
			"PG_PROVISION": "What every new cluster holds.",
			"PG_BACKUP":    "Backups and archived WAL.",
			"PG_ACCESS":    "Connection pool, services, virtual address and DNS names.",
			"PG_MONITOR":   "Metrics.",
			"PG_REMOVE":    "What the removal of instances may do.",
			"PG_MIGRATION": "Arguments of a run that prepares a migration by logical replication.",
			"PG_PITR":      "Restoring a cluster to a point in time.",
			"ARG":          "Arguments of a run.",
		},
		Prefixes: []string{"pg_", "pgb_", "pgsql_", "pgbouncer_", "pgbackrest_", "patroni_", "pgsodium_"},
		Obsolete: map[string]string{
			"pgbouncer_redirect_to": "PgBouncer connects to the server beside it",
			"pg_clean":              "instances that exist are never wiped; remove them with pgsql-rm first",
			"pg_exists_action":      "instances that exist are never wiped; remove them with pgsql-rm first",
			"pgbackrest_clean":      "backups that exist are never wiped",
			"pg_hostname":           "node_id_from_pg says where the node's name comes from",
			"patroni_reload":        "Patroni is reloaded when its configuration changes, see pg_reload",
		},
	}
}
