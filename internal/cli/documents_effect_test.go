package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"pigsty/internal/module"
	"pigsty/internal/module/infra"
	"pigsty/internal/module/minio"
	"pigsty/internal/module/moduletest"
	"pigsty/internal/module/redis"
	"pigsty/internal/resource"
)

// effects are what parameters of the examples are there for: texts that a step
// of the inventory has, in this order, and one that it has not.
var effects = []struct {
	about     string
	inventory string
	step      string // HOST KEY
	has       []string
	lacks     string
}{
	{"pool_size_reserve and pool_max_db_conn, the older spellings", "iac/content", "10.10.10.10 file /etc/pgbouncer/database.txt",
		[]string{"meta = ", "pool_mode=transaction pool_size=64 min_pool_size=0 reserve_pool=32 max_db_connections=100\n"}, ""},
	{"pool_auth_user", "iac/content", "10.10.10.10 file /etc/pgbouncer/database.txt", []string{"meta = ", "auth_user=dbuser_meta", "\ngrafana"}, ""},
	{"expire_in, which overrides expire_at", "iac/content", "10.10.10.10 role dbuser_meta", []string{"ExpireIn:3650"}, "2030"},
	{"revokeconn of one database", "iac/content", "10.10.10.10 privileges wiki", []string{"RevokeConnect:true"}, ""},
	{"a baseline", "iac/content", "10.10.10.10 baseline meta", []string{"Name:cmdb.sql"}, ""},
	{"a rule without order follows the default ones", "iac/content", "10.10.10.10 file /pg/conf/pg-meta-1.yml",
		[]string{"+dbrole_offline ", "allow grafana dashboard access cmdb from infra nodes", "host     all                dbuser_view        10.10.10.10/32     scram-sha-256"}, ""},
	{"rules without order keep theirs", "iac/citus", "10.10.10.10 file /pg/conf/pg-citus0-1.yml",
		[]string{"+dbrole_offline ", "all user ssl access from localhost", "hostssl  all                all                127.0.0.1/32", "all user ssl access from intranet"}, ""},
	{"default rules as they are listed", "iac/access", "10.10.10.10 file /pg/conf/pg-meta-1.yml",
		[]string{"dbsu access via local", "dbsu replication from local", "hostssl  replication        replicator         10.0.0.0/8", "monitor from infra host", "hostssl  all                dbuser_dba         0.0.0.0/0          cert", "allow etl offline tasks"}, ""},
	{"rules of the pool", "iac/access", "10.10.10.10 file /etc/pgbouncer/pgb_hba.conf",
		[]string{"local    pgbouncer          postgres", "hostssl  pgbouncer          dbuser_monitor", "dbuser_monitor     0.0.0.0/0          reject", "hostssl  all                all                10.0.0.0/8"}, ""},
	{"the service standby", "iac/content", "10.10.10.10 file /etc/haproxy/conf.d/pg-meta-standby.cfg",
		[]string{"bind *:5435", "maxconn 3000", "balance roundrobin", "uri /sync", "default-server inter 3s fastinter 1s downinter 5s", "10.10.10.10:6432", "backup"}, ""},
	{"pg_default_service_dest, and src_ip of a service", "iac/access", "10.10.10.10 file /etc/haproxy/conf.d/pg-meta-standby.cfg",
		[]string{"bind *:5435", "server pg-meta-1 10.10.10.10:5432", "backup\n", "server pg-meta-2 10.10.10.11:5432"}, "6432"},
	{"node_crontab", "iac/content", "10.10.10.10 file /etc/cron.d/pigsty", []string{"\n00 01 * * * postgres /pg/bin/pg-backup full\n"}, ""},
	{"the script that it runs", "iac/content", "10.10.10.10 file /pg/bin/pg-backup", []string{"#!"}, ""},
	{"pg_vip_address and pg_vip_interface", "iac/content", "10.10.10.10 file /etc/keepalived/conf.d/pgsql-pg-meta.conf",
		[]string{"interface eth1\n", "10.10.10.2/24 dev eth1\n"}, ""},
	{"the VIP in the certificate", "iac/content", "10.10.10.10 cert /pg/cert/server.crt", []string{"10.10.10.2"}, "10.10.10.2/24"},
	{"pg_listen for PostgreSQL", "iac/access", "10.10.10.11 file /pg/conf/pg-meta-2.yml", []string{`listen: "10.10.10.11,10.10.10.2,127.0.0.1:5432"`}, "${"},
	{"pg_listen for the pool", "iac/access", "10.10.10.11 file /etc/pgbouncer/listen.ini", []string{"listen_addr = 10.10.10.11,10.10.10.2,127.0.0.1\n"}, "${"},
	{"pg_libs", "iac/access", "10.10.10.10 file /pg/conf/pg-meta-1.yml",
		[]string{`shared_preload_libraries: "timescaledb, $libdir/passwordcheck, pg_stat_statements, auto_explain"`}, ""},
	{"pg_libs, on the running cluster", "iac/access", "10.10.10.10 patroni config pg-meta", []string{"timescaledb, $libdir/passwordcheck, pg_stat_statements, auto_explain"}, ""},
	{"pg_conf: crit.yml", "iac/access", "10.10.10.10 file /pg/conf/pg-meta-1.yml", []string{"synchronous_mode: true", "synchronous_mode_strict: true"}, ""},
	{"patroni_ssl_enabled", "iac/access", "10.10.10.10 file /pg/conf/pg-meta-1.yml", []string{"restapi:", "certfile: /pg/cert/server.crt", "keyfile: /pg/cert/server.key"}, ""},
	{"pgbouncer_sslmode", "iac/access", "10.10.10.10 file /etc/pgbouncer/pgbouncer.ini", []string{"client_tls_sslmode = require\n"}, ""},
	{"pgbackrest_method: minio", "iac/access", "10.10.10.10 file /etc/pgbackrest/pgbackrest.conf", []string{"repo1-s3-bucket=pgsql", "repo1-type=s3"}, "repo1-path=/pg/backup"},
	{"parameters of a default role", "iac/access", "10.10.10.10 role dbuser_monitor", []string{"ExpireIn:7300", "log_min_duration_statement:1000"}, ""},
	{"pool_connlimit of a default role", "iac/access", "10.10.10.10 file /etc/pgbouncer/useropts.txt", []string{"dbuser_dba = pool_mode=session max_user_connections=16\n"}, ""},
	{"pg_upstream and pg_delay", "iac/access", "10.10.10.13 file /pg/conf/pg-meta-delay-1.yml",
		[]string{"standby_cluster:", `host: "10.10.10.10`, `recovery_min_apply_delay: "1h"`}, ""},
	{"pg_role: offline", "iac/cluster", "10.10.10.11 file /etc/haproxy/conf.d/pg-test-offline.cfg", []string{"server pg-test-3 10.10.10.13:5432", "server pg-test-2 10.10.10.12:5432", "backup"}, ""},
	{"patroni_citus_db, pg_shard and pg_group", "iac/citus", "10.10.10.14 file /pg/conf/pg-citus3-2.yml", []string{"scope: pg-citus\n", "group: 3", "database: meta"}, ""},
	{"pg_dbsu_password", "iac/citus", "10.10.10.10 file /pg/conf/pg-citus0-1.yml", []string{"superuser:", "password: DBUser.Postgres"}, ""},
	{"haproxy_services with lines of HAProxy's own", "iac/minio", "10.10.10.12 file /etc/haproxy/conf.d/minio.cfg",
		[]string{"*:9002\n", "    option httpchk\n", "    option http-keep-alive\n", "    http-check send meth OPTIONS uri /minio/health/live\n", "    http-check expect status 200\n",
			"server minio-1 10.10.10.10:9000 check-ssl ca-file /etc/pki/ca.crt check port 9000\n", "server minio-3 10.10.10.12:9000 "}, ""},
}

