package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// members is a cluster on up to three hosts, of which the first has etcd, too.
// What is added to it are more variables of the cluster.
const members = `
etcd:
  hosts: { NET.10: { etcd_seq: 1 } }
  vars: { etcd_cluster: etcd }
pg-test:
  hosts:
    NET.10: { pg_seq: 1, pg_role: primary }
    NET.11: { pg_seq: 2, pg_role: replica }
    NET.12: { pg_seq: 3, pg_role: replica }
  vars:
    pg_cluster: pg-test
    pg_users: [ { name: test, password: Test.Test, pgbouncer: true, roles: [dbrole_admin] }%USERS% ]
    pg_databases: [ { name: test, owner: test }%DATABASES% ]
`

// ofMembers is members without those that are not among names, and with more
// users and databases.
func ofMembers(users, databases string, names ...string) string {
	text := strings.NewReplacer("%USERS%", users, "%DATABASES%", databases).Replace(members)
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !strings.Contains(line, "pg_seq") || slices.ContainsFunc(names, func(n string) bool { return strings.Contains(line, "NET."+n) }) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// inRoles gives hosts of members other roles than their first ones.
func inRoles(t *testing.T, text string, roles map[byte]string) string {
	t.Helper()
	for n, role := range roles {
		line := regexp.MustCompile(fmt.Sprintf(`(NET\.%d: .*pg_role:) \w+`, n))
		if !line.MatchString(text) {
			t.Fatalf("no host .%d in\n%s", n, text)
		}
		text = line.ReplaceAllString(text, "$1 "+role)
	}
	return text
}

// TestOperate operates a cluster under a client that writes all the while.
func TestOperate(t *testing.T) {
	w := newWorld(t, "10.10.37.0/24", 10, 11, 12)
	w.entries = []byte{11, 12, 10}
	var lead handover
	w.inOrder(t, []scenario{
		{"one member becomes three", scaleOut},
		{"replicas restart unnoticed", restartReplicas},
		{"rolling restart", lead.restartAll},
		{"switchover to a member", lead.switchTo},
		{"a designated member confirms commits", designated},
		{"nobody takes over while paused", pausedCluster},
		{"a replica is copied anew", reinitialize},
		{"the CA is replaced", replaceCA},
		{"maintenance by scripts", maintenance},
		{"the leader fails in the middle of an apply", failoverWithin},
		{"three members become two", scaleIn},
	})
	w.settled(t)
}

// scaleOut deploys one member, and two more under a client of it.
func scaleOut(t *testing.T, w *world) {
	w.inventory(t, ofMembers("", "", "10"))
	w.must(t, "deploy")
	whole(t, w, 1)
	before := started(t, w, 10)
	w.entries = []byte{10}
	writer := startWriter(t, w, 5433)
	w.inventory(t, ofMembers("", "", "10", "11", "12"))
	w.must(t, "deploy")
	writer.unnoticed(t)
	w.entries = []byte{11, 12, 10}
	whole(t, w, 3)
	if started(t, w, 10) != before {
		t.Error("the leader restarted")
	}
}

// scaleIn removes a replica under a client of the leader.
func scaleIn(t *testing.T, w *world) {
	now := leader(t, w)
	gone := byte(12)
	if now == gone {
		gone = 11
	}
	w.entries = []byte{now}
	writer := startWriter(t, w, 5433)
	w.must(t, "pgsql-rm", "pg-test", w.addr(gone), "--yes", member(gone))
	writer.unnoticed(t)
	names := []string{"10", "11", "12"}
	left := ofMembers(moreUsers, moreDatabases(), slices.DeleteFunc(names, func(n string) bool { return n == fmt.Sprint(gone) })...)
	last := 10 + 11 + 12 - now - gone
	w.inventory(t, inRoles(t, left, map[byte]string{now: "primary", last: "offline"}))
	w.must(t, "deploy")
	whole(t, w, 2)
	t.Run("an offline member does not take over", func(t *testing.T) { neverLeads(t, w, now, last) })
}

// neverLeads kills the leader, server and Patroni, beside which there is just an
// offline member: the lead ends and nobody has it until the leader is back.
func neverLeads(t *testing.T, w *world, old, offline byte) {
	// The leader's key in etcd, which is there while somebody leads.
	const lead = ". /etc/profile.d/etcdctl.sh; etcdctl get /pg/pg-test/leader --print-value-only"
	if got := w.on(t, 10, lead); got != member(old) {
		t.Fatalf("%q leads, not %s", got, member(old))
	}
	w.on(t, old, "systemctl kill --signal=KILL patroni; kill -9 $(head -1 /pg/data/postmaster.pid); systemctl stop patroni")
	eventually(t, 2*time.Minute, "the lead to end", func() error {
		if got := w.on(t, 10, lead); got != "" {
			return fmt.Errorf("%s still has it", got)
		}
		return nil
	})
	looks(t, w, offline, time.Now().Add(3*time.Second)) // and could take over
	if got := w.on(t, 10, lead) + w.query(t, offline, "postgres", "select pg_is_in_recovery()"); got != "t" {
		t.Fatalf("who leads, and whether %s is in recovery: %s", member(offline), got)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if c, err := w.sql(ctx, offline, 5433, "test", "Test.Test", "test"); err == nil {
		_ = c.Close(ctx)
		t.Error("the primary service has somebody to lead to")
	}
	if c, err := w.sql(ctx, offline, 5438, "test", "Test.Test", "test"); err != nil {
		t.Errorf("nobody can read, either: %v", err)
	} else {
		_ = c.Close(ctx)
	}
	w.on(t, old, "systemctl start patroni")
	whole(t, w, 2)
	eventually(t, 2*time.Minute, "the old leader leads again", func() error {
		if got := w.on(t, 10, lead); got != member(old) {
			return fmt.Errorf("%q leads, not %s", got, member(old))
		}
		return nil
	})
}

// moreUsers and moreDatabases are what an apply is busy with for a while.
const moreUsers = ", { name: late, password: Late.Test, pgbouncer: true, roles: [dbrole_readwrite] }"

func moreDatabases() string {
	var b strings.Builder
	for n := range 8 {
		fmt.Fprintf(&b, ", { name: late%d, owner: late, schemas: [one, two], baseline: slow.sql }", n)
	}
	return b.String()
}

// failoverWithin kills the leader, server and Patroni, while an apply makes
// databases there. The apply goes on at the new leader, or says which steps it
// could not do; the next one does them.
func failoverWithin(t *testing.T, w *world) {
	old := leader(t, w)
	files := filepath.Join(w.dir, "files")
	if err := os.MkdirAll(files, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(files, "slow.sql"), []byte("CREATE TABLE begun ();\nSELECT pg_sleep(5);\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.inventory(t, ofMembers(moreUsers, moreDatabases(), "10", "11", "12"))
	done := make(chan result)
	go func() { done <- w.pigsty(t, "apply", "-y") }()
	eventually(t, 2*time.Minute, "the first of the databases", func() error {
		if got := w.query(t, old, "postgres", "select count(*) > 0 from pg_database where datname like 'late%'"); got != "t" {
			return fmt.Errorf("there is none: %s", got)
		}
		return nil
	})
	select {
	case r := <-done:
		t.Fatalf("the apply was done before its leader failed: status %d\n%s", r.status, r.out)
	default:
	}
	w.on(t, old, "systemctl kill --signal=KILL patroni; kill -9 $(head -1 /pg/data/postmaster.pid); systemctl stop patroni")
	r := <-done
	t.Logf("the apply ends with status %d after %s", r.status, r.took.Round(100*time.Millisecond))
	if r.status != 0 && (r.status != 3 || !strings.Contains(r.out, "late")) {
		t.Errorf("the apply: status %d\n%s", r.status, r.out)
	}
	eventually(t, 2*time.Minute, "another leader", func() error {
		if now := leader(t, w); now == old {
			return fmt.Errorf("%s still leads", member(now))
		}
		return nil
	})
	w.on(t, old, "systemctl start patroni")
	whole(t, w, 3)
	w.must(t, "apply", "-y")
	w.settled(t)
	if got := w.query(t, leader(t, w), "postgres", "select count(*) from pg_database d join pg_roles r on r.oid = datdba where datname like 'late%' and rolname = 'late'"); got != "8" {
		t.Errorf("%s of 8 databases are on the leader", got)
	}
	eventually(t, time.Minute, "the new user in a new database", func() error {
		return login(context.Background(), w, 5433, "late", "Late.Test", "late7")
	})
}

// member returns the instance name of the host with last byte n.
func member(n byte) string { return fmt.Sprintf("pg-test-%d", n-9) }

// started returns when the server of host n started.
func started(t *testing.T, w *world, n byte) string {
	t.Helper()
	return w.query(t, n, "postgres", "select pg_postmaster_start_time()")
}

func restartReplicas(t *testing.T, w *world) {
	now := leader(t, w)
	args := []string{"pg", "restart", "pg-test", "-y"}
	before := map[byte]string{}
	for n := byte(10); n <= 12; n++ {
		before[n] = started(t, w, n)
		if n != now {
			args = append(args, member(n))
		}
	}
	if r := w.must(t, append(args, "--plan")...); !strings.Contains(r.out, "sessions on a member end") {
		t.Errorf("the plan does not say what is interrupted:\n%s", r.out)
	}
	writer := startWriter(t, w, 5433)
	w.must(t, args...)
	writer.unnoticed(t)
	for n := byte(10); n <= 12; n++ {
		if again := started(t, w, n) != before[n]; again == (n == now) {
			t.Errorf("%s restarted: %v; the leader is %s", member(n), again, member(now))
		}
	}
}

// handover is what a client sees of a rolling restart: one switchover, about as long
// as one that is asked for.
type handover struct{ restart, noise time.Duration }

func (h *handover) restartAll(t *testing.T, w *world) {
	if r := w.must(t, "pg", "restart", "pg-test"); !strings.Contains(r.out, "nothing to do") {
		t.Errorf("without a member that waits for it something would restart:\n%s", r.out)
	}
	now, before := leader(t, w), map[byte]string{}
	for n := byte(10); n <= 12; n++ {
		before[n] = started(t, w, n)
	}
	timeline, _ := promoted(t, w, now)
	clients := startLoad(t, w, 12, 11)
	writer := startWriter(t, w, 5433)
	w.must(t, "pg", "restart", "pg-test", "--all", "--yes", "pg-test")
	writer.resumes(t, 2*time.Minute)
	if missing := writer.stop(t); missing > 0 {
		t.Errorf("%d acknowledged writes are lost", missing)
	}
	if len(writer.outages) > 1 {
		t.Errorf("more than a switchover: %v", errors.Join(writer.outages...))
	}
	h.restart, h.noise = writer.pause, writer.noise()
	if r := w.must(t, "pg", "list"); !strings.Contains(r.out, "the leader that took over has no backup in its own repository: `pigsty pg backup pg-test`") {
		t.Errorf("pg list does not say that the new leader has no backup:\n%s", r.out)
	}
	if r := w.must(t, "status"); !strings.Contains(r.out, "backup: none here") {
		t.Errorf("status does not say that the new leader has no backup:\n%s", r.out)
	}
	next := leader(t, w)
	if next == now {
		t.Error("the leader restarted without handing over")
	}
	after, at := promoted(t, w, next)
	if after != timeline+1 {
		t.Errorf("timeline %d became %d, which is not one switchover", timeline, after)
	}
	clients.stop(t).onlyAround(t, at, writer)
	for n := byte(10); n <= 12; n++ {
		if started(t, w, n) == before[n] && n == now {
			t.Errorf("%s did not restart", member(n))
		}
	}
	whole(t, w, 3)
}

func (h *handover) switchTo(t *testing.T, w *world) {
	old := leader(t, w)
	to := 10 + (old-10+1)%3
	if r := w.pigsty(t, "pg", "switchover", "pg-test", "--to", member(to)); r.status != 1 || !strings.Contains(r.out, "no terminal") {
		t.Errorf("it goes on without asking: status %d\n%s", r.status, r.out)
	}
	if r := w.pigsty(t, "pg", "switchover", "pg-test", "--leader", member(to), "-y"); r.status != 1 || !strings.Contains(r.out, member(old)+" leads") {
		t.Errorf("--leader names another: status %d\n%s", r.status, r.out)
	}
	writer := startWriter(t, w, 5433)
	w.must(t, "pg", "switchover", "pg-test", "--leader", member(old), "--to", member(to), "-y")
	writer.resumes(t, 2*time.Minute)
	if missing := writer.stop(t); missing > 0 {
		t.Errorf("%d acknowledged writes are lost", missing)
	}
	if h.restart > max(4*writer.pause, writer.noise(), h.noise) {
		t.Errorf("a client waited %s for a rolling restart, and %s for a switchover", h.restart, writer.pause)
	}
	if now := leader(t, w); now != to {
		t.Errorf("%s leads", member(now))
	}
	whole(t, w, 3)
}

// designated names each of the replicas in turn as the one that confirms
// commits: with pg_rpo 0 the leader waits for that one, and for no other.
func designated(t *testing.T, w *world) {
	now := leader(t, w)
	next := func(n byte) byte { return 10 + (n-10+1)%3 }
	for _, standby := range []byte{next(now), next(next(now))} {
		other := 10 + 11 + 12 - now - standby
		roles := map[byte]string{now: "primary", standby: "standby", other: "replica"}
		w.inventory(t, inRoles(t, ofMembers("", "", "10", "11", "12"), roles)+"    pg_rpo: 0\n")
		w.must(t, "pgsql", "-l", "pg-test")
		want := []string{member(standby) + "|sync", member(other) + "|async"}
		slices.Sort(want)
		eventually(t, 2*time.Minute, member(standby)+" to confirm commits", func() error {
			got := w.query(t, now, "postgres", "select application_name, sync_state from pg_stat_replication order by 1")
			if got != strings.Join(want, "\n") {
				return fmt.Errorf("the leader says %q", got)
			}
			return nil
		})
	}
	w.settled(t)
}

// pausedCluster has the inventory pause the cluster and no longer, and then
// kills the leader's server while a command tells Patroni to leave it alone.
func pausedCluster(t *testing.T, w *world) {
	now := leader(t, w)
	paused := func(want bool) {
		t.Helper()
		listed := w.must(t, "pg", "list").out
		maintained := w.on(t, now, "patronictl -c /etc/patroni/patroni.yml list")
		if strings.Contains(listed, "paused") != want || strings.Contains(maintained, "Maintenance mode: on") != want {
			t.Errorf("paused is not %v:\n%s\n%s", want, listed, maintained)
		}
	}
	for _, mode := range []string{"pause", "default"} {
		w.inventory(t, ofMembers("", "", "10", "11", "12")+"    patroni_mode: "+mode+"\n")
		w.must(t, "pgsql", "-l", "pg-test")
		paused(mode == "pause")
		w.settled(t)
	}
	w.must(t, "pg", "pause", "pg-test")
	paused(true)
	w.on(t, now, "kill -9 $(head -1 /pg/data/postmaster.pid)")
	killed := time.Now()
	for n := byte(10); n <= 12; n++ {
		if n == now {
			continue
		}
		looks(t, w, n, killed.Add(5*time.Second)) // and could take over
		if w.query(t, n, "postgres", "select pg_is_in_recovery()") != "t" {
			t.Errorf("%s took over", member(n))
		}
	}
	w.must(t, "pg", "resume", "pg-test")
	eventually(t, 2*time.Minute, "writes resume", func() error {
		return login(context.Background(), w, 5433, "test", "Test.Test", "test")
	})
	whole(t, w, 3)
}

func reinitialize(t *testing.T, w *world) {
	now := leader(t, w)
	replica := 10 + (now-10+1)%3
	if r := w.pigsty(t, "pg", "reinit", "pg-test", member(replica), "-y"); r.status != 1 {
		t.Errorf("-y is enough to lose data: status %d\n%s", r.status, r.out)
	}
	if r := w.pigsty(t, "pg", "reinit", "pg-test", member(now), "--yes", member(now)); r.status != 1 || !strings.Contains(r.out, "leads the cluster") {
		t.Errorf("the leader can be reinitialized: status %d\n%s", r.status, r.out)
	}
	w.on(t, replica, "touch /pg/data/left-over")
	writer := startWriter(t, w, 5433)
	w.must(t, "pg", "reinit", "pg-test", member(replica), "--yes", member(replica))
	writer.unnoticed(t)
	w.on(t, replica, "test ! -e /pg/data/left-over")
	whole(t, w, 3)
}
