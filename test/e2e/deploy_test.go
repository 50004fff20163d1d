package e2e

import (
	"context"
	"fmt"
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
	w.inOrder(t, []scenario{
		{"deploy from nothing", deploy},
		{"nothing to do", nothingToDo},
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
			eventually(t, 30*time.Second, "connect", func() error {
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
