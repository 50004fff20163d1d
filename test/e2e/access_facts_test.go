package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// accessCatalogs asks the catalogs for what the example declares of roles and of
// its database; when the system's users expire is among what accessSynchronous asks.
func accessCatalogs(t *testing.T, w *world) {
	w.holds(t, leader(t, w), []fact{
		{"roles and users", "postgres", `select rolname, rolcanlogin, rolsuper, rolreplication, rolpassword like 'SCRAM-SHA-256$4096:%', shobj_description(oid, 'pg_authid')
			from pg_authid where rolname !~ '^pg_' order by 1`, `
dbrole_admin|f|f|f||role for object creation
dbrole_offline|f|f|f||role for restricted read-only access
dbrole_readonly|f|f|f||role for global read-only access
dbrole_readwrite|f|f|f||role for global read-write access
dbuser_dba|t|t|f|t|pgsql admin user
dbuser_meta|t|f|f|t|pigsty admin user
dbuser_monitor|t|f|f|t|pgsql monitor user
dbuser_view|t|f|f|t|read-only viewer for meta database
postgres|t|t|t||system superuser
replicator|t|f|t|t|system replicator
`},
		{"their members", "postgres", `select m.rolname, string_agg(r.rolname, ' ' order by r.rolname)
			from pg_auth_members a join pg_authid m on m.oid = member join pg_authid r on r.oid = roleid where m.rolname !~ '^pg_' group by 1 order by 1`, `
dbrole_admin|dbrole_readwrite pg_monitor
dbrole_readwrite|dbrole_readonly
dbuser_dba|dbrole_admin
dbuser_meta|dbrole_admin
dbuser_monitor|pg_monitor
dbuser_view|dbrole_readonly
replicator|dbrole_readonly pg_monitor
`},
		{"their settings", "postgres", "select setrole::regrole, setconfig from pg_db_role_setting where setrole <> 0", "dbuser_monitor|{log_min_duration_statement=1000}"},
		{"databases", "postgres", `select datname, pg_get_userbyid(datdba), pg_encoding_to_char(encoding), has_database_privilege('public', oid, 'connect'), shobj_description(oid, 'pg_database')
			from pg_database where not datistemplate and datname <> 'postgres'`, "meta|postgres|UTF8|t|pigsty meta database"},
		{"extensions", "meta", `select extname, extnamespace::regnamespace from pg_extension where extname in ('postgis', 'timescaledb', 'pg_stat_statements') order by 1`, `
pg_stat_statements|monitor
postgis|public
timescaledb|public
`},
		{"a schema, and the baseline in it", "meta", "select to_regclass('pigsty.node')", "pigsty.node"},
		{"who grants what by default", "meta", "select distinct pg_get_userbyid(defaclrole) from pg_default_acl order by 1", "dbrole_admin\ndbuser_dba\npostgres"},
	})
}

// accessRules compares the rules that every member has read with the example's,
// which are without an order and so in theirs.
func accessRules(t *testing.T, w *world) {
	encrypted := func(db, user string) string { return intranetRules("hostssl", db, user) }
	node := "|" + w.addr(10) + "|255.255.255.255|scram-sha-256\n"
	want := "local|{all}|{postgres}|||peer\nlocal|{replication}|{postgres}|||peer\n" +
		ownRules("replication", "replicator") + encrypted("replication", "replicator") + encrypted("postgres", "replicator") +
		ownRules("all", "dbuser_monitor") + "hostssl|{all}|{dbuser_monitor}" + node + "hostssl|{all}|{dbuser_dba}" + node +
		"hostssl|{all}|{dbuser_dba}|0.0.0.0|0.0.0.0|cert\nhostssl|{all}|{dbuser_dba}|::|::|cert\n" +
		ownRules("all", "+dbrole_readonly") + encrypted("all", "+dbrole_readonly") + encrypted("all", "+dbrole_offline")
	var pool []string // PgBouncer reads its own from top to bottom
	for _, line := range []string{"local pgbouncer postgres peer", "local all all scram-sha-256", "host all all 127.0.0.1/32 scram-sha-256", "host all all ::1/128 scram-sha-256",
		"hostssl pgbouncer dbuser_monitor NET scram-sha-256", "host all dbuser_monitor 0.0.0.0/0 reject", "host all dbuser_monitor ::/0 reject",
		"hostssl all dbuser_dba NET scram-sha-256", "host all dbuser_dba 0.0.0.0/0 reject", "host all dbuser_dba ::/0 reject", "hostssl all all NET scram-sha-256"} {
		if !strings.Contains(line, "NET") {
			pool = append(pool, line)
			continue
		}
		for _, net := range []string{"10.0.0.0/8", "192.168.0.0/16", "172.16.0.0/12"} {
			pool = append(pool, strings.Replace(line, "NET", net, 1))
		}
	}
	for _, n := range []byte{10, 11, 12} {
		w.holds(t, n, rulesAre(want))
		got := strings.Split(w.on(t, n, "grep -v '^#' /etc/pgbouncer/pgb_hba.conf | sed 's/  */ /g'"), "\n")
		if diff := cmp.Diff(pool, got); diff != "" {
			t.Errorf("the pool's rules on %s (want -, got +):\n%s", w.addr(n), diff)
		}
	}
}

