package e2e

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// starts is when PostgreSQL and what serves it began, on one host.
const starts = `sudo -u postgres psql -qAtX -d postgres -c 'select pg_postmaster_start_time()'; systemctl show -p Id,ActiveEnterTimestampMonotonic patroni pgbouncer haproxy`

// changed is every step that the output of an apply says it made, but for waits.
func changed(out string) []string {
	var steps []string
	for _, m := range regexp.MustCompile(`(?m)^\S+ \S+  (create|change|remove|reload|restart|run) (.+?)( \(.*\))?$`).FindAllStringSubmatch(out, -1) {
		steps = append(steps, m[1]+" "+m[2])
	}
	return steps
}

// dayTwo adds one thing at a time: exactly that is planned and changed, and
// nothing restarts.
func dayTwo(t *testing.T, w *world) {
	ctx := context.Background()
	with := map[string]string{}
	before := w.on(t, 11, "cd /tmp;"+starts)
	open, err := w.sql(ctx, 11, 6432, "test", "Test.Test", "test")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = open.Close(ctx) }()
	const (
		users   = "\n      - { name: app, password: App.Test, pgbouncer: true, roles: [dbrole_readwrite] }"
		nightly = "\n      - { name: nightly, password: Night.Test, roles: [dbrole_offline] }"
		rules   = "{ user: app, db: shop, addr: 192.0.2.0/24, auth: ssl, order: 700, title: elsewhere }"
	)
	steps := []struct {
		what   string
		place  string
		text   string
		args   []string
		allows string // what may change, besides
		check  func() error
	}{
		{"a user", "USERS", users,
			[]string{"pgsql-user", "pg-test", "app"}, "role|userlist|useropts|pgbouncer",
			func() error { return login(ctx, w, 6432, "app", "App.Test", "test") }},
		{"a database", "DATABASES", "\n      - { name: shop, owner: app, schemas: [sales], comment: the shop }",
			[]string{"pgsql-db", "pg-test", "shop"}, "database|schema|extension|privileges|pgbouncer",
			func() error { return login(ctx, w, 6432, "app", "App.Test", "shop") }},
		{"an HBA rule", "HBA", rules,
			[]string{"pgsql-hba", "pg-test"}, "hba|patroni|reload|/pg/conf/",
			func() error {
				if n := w.query(t, 12, "postgres", "select count(*) from pg_hba_file_rules where address = '192.0.2.0'"); n != "1" {
					return fmt.Errorf("%s rules", n)
				}
				return nil
			}},
		{"an offline user", "USERS", users + nightly, []string{"pgsql-user", "pg-test", "nightly"}, "role|userlist|useropts|pgbouncer",
			func() error { return reads(ctx, w, 13, "nightly", "Night.Test") }},
		{"rules of offline instances", "HBA", rules + ", { user: +dbrole_offline, addr: intra, role: offline, order: 640 }, { user: +dbrole_offline, addr: world, auth: deny, order: 645 }",
			[]string{"pgsql-hba", "pg-test"}, "hba|patroni|reload|/pg/conf/",
			func() error { return offlineOnly(ctx, w) }},
		{"a service", "SERVICES", "{ name: standby, port: 5435, selector: '[]', check: /replica, dest: postgres }",
			[]string{"pgsql-svc", "pg-test"}, "standby|haproxy",
			func() error { return login(ctx, w, 5435, "test", "Test.Test", "test") }},
	}
	for _, s := range steps {
		t.Run(s.what, func(t *testing.T) {
			with[s.place] = s.text
			w.inventory(t, variant(with))
			r := w.must(t, s.args...)
			t.Logf("%s in %s", strings.Join(s.args, " "), r.took.Round(10*time.Millisecond))
			made := changed(r.out)
			if len(made) == 0 {
				t.Fatalf("nothing was changed:\n%s", r.out)
			}
			for _, step := range made {
				if !regexp.MustCompile(s.allows).MatchString(step) || strings.HasPrefix(step, "restart") {
					t.Errorf("%q was changed for %s", step, s.what)
				}
			}
			eventually(t, 2*time.Minute, s.what, s.check)
			w.settled(t)
		})
	}
	if after := w.on(t, 11, "cd /tmp;"+starts); after != before {
		t.Errorf("something restarted:\n%s\n%s", before, after)
	}
	if _, err := open.Exec(ctx, "select 1"); err != nil {
		t.Errorf("a session that PgBouncer held from before is gone: %v", err)
	}
	w.inventory(t, variant(nil)) // what is no longer declared is left alone, but for services
	w.must(t, "deploy")
	if got := w.query(t, 11, "postgres", "select count(*) from pg_roles where rolname = 'app'"); got != "1" {
		t.Error("a role that is not declared was dropped")
	}
	if got := w.on(t, 11, "ls /etc/haproxy/conf.d"); strings.Contains(got, "standby") {
		t.Errorf("the file of a removed service is still there: %s", got)
	}
}

// offlineOnly checks that a member of dbrole_offline may log in on the offline
// instance and on no other, which others still may.
func offlineOnly(ctx context.Context, w *world) error {
	for _, c := range []struct {
		host           byte
		user, password string
		refused        bool
	}{{11, "nightly", "Night.Test", true}, {12, "nightly", "Night.Test", true}, {13, "nightly", "Night.Test", false}, {12, "test", "Test.Test", false}} {
		switch err := reads(ctx, w, c.host, c.user, c.password); {
		case !c.refused && err != nil:
			return err
		case c.refused && (err == nil || !strings.Contains(err.Error(), "pg_hba.conf rejects connection")):
			return fmt.Errorf("%s at %s: %v, not a rejection", c.user, w.addr(c.host), err)
		}
	}
	return nil
}