func TestDocumentEffects(t *testing.T) {
	texts := map[string]map[string]string{} // by inventory and step
	for _, e := range effects {
		if texts[e.inventory] == nil {
			texts[e.inventory] = map[string]string{}
			for _, s := range deployed(t, loaded(t, filepath.Join("testdata", documents, e.inventory+".yml"))) {
				text := moduletest.Attributes(s.Resource)
				if f, ok := s.Resource.(*resource.File); ok {
					text = string(f.Content())
				}
				texts[e.inventory][s.ID()] = text
			}
		}
		text, found := texts[e.inventory][e.step]
		if !found {
			t.Errorf("%s: %s has no step %s", e.about, e.inventory, e.step)
			continue
		}
		rest := text
		for _, want := range e.has {
			_, after, ok := strings.Cut(rest, want)
			if !ok {
				t.Errorf("%s: %s of %s lacks %q after what comes before it", e.about, e.step, e.inventory, want)
				break
			}
			rest = after
		}
		if e.lacks != "" && strings.Contains(text, e.lacks) {
			t.Errorf("%s: %s of %s has %q", e.about, e.step, e.inventory, e.lacks)
		}
	}
}

// exampleHost is a host of an example, to ask for its parameters.
func exampleHost(t *testing.T, inventory, name string) *module.Host {
	t.Helper()
	h := loaded(t, filepath.Join("testdata", documents, inventory+".yml")).site(nil).Host(name)
	if h == nil {
		t.Fatalf("%s has no host %s", inventory, name)
	}
	return h
}