// accessPool asks every member's pool what it has read.
func accessPool(t *testing.T, w *world) {
	for _, n := range []byte{10, 11, 12} {
		if err := (attempt{user: "dbuser_view", db: "meta", port: 6432, options: w.ca(6432), host: n}).try(w); err != nil { // makes the pool
			t.Errorf("the pool on %s: %v", w.addr(n), err)
		}
		databases := w.console(t, n, "show databases")
		has(t, "database meta", databases["meta"], "host /var/run/postgresql, port 5432, database meta, pool_size 50, min_pool_size 0, reserve_pool_size 30, max_connections 100")
		if len(databases) != 2 { // and its own
			t.Errorf("the pool on %s offers %d databases: %v", w.addr(n), len(databases), databases)
		}
		users := w.console(t, n, "show users")
		has(t, "user dbuser_dba", users["dbuser_dba"], "pool_mode session, max_user_connections 16")
		has(t, "user dbuser_monitor", users["dbuser_monitor"], "pool_mode session, max_user_connections 8")
		for name, listed := range map[string]bool{"dbuser_meta": true, "dbuser_view": true, "replicator": false} {
			if (users[name] != nil) != listed {
				t.Errorf("whether the pool on %s has the user %s: %v", w.addr(n), name, !listed)
			}
		}
		config := w.console(t, n, "show config")
		for name, want := range map[string]string{
			"listen_addr": fmt.Sprintf("%s,%s,127.0.0.1", w.addr(n), w.addr(2)), "listen_port": "6432", "auth_type": "hba", "pool_mode": "transaction",
			"client_tls_sslmode": "require", "client_tls_ca_file": "/pg/cert/ca.crt", "client_tls_cert_file": "/pg/cert/server.crt", "client_tls_key_file": "/pg/cert/server.key",
		} {
			if got := config[name]["value"]; got != want {
				t.Errorf("%s of the pool on %s is %q, not %q", name, w.addr(n), got, want)
			}
		}
	}
}

// accessStatistics reads what HAProxy on every host says of each service: who is
// a server of it, who answers its check over TLS, and who only steps in.
func accessStatistics(t *testing.T, w *world) {
	leads := leader(t, w)
	if leads != 10 {
		t.Fatalf("%s leads already", w.addr(leads))
	}
	const up, down, spare = "UP 200 bck 0", "DOWN 503 bck 0", "UP 200 bck 1"
	want := map[string][]string{ // of pg-meta-1, the leader, pg-meta-2 and pg-meta-3
		"primary": {up, down, down},
		"replica": {spare, up, up},
		"default": {up, down, down},
		"offline": {"", spare, up},
		"standby": {spare, down, down},
	}
	for i, n := range []byte{10, 11, 12} {
		name := fmt.Sprintf("pg-meta-%d", i+1)
		for service, servers := range want {
			eventually(t, 2*time.Minute, "service "+service, func() error {
				rows := w.statistics(t, n, name)
				if front := rows["pg-meta-"+service+" FRONTEND"]; front["status"] != "OPEN" || front["mode"] != "tcp" {
					return fmt.Errorf("it is %s for clients of %s, by %s", front["status"], w.addr(n), front["mode"])
				}
				var got []string
				for _, server := range []string{"pg-meta-1", "pg-meta-2", "pg-meta-3"} {
					state := ""
					if row := rows["pg-meta-"+service+" "+server]; row != nil {
						state = row["status"] + " " + row["check_code"] + " bck " + row["bck"]
					}
					got = append(got, state)
				}
				if !slices.Equal(got, servers) {
					return fmt.Errorf("its servers on %s are %q, not %q", w.addr(n), got, servers)
				}
				return nil
			})
		}
	}
	if res, err := http.Get("http://" + w.addr(10) + ":9101/haproxy/pg-meta-1/;csv"); err != nil || res.StatusCode != http.StatusUnauthorized {
		t.Errorf("the statistics without a password: %v %v", res, err)
	} else {
		_ = res.Body.Close()
	}
	ports := w.on(t, 10, "cd /etc/haproxy/conf.d; grep -ho 'server pg-meta-[0-9] [0-9.]*:[0-9]*' pg-meta-*.cfg | grep -o ':[0-9]*$' | sort -u")
	if ports != ":5432" { // pg_default_service_dest
		t.Errorf("services lead to the ports %s", ports)
	}
}
