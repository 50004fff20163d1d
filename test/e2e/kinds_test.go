package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// kindsOfClusters is a cluster with a virtual address, a replica of a replica
// that is late on purpose, and what is read from files; and another cluster
// that stands by for it.
const kindsOfClusters = `
etcd:
  hosts: { NET.10: { etcd_seq: 1 } }
pg-test:
  hosts:
    NET.11: { pg_seq: 1, pg_role: primary }
    NET.12: { pg_seq: 2, pg_role: replica }
    NET.13: { pg_seq: 3, pg_role: delayed, pg_upstream: NET.12, pg_delay: 3s }
  vars:
    pg_cluster: pg-test
    pg_conf: mine.yml
    pg_files: [words.txt]
    pg_users: [ { name: test, password: Test.Test, roles: [dbrole_admin] } ]
    pg_databases: [ { name: test, owner: test, baseline: begin.sql } ]
    pgbouncer_auth_query: true
    pg_vip_enabled: true
    pg_vip_address: NET.2/24
pg-dr:
  hosts: { NET.10: { pg_seq: 1, pg_role: primary%UPSTREAM% } }
  vars: { pg_cluster: pg-dr%CONTENT% }
`

// kinds fills the places of kindsOfClusters.
func kinds(upstream, content string) string {
	return strings.NewReplacer("%UPSTREAM%", upstream, "%CONTENT%", content).Replace(kindsOfClusters)
}

