package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fourHosts is etcd and a single PostgreSQL on one host, and a cluster on three.
const fourHosts = `
etcd:
  hosts: { NET.10: { etcd_seq: 1 } }
  vars: { etcd_cluster: etcd }
pg-meta:
  hosts: { NET.10: { pg_seq: 1, pg_role: primary, pg_offline_query: true } }
  vars:
    pg_cluster: pg-meta
    pg_users: [ { name: dbuser_meta, password: Meta.Test, pgbouncer: true, roles: [dbrole_admin] } ]
    pg_databases: [ { name: meta, owner: dbuser_meta, schemas: [pigsty], comment: meta database } ]
pg-test:
  hosts:
    NET.11: { pg_seq: 1, pg_role: primary }
    NET.12: { pg_seq: 2, pg_role: replica }
    NET.13: { pg_seq: 3, pg_role: offline }
  vars:
    pg_cluster: pg-test
    pg_users:
      - { name: test, password: Test.Test, pgbouncer: true, roles: [dbrole_admin] }%USERS%
    pg_databases:
      - { name: test, owner: test }%DATABASES%
    pg_hba_rules: [%HBA%]
    pg_services: [%SERVICES%]%MORE%
`

// variant fills the places of fourHosts; what is not given stays empty.
func variant(with map[string]string) string {
	text := fourHosts
	for _, place := range []string{"USERS", "DATABASES", "HBA", "SERVICES", "MORE"} {
		text = strings.ReplaceAll(text, "%"+place+"%", with[place])
	}
	return text
}

// TestCluster takes four hosts from nothing through a cluster's life. The
// scenarios build on each other in this order.
func TestCluster(t *testing.T) {
	w := newWorld(t, "10.10.31.0/24", 10, 11, 12, 13)
	w.inventory(t, variant(nil))
	var bare remains
	w.inOrder(t, []scenario{
		{"what is there before", bare.note},
		{"deploy from nothing", deploy},
		{"nothing to do", nothingToDo},
		{"a plan is kept and applied", savedPlan},
		{"etcd lets nobody in", etcdRefuses},
		{"services answer", services},
		{"add user, database, rule and service", dayTwo},
		{"drift is named and repaired", drift},
		{"restart only when needed", rollingRestart},
		{"postmaster is killed", postmasterKilled},
		{"after a failover the leader is the real one", afterFailover},
		{"host is lost", hostLost},
		{"two applies at once", twoApplies},
		{"remove a replica and add it again", scale},
		{"remove the cluster", removal},
		{"data of another cluster is in the way", foreignData},
		{"nothing of it is left", bare.compare},
	})
}

func deploy(t *testing.T, w *world) {
	r := w.must(t, "deploy")
	t.Logf("deployed in %s", r.took.Round(100*time.Millisecond))
	for n, role := range map[byte]string{11: "f", 12: "t", 13: "t"} {
		if got := w.query(t, n, "postgres", "select pg_is_in_recovery()"); got != role {
			t.Errorf("pg_is_in_recovery on %s is %s", w.addr(n), got)
		}
	}
	for _, secret := range []string{"DBA.Test", "Patroni.Test", "Etcd.Test", "Test.Test", "Meta.Test"} {
		if strings.Contains(r.out, secret) {
			t.Errorf("the output shows the secret %s", secret)
		}
	}
}

// trace is what must not change on a host while there is nothing to do.
const trace = `systemctl show -p Id,ActiveEnterTimestampMonotonic,MainPID patroni pgbouncer haproxy etcd 2>/dev/null
find /etc /pg/ /var/lib/pigsty /usr/local/share/ca-certificates -xdev -type f \( -path '/pg/data/*' -prune -o -path '/pg/log/*' -prune -o -path '/pg/spool/*' -prune -o -path /var/lib/pigsty/lock -prune -o -printf '%p %T@ %m\n' \) 2>/dev/null | sort`

func nothingToDo(t *testing.T, w *world) {
	before := map[byte]string{}
	for n := byte(10); n <= 13; n++ {
		before[n] = w.on(t, n, trace)
	}
	r := w.must(t, "deploy")
	if !strings.Contains(r.out, "nothing to do") {
		t.Fatalf("a second deploy finds something to do:\n%s", r.out)
	}
	t.Logf("nothing to do in %s", r.took.Round(10*time.Millisecond))
	for n := byte(10); n <= 13; n++ {
		if after := w.on(t, n, trace); after != before[n] {
			t.Errorf("something changed on %s:\n%s", w.addr(n), cmp.Diff(strings.Split(before[n], "\n"), strings.Split(after, "\n")))
		}
	}
}