// TestDocumentParameters checks what modules read from the examples that are
// about no file of a host.
func TestDocumentParameters(t *testing.T) {
	store := module.Params[minio.Params](exampleHost(t, "iac/minio", "10.10.10.11"))
	if store.MinioData != "/data{1...2}" || store.MinioCluster != "minio" || *store.MinioSeq != 2 || store.MinioNode != "${minio_cluster}-${minio_seq}.pigsty" {
		t.Errorf("minio-2 is %q %d of %q on %q", store.MinioCluster, *store.MinioSeq, store.MinioNode, store.MinioData)
	}

	primary := module.Params[redis.Params](exampleHost(t, "iac/redis", "10.10.10.10"))
	if got := primary.RedisInstances[6380].ReplicaOf; got != "10.10.10.10 6379" || primary.RedisInstances[6379].ReplicaOf != "" {
		t.Errorf("6380 is a replica of %q", got)
	}
	sentinel := module.Params[redis.Params](exampleHost(t, "iac/redis", "10.10.10.11"))
	if len(sentinel.RedisSentinelMonitor) != 1 || len(sentinel.RedisInstances) != 3 || sentinel.RedisMode != "sentinel" {
		t.Fatalf("%d sentinels in mode %s watch %d primaries", len(sentinel.RedisInstances), sentinel.RedisMode, len(sentinel.RedisSentinelMonitor))
	}
	if m := sentinel.RedisSentinelMonitor[0]; m.Name != "redis-ms" || m.Host != "10.10.10.10" || m.Port != 6379 || m.Password.Reveal() != "redis.ms" || m.Quorum != 2 {
		t.Errorf("sentinels watch %+v", m)
	}
	if p := module.Params[redis.Params](exampleHost(t, "iac/redis", "10.10.10.13")); p.RedisMode != "cluster" || p.RedisMaxMemory != "32MB" || len(p.RedisInstances) != 3 {
		t.Errorf("redis-test: %d instances of %s in mode %s", len(p.RedisInstances), p.RedisMaxMemory, p.RedisMode)
	}

	portal := module.Params[infra.Params](exampleHost(t, "infra/portal", "10.10.10.10")).InfraPortal
	if site := portal["grafana"]; len(portal) != 6 || site.Domain != "g.pigsty" || site.Endpoint != "${admin_ip}:3000" || !site.Websocket {
		t.Errorf("the portal has %d sites; grafana: %+v", len(portal), site)
	}
	if p := module.Params[infra.Params](exampleHost(t, "infra/two", "10.10.10.11")); p.InfraSeq == nil || *p.InfraSeq != 2 {
		t.Errorf("infra_seq of the second node is %v", p.InfraSeq)
	}
}
