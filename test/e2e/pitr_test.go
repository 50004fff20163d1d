package e2e

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// twoMembers is a cluster on two hosts that backs itself up.
const twoMembers = `
etcd:
  hosts: { NET.10: { etcd_seq: 1 } }
  vars: { etcd_cluster: etcd }
pg-test:
  hosts:
    NET.10: { pg_seq: 1, pg_role: primary }
    NET.11: { pg_seq: 2, pg_role: replica }
  vars:
    pg_cluster: pg-test
    pg_users: [ { name: test, password: Test.Test, pgbouncer: true, roles: [dbrole_admin] } ]
    pg_databases: [ { name: test, owner: test } ]
    pg_crontab: [ '* * * * * /pg/bin/pg-role > /tmp/role-by-cron' ]
`

// TestPITR loses tables and gets them back.
func TestPITR(t *testing.T) {
	w := newWorld(t, "10.10.38.0/24", 10, 11)
	w.entries = []byte{10, 11}
	w.inventory(t, twoMembers)
	w.must(t, "deploy")
	w.settled(t)
	whole(t, w, 2)
	scenarios := []struct {
		name string
		run  func(*testing.T, *world)
	}{
		{"a new cluster is backed up", firstBackup},
		{"a target out of reach stops nothing", refusedTarget},
		{"restore to a time", restoreToTime},
		{"restore to a restore point, cut in the middle", restoreToName},
		{"cron runs what pg_crontab says", cronRuns},
	}
	for _, s := range scenarios {
		if !t.Run(s.name, func(t *testing.T) { s.run(t, w) }) {
			t.Fatal("the scenarios after this one build on it")
		}
	}
}

func firstBackup(t *testing.T, w *world) {
	if r := w.must(t, "pg", "status", "pg-test"); !strings.Contains(r.out, "(full, ") || !strings.Contains(r.out, "works") {
		t.Errorf("the new cluster has no backup, or archives nothing:\n%s", r.out)
	}
	const asCron = "cd /; sudo -u postgres env -i /pg/bin/pg-backup "
	w.on(t, 10, asCron+"incr")
	if got := w.on(t, 11, asCron+"incr 2>&1; echo status $?"); !strings.Contains(got, "is a replica") || !strings.HasSuffix(got, "status 1") {
		t.Errorf("on a replica pg-backup says %s", got)
	}
}

func refusedTarget(t *testing.T, w *world) {
	before := started(t, w, 10)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--time", "2020-01-01 00:00:00+00"}, "before the end of the oldest backup"},
		{[]string{"--time", "2199-01-01 00:00:00+00"}, "in the future"},
		{[]string{"--lsn", "FFFF/0"}, "in the future"},
		{[]string{"--latest", "--set", "20200101-000000F"}, "there is no backup 20200101-000000F"},
	} {
		args := append([]string{"pgsql-pitr", "-l", "pg-test", "--yes", "pg-test"}, c.args...)
		if r := w.pigsty(t, args...); r.status != 1 || !strings.Contains(r.out, c.want) {
			t.Errorf("%q: status %d\n%s", c.args, r.status, r.out)
		}
	}
	if r := w.pigsty(t, "pgsql-pitr", "-l", "pg-test", "--latest", "--yes", "pg-tset"); r.status != 1 || !strings.Contains(r.out, "say so with --yes pg-test") {
		t.Errorf("another cluster's name will do: status %d\n%s", r.status, r.out)
	}
	if started(t, w, 10) != before {
		t.Error("the server was restarted")
	}
}

// fill makes a table with a thousand rows.
func fill(t *testing.T, w *world, table string) {
	t.Helper()
	w.query(t, leader(t, w), "test", "create table "+table+" as select generate_series(1, 1000) n")
}

// restored checks that the table is back on both members, that a replica
// follows, and that nothing is left to do.
func restored(t *testing.T, w *world, table string) {
	t.Helper()
	whole(t, w, 2)
	for n := byte(10); n <= 11; n++ {
		if got := w.query(t, n, "test", "select count(*) from "+table); got != "1000" {
			t.Errorf("%s has %s rows on %s", table, got, w.addr(n))
		}
	}
	w.query(t, leader(t, w), "test", "create table after_"+table+"()")
	w.settled(t)
}

func restoreToTime(t *testing.T, w *world) {
	fill(t, w, "kept")
	time.Sleep(time.Second)
	at := w.on(t, 10, "date -u '+%F %T.%N+00'")
	time.Sleep(time.Second)
	w.query(t, leader(t, w), "test", "drop table kept")
	plan := w.must(t, "pgsql-pitr", "-l", "pg-test", "--time", at, "--plan")
	for _, said := range []string{"(incr, ended", "everything committed after", "pg-test-2, pg-test-1; nothing is served", "data loss"} {
		if !strings.Contains(plan.out, said) {
			t.Errorf("the preview does not say %q:\n%s", said, plan.out)
		}
	}
	r := w.must(t, "pgsql-pitr", "-l", "pg-test", "--time", at, "--yes", "pg-test")
	t.Logf("restored in %s", r.took.Round(100*time.Millisecond))
	restored(t, w, "kept")
}

// restoreToName kills the command when the files are there, and gives it again.
func restoreToName(t *testing.T, w *world) {
	fill(t, w, "named")
	w.query(t, leader(t, w), "test", "select pg_create_restore_point('before the mistake')")
	w.query(t, leader(t, w), "test", "drop table named")
	args := []string{"pgsql-pitr", "-l", "pg-test", "--name", "before the mistake", "--yes", "pg-test"}

	cut := exec.Command(binary, args...)
	cut.Dir = w.dir
	if err := cut.Start(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for !strings.Contains(w.on(t, 10, "cat /var/lib/pigsty/recovery.json 2>/dev/null || :"), `"phase":"re`) && time.Since(began) < time.Minute {
		time.Sleep(200 * time.Millisecond)
	}
	_ = cut.Process.Kill()
	_ = cut.Wait()
	w.on(t, 10, "test -e /var/lib/pigsty/recovery.json") // else it was done before it was cut
	if r := w.must(t, args...); !strings.Contains(r.out, "goes on") {
		t.Errorf("it does not say that it goes on:\n%s", r.out)
	}
	restored(t, w, "named")
}

func cronRuns(t *testing.T, w *world) {
	for n, role := range map[byte]string{10: "primary", 11: "replica"} {
		eventually(t, 65*time.Second, "cron on "+w.addr(n), func() error {
			if got := w.on(t, n, "cat /tmp/role-by-cron 2>/dev/null || :"); got != role {
				return errors.New("it wrote " + got)
			}
			return nil
		})
	}
}