// savedPlan applies a plan from its file, and not once the hosts differ from it.
func savedPlan(t *testing.T, w *world) {
	rules := func(n byte) string {
		return w.on(t, n, "grep -c 198.51.100.0 /etc/patroni/patroni.yml || true")
	}
	w.inventory(t, variant(map[string]string{"HBA": "{ user: test, db: test, addr: 198.51.100.0/24, auth: ssl, title: elsewhere }"}))
	file := filepath.Join(w.dir, "change.plan")
	w.must(t, "plan", "pgsql", "-l", "pg-test", "-t", "pg_hba", "--out", file)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file with the plan: %v, %v", info.Mode(), err)
	}
	if rules(12) != "0" {
		t.Error("a plan changed something")
	}
	if made := changed(w.must(t, "apply", file).out); !slices.Contains(made, "reload unit patroni.service") {
		t.Errorf("it changed %q", made)
	}
	w.settled(t)
	if rules(12) != "1" {
		t.Error("the rule is not there")
	}

	w.inventory(t, variant(nil))
	w.must(t, "plan", "--out", file)
	w.on(t, 12, "echo '; by hand' >> /etc/pgbouncer/pgbouncer.ini")
	r := w.pigsty(t, "apply", file)
	why := w.addr(12) + " file /etc/pgbouncer/pgbouncer.ini: was not to change when the plan was saved\n"
	if r.status != 1 || !strings.Contains(r.out, why) || strings.Count(r.out, ": was not to change") != 2 || len(changed(r.out)) > 0 {
		t.Errorf("status %d, want 1 and %q, and the reload that comes with it\n%s", r.status, why, r.out)
	}
	if rules(12) != "1" || w.on(t, 12, "tail -n 1 /etc/pgbouncer/pgbouncer.ini") != "; by hand" {
		t.Error("it changed something all the same")
	}
	w.must(t, "apply", "-y")
	w.settled(t)
}

// etcdRefuses asks etcd as somebody who has no password, and without TLS.
func etcdRefuses(t *testing.T, w *world) {
	ask := "cd /tmp; env -i PATH=$PATH ETCDCTL_API=3 etcdctl --endpoints https://" + w.addr(10) + ":2379 --cacert /etc/pki/ca.crt "
	for _, c := range []struct{ command, says string }{
		{ask + "get --prefix /pg --keys-only", "user name is empty"},
		{ask + "--user root:wrong get --prefix /pg --keys-only", "invalid user ID or password"},
		{ask + "put /pg/stranger x", "user name is empty"},
		{"curl --silent --show-error --max-time 5 http://" + w.addr(10) + ":2379/version", ""},
	} {
		out := w.on(t, 10, "("+c.command+") 2>&1 || echo refused")
		if !strings.HasSuffix(out, "refused") && !strings.Contains(out, "HTTPS server") || !strings.Contains(out, c.says) || strings.Contains(out, "/pg/pg-test") || strings.Contains(out, "etcdserver\"") {
			t.Errorf("%s:\n%s", c.command, out)
		}
	}
}

func services(t *testing.T, w *world) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cases := []struct {
		port    int
		standby string // pg_is_in_recovery there
		tls     string
	}{
		{5433, "false", ""}, {5434, "true", ""}, {5436, "false", "sslmode=require"}, {5438, "true", "sslmode=require"},
		{6432, "false", ""}, {5432, "false", "sslmode=require"},
	}
	for _, c := range cases {
		t.Run(fmt.Sprint("port ", c.port), func(t *testing.T) {
			eventually(t, 2*time.Minute, "connect", func() error {
				conn, err := w.sql(ctx, 11, c.port, "test", "Test.Test", "test", c.tls)
				if err != nil {
					return err
				}
				defer func() { _ = conn.Close(ctx) }()
				var standby bool
				if err := conn.QueryRow(ctx, "select pg_is_in_recovery()").Scan(&standby); err != nil {
					return err
				}
				if fmt.Sprint(standby) != c.standby {
					return fmt.Errorf("pg_is_in_recovery is %v", standby)
				}
				return nil
			})
		})
	}
	if _, err := w.sql(ctx, 11, 5433, "test", "wrong", "test"); err == nil {
		t.Error("a wrong password is accepted")
	}
}
