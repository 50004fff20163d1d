package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// metaPool asks the pool what it has read.
func metaPool(t *testing.T, w *world) {
	if err := (attempt{user: "dbuser_meta", db: "meta", port: 6432}).try(w); err != nil { // makes the pool
		t.Fatal(err)
	}
	databases := w.console(t, 10, "show databases")
	has(t, "database meta", databases["meta"], "host /var/run/postgresql, port 5432, database meta, pool_mode transaction, pool_size 64, min_pool_size 0, reserve_pool_size 32, max_connections 100")
	for _, name := range []string{"grafana", "bytebase", "kong", "gitea", "wiki"} {
		has(t, "database "+name, databases[name], "host /var/run/postgresql, port 5432, pool_size 50, min_pool_size 0, reserve_pool_size 30, max_connections 100")
	}
	if len(databases) != 7 { // and its own
		t.Errorf("the pool offers %d databases: %v", len(databases), databases)
	}
	users := w.console(t, 10, "show users")
	has(t, "user dbuser_meta", users["dbuser_meta"], "pool_mode transaction, max_user_connections 100")
	has(t, "user dbuser_dba", users["dbuser_dba"], "pool_mode session, max_user_connections 16")
	has(t, "user dbuser_monitor", users["dbuser_monitor"], "pool_mode session, max_user_connections 8")
	for _, name := range []string{"dbuser_view", "dbuser_grafana", "dbuser_bytebase", "dbuser_kong", "dbuser_gitea", "dbuser_wiki"} {
		if users[name] == nil {
			t.Errorf("the pool has no user %s", name)
		}
	}
	if users["replicator"] != nil {
		t.Error("the pool has the user replicator, whom nobody declared for it")
	}
	config := w.console(t, 10, "show config")
	for name, want := range map[string]string{
		"listen_addr": "0.0.0.0", "listen_port": "6432", "auth_type": "hba", "pool_mode": "transaction", "default_pool_size": "50",
		"reserve_pool_size": "30", "max_db_connections": "100", "client_tls_sslmode": "disable", "max_prepared_statements": "256",
	} {
		if got := config[name]["value"]; got != want {
			t.Errorf("the pool's %s is %q, not %q", name, got, want)
		}
	}
	pools := w.console(t, 10, "show pools")
	if pools["meta"] == nil {
		t.Errorf("no pool was made for meta: %v", pools)
	}
}

// metaServices reads HAProxy's statistics: every service with its servers, and
// which of them are up.
func metaServices(t *testing.T, w *world) {
	// The only member leads: what demands a replica has nobody.
	for service, want := range map[string]string{"primary": "UP 200", "replica": "UP 200", "default": "UP 200", "offline": "DOWN 503", "standby": "DOWN 503"} {
		eventually(t, 2*time.Minute, "service "+service, func() error {
			server := w.statistics(t, 10, "pg-meta-1")["pg-meta-"+service+" pg-meta-1"]
			if got := server["status"] + " " + server["check_code"]; got != want {
				return fmt.Errorf("it is %q, not %s", got, want)
			}
			return nil
		})
	}
	rows := w.statistics(t, 10, "pg-meta-1")
	for name, want := range map[string]string{
		"primary": "bck 0", "replica": "bck 1", "default": "bck 0", "offline": "bck 0", "standby": "bck 1, slim 3000, weight 100, check_rise 3, check_fall 3",
	} {
		has(t, "server of "+name, rows["pg-meta-"+name+" pg-meta-1"], want)
	}
	has(t, "frontend standby", rows["pg-meta-standby FRONTEND"], "slim 3000, mode tcp")
	has(t, "frontend primary", rows["pg-meta-primary FRONTEND"], "slim 5000, mode tcp")
	// The statistics tell neither addresses nor how servers are chosen.
	files := w.on(t, 10, "cd /etc/haproxy/conf.d; grep -Ho 'balance .*\\|server .*:[0-9]* \\|maxqueue [0-9]*' pg-meta-*.cfg | sort")
	want := ""
	for service, port := range map[string]int{"primary": 6432, "replica": 6432, "default": 5432, "offline": 5432, "standby": 6432} {
		file := "pg-meta-" + service + ".cfg:"
		want += file + "balance roundrobin\n" + file + "maxqueue 128\n" + fmt.Sprintf("%sserver pg-meta-1 %s:%d \n", file, w.addr(10), port)
	}
	if diff := cmp.Diff(sorted(want), sorted(files)); diff != "" {
		t.Errorf("the services' files (want -, got +):\n%s", diff)
	}
}

// statistics reads those of HAProxy on host n, which has the instance called
// name: a row by its service and server.
func (w *world) statistics(t *testing.T, n byte, name string) map[string]map[string]string {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+net.JoinHostPort(w.addr(n), "9101")+"/haproxy/"+name+"/;csv", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("admin", "HAProxy.Test")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return table(t, res.Body, 2)
}

// sorted returns the lines of a text in order, without blanks around them.
func sorted(text string) []string {
	var lines []string
	for line := range strings.Lines(strings.TrimSpace(text)) {
		lines = append(lines, strings.TrimSpace(line))
	}
	slices.Sort(lines)
	return lines
}

