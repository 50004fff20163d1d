package e2e

import (
	"errors"
	"fmt"
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
	w.inOrder(t, []scenario{
		{"a new cluster is backed up", firstBackup},
		{"a target out of reach stops nothing", refusedTarget},
		{"what no archive has stops nothing", refusedWithoutArchive},
		{"restore to a time", restoreToTime},
		{"restore again, cut in the middle", restoreToName},
		{"cron runs what pg_crontab says", cronRuns},
		{"Patroni is taken away, cut in the middle", takenAway},
		{"and given back", givenBack},
	})
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

// refusedWithoutArchive breaks the archive, and then has something to lose.
func refusedWithoutArchive(t *testing.T, w *world) {
	before := started(t, w, 10)
	failing := func() string {
		return w.query(t, 10, "test", "select pg_switch_wal(); select coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) from pg_stat_archiver")
	}
	w.on(t, 10, "chmod u-w /pg/backup/archive/pg-test/17-1/0*")
	eventually(t, 3*time.Minute, "archiving fails", func() error {
		if got := failing(); !strings.HasSuffix(got, "t") {
			return errors.New(got)
		}
		return nil
	})
	for _, target := range []string{`{}`, `{"backup": true}`} {
		if r := w.pigsty(t, "pgsql-pitr", "-l", "pg-test", "-e", `{"pg_pitr": `+target+`}`, "--yes", "pg-test"); r.status != 1 || !strings.Contains(r.out, "what is asked for may be in no archive: mend the archive first") {
			t.Errorf("%s: status %d\n%s", target, r.status, r.out)
		}
	}
	w.on(t, 10, "chmod u+w /pg/backup/archive/pg-test/17-1/0*")
	eventually(t, 5*time.Minute, "archiving works", func() error {
		if got := failing(); !strings.HasSuffix(got, "f") {
			return errors.New(got)
		}
		return nil
	})
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

// restoreToTime loses a table of which a part is in a tablespace, and makes a
// backup that leads to nothing but the loss.
func restoreToTime(t *testing.T, w *world) {
	for n := byte(10); n <= 11; n++ {
		w.on(t, n, "install -d -o postgres -g postgres -m 700 /data/fast")
	}
	w.query(t, leader(t, w), "test", "create tablespace fast location '/data/fast'")
	fill(t, w, "kept")
	w.query(t, leader(t, w), "test", "create index kept_fast on kept (n) tablespace fast")
	if r := w.pigsty(t, "pgsql-pitr", "-l", "pg-test", "-e", `{"pg_pitr": {"backup": true}}`, "--plan"); r.status != 1 || !strings.Contains(r.out, "a restore writes over its tablespaces, which are elsewhere (/data/fast)") {
		t.Errorf("backup: true with a tablespace: status %d\n%s", r.status, r.out)
	}
	time.Sleep(time.Second)
	at := w.on(t, 10, "date -u '+%F %T.%N+00'")
	time.Sleep(time.Second)
	w.query(t, leader(t, w), "test", "drop table kept")
	w.must(t, "pg", "backup", "pg-test")
	plan := w.must(t, "pgsql-pitr", "-l", "pg-test", "--time", at, "--plan")
	for _, said := range []string{"(incr, ended", "everything committed after", "pg-test-2, pg-test-1; nothing is served", "data loss"} {
		if !strings.Contains(plan.out, said) {
			t.Errorf("the preview does not say %q:\n%s", said, plan.out)
		}
	}
	r := w.must(t, "pgsql-pitr", "-l", "pg-test", "--time", at, "--yes", "pg-test")
	t.Logf("restored in %s", r.took.Round(100*time.Millisecond))
	restored(t, w, "kept")
	if got := w.query(t, 11, "test", "set enable_seqscan to off; select count(*) from kept where n < 11"); got != "10" {
		t.Errorf("the index in the tablespace finds %s rows on the replica", got)
	}
}

// restoreToName restores once more, with nothing but backups of the timeline that
// the first restore left. It kills the command when the server has recovered,
// and with it the server, and gives the command again.
func restoreToName(t *testing.T, w *world) {
	fill(t, w, "named")
	given := w.query(t, 10, "postgres", "select to_char(modification - interval '1 second', 'YYYY-MM-DD HH24:MI:SS+00') from pg_stat_file('pg_wal/00000002.history')")
	if r := w.pigsty(t, "pgsql-pitr", "-l", "pg-test", "--time", given, "--plan"); r.status != 1 || !strings.Contains(r.out, "is on timeline 1, which was given up for 2 at") || !strings.Contains(r.out, "--timeline 1 restores it") {
		t.Errorf("a moment that the first restore gave up: status %d\n%s", r.status, r.out)
	}
	w.query(t, leader(t, w), "test", "select pg_create_restore_point('before the mistake')")
	w.query(t, leader(t, w), "test", "drop table named")
	args := []string{"pgsql-pitr", "-l", "pg-test", "--name", "before the mistake", "--yes", "pg-test"}

	if plan := w.must(t, append(args, "--plan")...); !strings.Contains(plan.out, "  timeline  2, which left 1 at LSN ") || !strings.Contains(plan.out, "; the restored cluster begins a new one") {
		t.Errorf("the preview does not say which timeline it follows:\n%s", plan.out)
	}

	cut := exec.Command(binary, args...)
	cut.Dir = w.dir
	if err := cut.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Minute, "the server to recover", func() error {
		progress := w.on(t, 10, `cd /var/lib/pigsty; timeout 30 sh -c 'until grep -q "\"phase\":\"recovered\"" recovery.json; do sleep 0.05; done' 2>/dev/null ||
cat recovery.json 2>/dev/null || echo none`)
		if progress != "" {
			return errors.New(progress)
		}
		return nil
	})
	_ = cut.Process.Kill()
	_ = cut.Wait()
	w.on(t, 10, "test -e /var/lib/pigsty/recovery.json") // else it was done before it was cut
	for n := byte(10); n <= 11; n++ {
		w.released(t, n)
	}
	w.on(t, 10, "systemctl stop patroni; systemctl stop pigsty-recovery; kill -9 $(head -1 /pg/data/postmaster.pid) || true")
	if r := w.must(t, args...); !strings.Contains(r.out, "goes on") {
		t.Errorf("it does not say that it goes on:\n%s", r.out)
	}
	restored(t, w, "named")
}

func cronRuns(t *testing.T, w *world) {
	for n, role := range map[byte]string{10: "primary", 11: "replica"} {
		eventually(t, 3*time.Minute, "cron on "+w.addr(n), func() error {
			if got := w.on(t, n, "cat /tmp/role-by-cron 2>/dev/null || :"); got != role {
				return errors.New("it wrote " + got)
			}
			return nil
		})
	}
}

// takenAway has Patroni taken from a cluster, is cut after the first member, and
// goes on. Services lead to the inventory's primary from then on, so that it has to
// be the leader.
func takenAway(t *testing.T, w *world) {
	w.inventory(t, strings.Replace(twoMembers, "pg_cluster: pg-test", "pg_cluster: pg-test\n    patroni_mode: remove", 1))
	if leader(t, w) == 10 {
		w.must(t, "pg", "switchover", "pg-test", "-y")
		whole(t, w, 2)
	}
	if r := w.pigsty(t, "pgsql", "-l", "pg-test"); r.status == 0 || !strings.Contains(r.out, "`pigsty pg switchover` first, or change pg_role") {
		t.Fatalf("Patroni is taken away though the inventory has another primary: status %d\n%s", r.status, r.out)
	}
	w.leads(t, 5433, false) // to the leader still
	w.inventory(t, twoMembers)
	w.must(t, "pgsql", "-l", "pg-test")
	w.must(t, "pg", "switchover", "pg-test", "-y")
	whole(t, w, 2)
	w.inventory(t, strings.Replace(twoMembers, "pg_cluster: pg-test", "pg_cluster: pg-test\n    patroni_mode: remove", 1))
	cut := exec.Command(binary, "pgsql", "-l", "pg-test")
	cut.Dir = w.dir
	if err := cut.Start(); err != nil {
		t.Fatal(err)
	}
	handed := func() int {
		return strings.Count(w.on(t, 10, "systemctl is-active postgres || :")+w.on(t, 11, "systemctl is-active postgres || :"), "inactive")
	}
	for began := time.Now(); handed() == 2 && time.Since(began) < 5*time.Minute; {
		time.Sleep(50 * time.Millisecond)
	}
	_ = cut.Process.Kill()
	_ = cut.Wait()
	t.Logf("cut with %d of 2 members to go", handed())
	w.mustSoon(t, "pgsql", "-l", "pg-test")
	w.settled(t)
	whole(t, w, 2)
	now := leader(t, w)
	w.query(t, now, "test", "create table alone()")
	eventually(t, 2*time.Minute, "the replica follows", func() error {
		if got := w.query(t, 10+11-now, "test", "select to_regclass('alone') is not null and pg_is_in_recovery()"); got != "t" {
			return errors.New(got)
		}
		return nil
	})
	for n := byte(10); n <= 11; n++ {
		if got := w.on(t, n, "systemctl is-active patroni postgres | tr '\n' ' '"); got != "inactive active" {
			t.Errorf("on %s patroni and postgres are %s", w.addr(n), got)
		}
	}
	w.leads(t, 5433, false)
	w.leads(t, 5434, true)
	w.must(t, "pg", "backup", "pg-test")
	if r := w.pigsty(t, "pg", "list", "pg-test"); r.status == 0 || !strings.Contains(r.out, "runs without Patroni (patroni_mode: remove)") {
		t.Errorf("pg list: status %d\n%s", r.status, r.out)
	}
}

// leads waits until a service leads from both members to a server that is in
// recovery, or is not.
func (w *world) leads(t *testing.T, service int, recovers bool) {
	t.Helper()
	for _, entry := range []byte{10, 11} {
		eventually(t, 2*time.Minute, fmt.Sprintf("service %d on %s", service, w.addr(entry)), func() error {
			conn, err := w.sql(t.Context(), entry, service, "test", "Test.Test", "test")
			if err != nil {
				return err
			}
			defer conn.Close(t.Context())
			var got bool
			if err := conn.QueryRow(t.Context(), "select pg_is_in_recovery()").Scan(&got); err != nil || got != recovers {
				return fmt.Errorf("recovers: %v, %v", got, err)
			}
			return nil
		})
	}
}

// givenBack has Patroni manage the cluster again, under its clients.
func givenBack(t *testing.T, w *world) {
	before := started(t, w, 10) + started(t, w, 11)
	w.inventory(t, twoMembers)
	w.must(t, "pgsql", "-l", "pg-test")
	whole(t, w, 2)
	if started(t, w, 10)+started(t, w, 11) != before {
		t.Error("a server was restarted")
	}
	if r := w.must(t, "pg", "list", "pg-test"); strings.Contains(r.out, "paused") || strings.Contains(r.out, "no leader") {
		t.Errorf("pg list says\n%s", r.out)
	}
	w.settled(t)
	w.must(t, "pg", "restart", "pg-test", "--all", "--yes", "pg-test")
	whole(t, w, 2)
	for n := byte(10); n <= 11; n++ {
		if got := w.on(t, n, "systemctl is-active postgres patroni | tr '\n' ' '"); got != "inactive active" {
			t.Errorf("on %s postgres and patroni are %s", w.addr(n), got)
		}
	}
	w.settled(t)
}