// reads asks the server on host n itself.
func reads(ctx context.Context, w *world, n byte, user, password string) error {
	conn, err := w.sql(ctx, n, 5432, user, password, "test")
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, "select 1")
	return err
}

func login(ctx context.Context, w *world, port int, user, password, db string) error {
	conn, err := w.sql(ctx, 11, port, user, password, db)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, "select 1")
	return err
}

// drift changes hosts by hand: the plan names each change and apply undoes it.
func drift(t *testing.T, w *world) {
	cases := []struct {
		what  string
		host  byte
		spoil string
		named string // what the plan says
		fixed string // a command that succeeds when it is undone
	}{
		{"edited file", 12, "echo '# mine' >> /etc/haproxy/haproxy.cfg", "edited by hand since the last apply", "! grep -q mine /etc/haproxy/haproxy.cfg"},
		{"changed mode", 11, "chmod 0644 /etc/pgbouncer/userlist.txt", "userlist.txt", "test $(stat -c %a /etc/pgbouncer/userlist.txt) = 600"},
		{"dropped role", 11, "cd /tmp; sudo -u postgres psql -qX -c 'drop role dbuser_monitor'", "role dbuser_monitor", "cd /tmp; sudo -u postgres psql -qAtX -c \"select 1 from pg_roles where rolname='dbuser_monitor'\" | grep -q 1"},
		{"changed attribute", 11, "cd /tmp; sudo -u postgres psql -qX -c 'alter role test superuser'", "superuser", "cd /tmp; sudo -u postgres psql -qAtX -c \"select rolsuper from pg_roles where rolname='test'\" | grep -q f"},
		{"ALTER SYSTEM", 11, "cd /tmp; sudo -u postgres psql -qX -c \"alter system set log_min_duration_statement = '5s'\" -c 'select pg_reload_conf()'", "log_min_duration_statement", "! grep -q log_min_duration_statement /pg/data/postgresql.auto.conf"},
		{"stopped unit", 13, "systemctl stop pgbouncer", "pgbouncer.service", "systemctl is-active -q pgbouncer"},
		{"unit to which only another name leads", 13, "systemctl disable -q haproxy; ln -s haproxy.service /etc/systemd/system/balancer.service; systemctl daemon-reload", "haproxy.service",
			"systemctl is-enabled haproxy | grep -qx enabled; rm /etc/systemd/system/balancer.service; systemctl daemon-reload"},
		{"edited HBA", 12, "echo 'host all all 0.0.0.0/0 trust' >> /pg/data/pg_hba.conf", "pg_hba.conf", "! grep -q '0.0.0.0/0 *trust' /pg/data/pg_hba.conf"},
		{"dynamic configuration", 11, "pw=$(awk '/^restapi/,/^[a-z]*:$/' /etc/patroni/patroni.yml | sed -n 's/.*password: *//p' | tr -d '\"'); curl -s -u postgres:Patroni.Test -X PATCH -d '{\"maximum_lag_on_failover\": 42}' http://$(hostname -I | cut -d' ' -f1):8008/config", "maximum_lag_on_failover", "true"},
	}
	for _, c := range cases {
		t.Run(c.what, func(t *testing.T) {
			w.on(t, c.host, c.spoil)
			r := w.pigsty(t, "plan", "--detailed-exitcode")
			if r.status != 2 || !strings.Contains(r.out, c.named) {
				t.Fatalf("the plan (status %d) does not name %q:\n%s", r.status, c.named, r.out)
			}
			w.must(t, "apply", "-y")
			w.on(t, c.host, c.fixed)
			w.settled(t)
		})
	}
}

// rollingRestart changes a parameter that needs a restart: replicas first, the
// leader last by switchover, and a writer sees only that.
func rollingRestart(t *testing.T, w *world) {
	before := w.query(t, 12, "postgres", "select pg_postmaster_start_time()")
	writer := startWriter(t, w, 5433)
	w.inventory(t, variant(map[string]string{"MORE": "\n    pg_max_conn: 300"}))
	r := w.pigsty(t, "plan", "pgsql", "-l", "pg-test")
	if !strings.Contains(r.out, "max_connections: ") || !strings.Contains(r.out, "restart") {
		t.Fatalf("the plan does not say that max_connections changes and what restarts:\n%s", r.out)
	}
	w.must(t, "pgsql", "-l", "pg-test")
	for _, n := range []byte{11, 12, 13} {
		eventually(t, 2*time.Minute, "max_connections", func() error {
			if got := w.query(t, n, "postgres", "show max_connections"); got != "300" {
				return fmt.Errorf("%s on %s", got, w.addr(n))
			}
			return nil
		})
	}
	if after := w.query(t, 12, "postgres", "select pg_postmaster_start_time()"); after == before {
		t.Error("a replica was not restarted")
	}
	writer.stop(t)
	t.Logf("longest pause of a writer during the rolling restart: %s", writer.pause.Round(10*time.Millisecond))
	w.settled(t)
	started := w.query(t, 12, "postgres", "select pg_postmaster_start_time()")
	w.inventory(t, variant(map[string]string{"MORE": "\n    pg_max_conn: 300\n    pg_parameters: { log_min_duration_statement: 250 }"}))
	w.must(t, "pgsql", "-l", "pg-test")
	eventually(t, 2*time.Minute, "a parameter that reloads", func() error {
		if got := w.query(t, 12, "postgres", "show log_min_duration_statement"); got != "250ms" {
			return fmt.Errorf("is %s", got)
		}
		return nil
	})
	if w.query(t, 12, "postgres", "select pg_postmaster_start_time()") != started {
		t.Error("a parameter that reloads restarted PostgreSQL")
	}
	w.settled(t)
}
