package pgsql

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pigsty/internal/module/moduletest"
)

const hbaInventory = `
all:
  children:
    infra: { hosts: { 10.10.10.10: {} } }
    etcd: { hosts: { 10.10.10.10: { etcd_seq: 1 } } }
    pg-test:
      hosts:
        10.10.10.13: { pg_seq: 3, pg_role: offline }
        10.10.10.11: { pg_seq: 1, pg_role: primary }
        10.10.10.12: { pg_seq: 2, pg_role: replica, pg_offline_query: true }
      vars:
        pg_cluster: pg-test
        pg_hba_rules:
          - { user: etl, db: all, addr: cluster, auth: pwd, role: offline, title: etl jobs }
          - { user: app, db: appdb, addr: 10.1.2.0/24, auth: ssl, order: 1200, title: app }
        pgb_hba_rules:
          - { addr: 2001:db8::7, auth: sha, user: '${admin}', title: one address }
          - { addr: local, auth: os }
  vars: { admin_ip: 10.10.10.10 }
`

func TestHBA(t *testing.T) {
	s := newSite(t, "hba.yml", hbaInventory, nil)
	if problems := Check(s); len(problems) > 0 {
		t.Fatal(problems)
	}
	var out strings.Builder
	for _, m := range Clusters(s)[0].Members {
		p := m.Params
		lines := hbaLines(slices.Concat(p.PgDefaultHBARules, p.PgHBARules), m.scope(false))
		fmt.Fprintf(&out, "-- %s, %s --\n%s\n", m.Instance(), p.PgRole, strings.Join(lines, "\n"))
		rules := 0
		for _, l := range lines {
			if !strings.HasPrefix(l, "# ") {
				rules++
			}
		}
		if rules != 33 {
			t.Errorf("%s has %d rules instead of 33", m.Instance(), rules)
		}
		fmt.Fprintf(&out, "-- pool of %s --\n%s", m.Instance(), m.poolRules())
	}
	moduletest.Golden(t, "hba.txt", out.String())
}

func FuzzHBA(f *testing.F) {
	f.Add("intra", "${dbsu}", "all", "pwd", 100, true)
	f.Add("10.0.0.0/8", "+dbrole_admin", "replication", "cert", -1, false)
	f.Fuzz(func(t *testing.T, addr, user, db, auth string, order int, pooler bool) {
		s := hbaScope{Pooler: pooler, Role: "primary", Admin: "10.0.0.1", Intranet: []string{"10.0.0.0/8"},
			Users: map[string]string{"dbsu": "postgres", "repl": "replicator", "monitor": "m", "admin": "a"}}
		for _, l := range hbaLines([]HBARule{{Addr: addr, User: user, DB: db, Auth: auth, Order: &order}}, s) {
			if !strings.HasPrefix(l, "#") && len(l) < 40 {
				t.Errorf("short line %q", l)
			}
		}
	})
}