// TestKinds takes clusters through what is special to their kind. The scenarios
// build on each other in this order.
func TestKinds(t *testing.T) {
	w := newWorld(t, "10.10.36.0/24", 10, 11, 12, 13)
	w.entries = []byte{2} // clients know the virtual address only
	files := filepath.Join(w.dir, "files")
	if err := os.MkdirAll(files, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"mine.yml":  "base: tiny\nsynchronous_mode: quorum\npostgresql: { parameters: { log_min_duration_statement: 123 } }\n",
		"begin.sql": "CREATE TABLE begun (n int);\nCOPY begun FROM stdin;\n1\n2\n\\.\n",
		"words.txt": "hello\n",
	} {
		if err := os.WriteFile(filepath.Join(files, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w.inOrder(t, []scenario{
		{"deploy from nothing", deployKinds},
		{"members know each other, and their secrets", trusted},
		{"a replica of a replica", cascade},
		{"the pool asks for who is not on its list", authQuery},
		{"a delayed member stays behind", delayed},
		{"what nobody declared is listed", undeclared},
		{"the address follows a switchover", addressSwitchover},
		{"the address follows a failover", addressFailover},
		{"a standby cluster follows and is promoted", promotion},
		{"another host publishes its services", provided},
	})
}

// follow makes pg-dr stand by for pg-test.
const follow = ", pg_upstream: NET.11"

func deployKinds(t *testing.T, w *world) {
	w.inventory(t, kinds(follow, ""))
	r := w.must(t, "deploy")
	t.Logf("deployed in %s", r.took.Round(100*time.Millisecond))
	whole(t, w, 3)
	if got := w.query(t, 11, "test", "select count(*) from begun; show log_min_duration_statement"); got != "2\n123ms" {
		t.Errorf("the baseline and the template give %q", got)
	}
	for n := byte(11); n <= 13; n++ {
		if got := w.on(t, n, "cat /pg/data/words.txt"); got != "hello" {
			t.Errorf("words.txt on %s has %q", w.addr(n), got)
		}
	}
	w.settled(t)
}

// authQuery logs in through the pool as users who are not on its list: one of the
// inventory and one made by hand, but no superuser.
func authQuery(t *testing.T, w *world) {
	if got := w.on(t, 11, "grep -v '^;' /etc/pgbouncer/userlist.txt | cut -d'\"' -f2 | sort | xargs"); got != "dbuser_dba dbuser_monitor postgres" {
		t.Errorf("the pool's list has %s", got)
	}
	w.query(t, 11, "postgres", `create role guest login password 'Guest.Test' in role dbrole_readonly;
create role boss login superuser password 'Boss.Test' in role dbrole_readonly;
create role locked nologin password 'Locked.Test' in role dbrole_readonly`)
	for _, c := range []struct{ user, password, refused string }{
		{"test", "Test.Test", ""},
		{"guest", "Guest.Test", ""},
		{"guest", "Test.Test", "SASL authentication failed"},
		{"boss", "Boss.Test", "no such user"},
		{"locked", "Locked.Test", "no such user"},
	} {
		err := login(context.Background(), w, 6432, c.user, c.password, "test")
		if (err == nil) != (c.refused == "") || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%s with %s: %v, not %q", c.user, c.password, err, c.refused)
		}
	}
	w.query(t, 11, "postgres", "drop role guest; drop role boss; drop role locked")
}

// trusted has members' superusers log in to each other, and nobody else, and a
// stranger who knows the cluster's name and nothing more ask etcd about it.
func trusted(t *testing.T, w *world) {
	login := func(to byte) string {
		return w.on(t, 11, "sudo -iu postgres ssh -o BatchMode=yes "+w.addr(to)+" whoami 2>/dev/null || echo refused")
	}
	if other, stranger := login(12), login(10); other != "postgres" || stranger != "refused" {
		t.Errorf("the superuser of a member logs in to another as %q, to another cluster's as %q", other, stranger)
	}
	ask := func(login string) string {
		return w.on(t, 11, "ETCDCTL_API=3 etcdctl --endpoints https://"+w.addr(10)+":2379 --cacert /pg/cert/ca.crt --user "+login+" get --keys-only --prefix /pg/pg-test/ 2>&1 || true")
	}
	if out := ask("pg-test:pg-test"); !strings.Contains(out, "authentication failed") {
		t.Errorf("etcd tells a stranger:\n%s", out)
	}
	if out := ask(`pg-test:$(sed -n 's/^ *password: "\{0,1\}\([0-9a-f]\{64\}\)"\{0,1\}$/\1/p' /etc/patroni/patroni.yml)`); !strings.Contains(out, "/pg/pg-test/leader") {
		t.Errorf("etcd tells the cluster itself:\n%s", out)
	}
	if got := w.on(t, 11, "stat -c '%s %U' /pg/dummy; test $(du -k /pg/dummy | cut -f1) -ge 65536 || echo hollow"); got != "67108864 postgres" {
		t.Errorf("the reserve is %q", got)
	}
	if got := w.query(t, 11, "test", "show output_plugin_libraries"); !strings.Contains(got, "wal2json") {
		t.Errorf("output plugins are %q", got)
	}
}

// cascade looks at who sends whom what, and who confirms commits: the late member
// and the cluster that stands by are no part of the quorum.
func cascade(t *testing.T, w *world) {
	senders := func(n byte) string {
		return w.query(t, n, "postgres", "select string_agg(application_name, ' ' order by application_name) from pg_stat_replication where state = 'streaming'")
	}
	eventually(t, 2*time.Minute, "the chain", func() error {
		if first, second := senders(11), senders(12); first != "pg-dr-1 pg-test-2" || second != "pg-test-3" {
			return fmt.Errorf("the leader sends to %q and its replica to %q", first, second)
		}
		return nil
	})
	eventually(t, 2*time.Minute, "the quorum", func() error {
		if got := w.query(t, 11, "postgres", "select string_agg(application_name || ' ' || sync_state, ', ' order by application_name), current_setting('synchronous_standby_names') from pg_stat_replication"); got != `pg-dr-1 async, pg-test-2 quorum|ANY 1 ("pg-test-2")` {
			return fmt.Errorf("the leader says %s", got)
		}
		return nil
	})
}

// delayed measures how late the delayed member is. Hosts of a sandbox share one clock.
func delayed(t *testing.T, w *world) {
	w.query(t, 11, "test", "begin; create table late (at timestamptz); insert into late values (clock_timestamp()); commit")
	eventually(t, 2*time.Minute, "the row on the delayed member", func() error {
		if got := w.query(t, 13, "test", "select to_regclass('late') is not null"); got != "t" {
			return fmt.Errorf("it is not there yet")
		}
		return nil
	})
	if got := w.query(t, 13, "test", "select clock_timestamp() - at, clock_timestamp() - at >= interval '3 s' from late"); !strings.HasSuffix(got, "|t") {
		t.Errorf("a member that should be 3 s late has the row after %s", got)
	}
	if tags := w.on(t, 11, "patronictl -c /etc/patroni/patroni.yml list -f json | tr -d '\\n'"); strings.Count(tags, `"nofailover": true`) != 1 {
		t.Errorf("not just the delayed member is kept from leading: %s", tags)
	}
}

// undeclared makes things by hand that the inventory does not have.
func undeclared(t *testing.T, w *world) {
	w.query(t, 11, "test", "create role stray; create schema strays; create extension hstore")
	r := w.must(t, "plan", "--extra", "--detailed-exitcode")
	for _, line := range []string{"user stray", "schema test.strays", "extension test.hstore"} {
		if !strings.Contains(r.out, line) {
			t.Errorf("%q is not listed:\n%s", line, r.out)
		}
	}
}

// addressAt checks that host n, and no other, holds the virtual address.
func addressAt(t *testing.T, w *world, n byte) {
	t.Helper()
	eventually(t, 3*time.Minute, "one holder of the address", func() error {
		for m := byte(11); m <= 13; m++ {
			has := w.on(t, m, "ip -brief address | grep -c ' "+w.addr(2)+"/' || true") != "0"
			if has != (m == n) {
				return fmt.Errorf("%s has it: %v", w.addr(m), has)
			}
		}
		return nil
	})
}

// addressSwitchover hands over the lead under a client of the virtual address.
func addressSwitchover(t *testing.T, w *world) {
	addressAt(t, w, 11)
	writer := startWriter(t, w, 5432)
	w.on(t, 11, "patronictl -c /etc/patroni/patroni.yml switchover pg-test --candidate pg-test-2 --force")
	addressAt(t, w, 12)
	writer.resumes(t, 3*time.Minute)
	if missing := writer.stop(t); missing > 0 {
		t.Errorf("%d acknowledged writes are lost", missing)
	}
	whole(t, w, 3)
	w.settled(t)
}

// addressFailover kills the leader, server and Patroni, under a client: the lead
// ends with the ttl of pg_rto, and the address follows.
func addressFailover(t *testing.T, w *world) {
	old := leader(t, w)
	eventually(t, 2*time.Minute, "a member that may take over", func() error {
		if members := w.on(t, old, "patronictl -c /etc/patroni/patroni.yml list"); !strings.Contains(members, "Quorum Standby") {
			return errors.New(members)
		}
		return nil
	})
	writer := startWriter(t, w, 5432)
	w.on(t, old, "systemctl kill --signal=KILL patroni; kill -9 $(head -1 /pg/data/postmaster.pid); systemctl stop patroni")
	addressAt(t, w, 11+12-old)
	writer.resumes(t, 3*time.Minute)
	if missing := writer.stop(t); missing > 0 {
		t.Errorf("%d writes are lost that the quorum had", missing)
	}
	w.on(t, old, "systemctl start patroni")
	whole(t, w, 3)
	w.settled(t)
}

// promotion takes pg_upstream away from the standby cluster, which by then
// follows another leader than the one that it began with.
func promotion(t *testing.T, w *world) {
	w.query(t, leader(t, w), "test", "create table if not exists followed ()")
	eventually(t, 2*time.Minute, "the standby cluster to follow", func() error {
		if got := w.query(t, 10, "test", "select to_regclass('followed') is not null, pg_is_in_recovery()"); got != "t|t" {
			return fmt.Errorf("it says %s", got)
		}
		return nil
	})
	w.inventory(t, kinds("", ", pg_databases: [ { name: own } ]"))
	r := w.pigsty(t, "plan", "pgsql", "--detailed-exitcode")
	if r.status != 2 || !strings.Contains(r.out, "promoted") || !strings.Contains(r.out, "known after the cluster is promoted") {
		t.Fatalf("the plan of a promotion: status %d\n%s", r.status, r.out)
	}
	w.must(t, "pgsql", "-l", "pg-dr")
	if got := w.query(t, 10, "own", "select pg_is_in_recovery()"); got != "f" {
		t.Errorf("the promoted cluster says %s", got)
	}
	w.settled(t)

	// An inventory of before does not throw away what was written since.
	w.inventory(t, kinds(follow, ""))
	r = w.pigsty(t, "pgsql", "-l", "pg-dr")
	if r.status != 0 || !strings.Contains(r.out, "leads by itself") {
		t.Errorf("pg_upstream of a cluster that leads: status %d\n%s", r.status, r.out)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if c, err := w.sql(ctx, 10, 5432, "dbuser_dba", "DBA.Test", "own"); err != nil {
		t.Errorf("its own database: %v", err)
	} else {
		_ = c.Close(ctx)
	}
	w.inventory(t, kinds("", ", pg_databases: [ { name: own } ]"))
	w.must(t, "pgsql", "-l", "pg-dr")
	w.settled(t)
}

// provided hands the services of pg-dr to the HAProxy of another cluster's host,
// by runs that are about pg-dr alone, and takes them back.
func provided(t *testing.T, w *world) {
	const elsewhere = ", pg_databases: [ { name: own } ], pg_service_provider: edge, pg_default_services: [ { name: primary, port: 5533, dest: postgres, check: /primary, selector: '[]' } ] }\n" +
		"edge: { hosts: { NET.11: {} }"
	answers := func(n byte, port int) bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		c, err := w.sql(ctx, n, port, "dbuser_dba", "DBA.Test", "own")
		if err == nil {
			_ = c.Close(ctx)
		}
		return err == nil
	}
	files := func(n byte) string { return w.on(t, n, "cd /etc/haproxy/conf.d; echo pg-dr-*.cfg") }
	if !answers(10, 5433) {
		t.Error("the member itself does not publish at first")
	}
	w.inventory(t, kinds("", elsewhere))
	r := w.must(t, "pgsql-svc", "pg-dr")
	if !strings.Contains(r.out, "registration only") {
		t.Errorf("the plan does not say that another host is concerned:\n%s", r.out)
	}
	eventually(t, 2*time.Minute, "the service elsewhere", func() error {
		if !answers(11, 5533) {
			return fmt.Errorf("nobody answers")
		}
		return nil
	})
	if own, other := files(10), files(11); own != "pg-dr-*.cfg" || other != "pg-dr-primary.cfg" {
		t.Errorf("the member has %s, the provider %s", own, other)
	}
	w.settled(t, "pgsql", "-l", "pg-dr")
	w.settled(t)
	w.must(t, "pgsql-rm", "pg-dr", "--yes", "pg-dr")
	if other := files(11); other != "pg-dr-*.cfg" || answers(11, 5533) {
		t.Errorf("after the cluster's end the provider has %s", other)
	}
	whole(t, w, 3)
}