func metaLogins(t *testing.T, w *world) {
	for _, l := range []attempt{
		{user: "dbuser_meta", db: "meta", port: 5432},
		{user: "dbuser_meta", db: "meta", port: 5432, options: "sslmode=require"},
		{user: "dbuser_meta", db: "meta", port: 6432},
		{user: "dbuser_meta", db: "meta", port: 5433},
		{user: "dbuser_meta", db: "meta", port: 5434},
		{user: "dbuser_meta", db: "meta", port: 5436},
		{user: "dbuser_view", db: "meta", port: 6432},
		{user: "dbuser_grafana", db: "grafana", port: 5433},
		{user: "dbuser_grafana", db: "meta", port: 5433},
		{user: "dbuser_dba", db: "kong", port: 5432},
		{user: "dbuser_dba", db: "kong", port: 6432},
		{user: "dbuser_monitor", db: "wiki", port: 5432},
		{user: "dbuser_monitor", db: "pgbouncer", port: 6432},
		{user: "replicator", db: "postgres", port: 5432},
		// PUBLIC may not connect where revokeconn says so
		{user: "dbuser_grafana", db: "kong", port: 5432, refused: "permission denied for database"},
		{user: "dbuser_meta", db: "wiki", port: 5432, refused: "permission denied for database"},
		{user: "dbuser_view", db: "grafana", port: 6432, refused: "permission denied for database"},
		// who is not declared for the pool is not in it
		{user: "replicator", db: "wiki", port: 6432, refused: "SASL authentication failed"},
		// nor can pool_auth_user, who is no superuser, look up the passwords of others
		{user: "replicator", db: "meta", port: 6432, refused: "bouncer config error"},
		// the pool's own rules
		{user: "dbuser_monitor", db: "meta", port: 6432, refused: "rejected"},
		// nothing lets in the superuser but the host's own account
		{user: "postgres", db: "postgres", port: 5432, refused: "no pg_hba.conf entry"},
		{user: "nobody", db: "meta", port: 5432, refused: "no pg_hba.conf entry"},
		{user: "dbuser_wiki", db: "wiki", port: 5432, refused: "password authentication failed"}, // with another's
		{user: "dbuser_meta", db: "meta", port: 5438, refused: "EOF"},                            // it demands a replica
	} {
		if err := l.try(w); err != nil {
			t.Errorf("%s: %v", l, err)
		}
	}
}

// metaPrivileges does as the users what their roles let them do, and tries what
// they do not.
func metaPrivileges(t *testing.T, w *world) {
	for _, c := range []struct{ user, sql, refused string }{
		{"dbuser_meta", "create table pigsty.notes (note text)", ""},
		{"dbuser_dba", "create table public.orders (id int)", ""},
		{"dbuser_meta", "insert into public.orders values (1)", ""},
		{"dbuser_view", "select id from public.orders", ""},
		{"dbuser_view", "insert into public.orders values (2)", "permission denied for table orders"},
		{"dbuser_view", "create table public.mine ()", "permission denied for schema public"},
		{"dbuser_view", "create temporary table mine ()", ""},
		{"dbuser_grafana", "truncate public.orders", ""}, // dbrole_admin
		{"dbuser_grafana", "drop table public.orders", "must be owner of table orders"},
		{"dbuser_meta", "select pg_read_file('/etc/passwd')", "permission denied for function"},
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		conn, err := w.sql(ctx, 10, 5432, c.user, passwords[c.user], "meta")
		if err == nil {
			_, err = conn.Exec(ctx, c.sql)
			_ = conn.Close(ctx)
		}
		cancel()
		if (err == nil) != (c.refused == "") || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%s as %s: %v, not %q", c.sql, c.user, err, c.refused)
		}
	}
}

// metaAround looks at what is beside the server: its virtual address, the names
// of DNS, the schedule, which is run by cron, and the repository of backups.
func metaAround(t *testing.T, w *world) {
	eventually(t, 2*time.Minute, "the virtual address", func() error {
		return (attempt{user: "dbuser_meta", db: "meta", port: 5432, host: 2}).try(w)
	})
	if got := w.on(t, 10, "ip -brief -4 address show host0"); !strings.Contains(got, w.addr(2)+"/24") {
		t.Errorf("host0 has %s", got)
	}
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", net.JoinHostPort(w.addr(10), "53"))
	}}
	for name, want := range map[string]string{"pg-meta": w.addr(2), "pg-meta-1": w.addr(10)} {
		if got, err := resolver.LookupHost(context.Background(), name+"."); err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s is %v (%v), not %s", name, got, err, want)
		}
	}
	if got := w.on(t, 10, "grep -v '^#' /etc/cron.d/pigsty"); !strings.Contains(got, "00 01 * * * postgres /pg/bin/pg-backup full") {
		t.Errorf("the schedule is\n%s", got)
	}
	if got := w.on(t, 10, "sudo -u postgres pgbackrest --stanza=pg-meta --output=json info"); !strings.Contains(got, `"message":"ok"`) || strings.Count(got, `"type":"full"`) != 1 {
		t.Errorf("pgBackRest says %s", got)
	}
	eventually(t, 3*time.Minute, "cron to run an entry", func() error {
		if got := w.on(t, 10, "stat -c %U /tmp/minute 2>/dev/null || true"); got != "postgres" {
			return fmt.Errorf("its file belongs to %q", got)
		}
		return nil
	})
}
