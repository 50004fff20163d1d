package e2e

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pigsty/internal/resource/etcd"
	"pigsty/internal/secret"
)

// quorum is an inventory of a cluster that loses no write and of the etcd
// members with the given lines below etcd's hosts and vars.
func quorum(members int, etcdVars string) string {
	var hosts []string
	for i := range members {
		hosts = append(hosts, fmt.Sprintf("NET.%d: { etcd_seq: %d }", 10+i, i+1))
	}
	return fmt.Sprintf(`
etcd:
  hosts: { %s }
  vars: { etcd_cluster: etcd%s }
pg-crit:
  hosts:
    NET.10: { pg_seq: 1, pg_role: primary }
    NET.11: { pg_seq: 2, pg_role: replica }
    NET.12: { pg_seq: 3, pg_role: replica }
  vars:
    pg_cluster: pg-crit
    pg_conf: crit.yml
    pg_shared_buffer_ratio: 0.1
    pg_users: [ { name: test, password: Test.Test, pgbouncer: true, roles: [dbrole_admin] } ]
    pg_databases: [ { name: test, owner: test } ]`, strings.Join(hosts, ", "), etcdVars)
}

// TestQuorum takes etcd from one member to three and back under a PostgreSQL
// cluster that may lose no acknowledged write. The scenarios build on each
// other in this order.
func TestQuorum(t *testing.T) {
	w := newWorld(t, "10.10.34.0/24", 10, 11, 12)
	w.cluster, w.entries = "pg-crit", []byte{11, 12, 10}
	w.inOrder(t, []scenario{
		{"one member of etcd, then three", etcdGrows},
		{"a setting of etcd changes", etcdSetting},
		{"no acknowledged write is lost", noWriteLost},
		{"pgbench for a while", pgbench},
		{"a member of etcd is removed", etcdShrinks},
		{"killed while a member joins", joinKilled},
		{"etcd_safeguard refuses", etcdRemoval},
	})
}

// etcdStarts is which process etcd is and when it began, on one host.
const etcdStarts = "systemctl show -p MainPID,ActiveEnterTimestampMonotonic etcd"

// etcdGrows deploys with one member and adds two: they join, and nothing restarts.
func etcdGrows(t *testing.T, w *world) {
	w.inventory(t, quorum(1, ""))
	r := w.must(t, "deploy")
	t.Logf("deployed in %s", r.took.Round(100*time.Millisecond))
	whole(t, w, 3)
	w.settled(t)
	voters(t, w, 1)
	first := w.on(t, 10, etcdStarts)
	before := map[byte]string{}
	for n := byte(10); n <= 12; n++ {
		before[n] = w.on(t, n, "cd /tmp;"+starts)
	}

	w.inventory(t, quorum(3, ""))
	r = w.must(t, "deploy")
	t.Logf("two members joined in %s", r.took.Round(100*time.Millisecond))
	if after := w.on(t, 10, etcdStarts); after != first {
		t.Errorf("the first member restarted:\n%s\n%s", first, after)
	}
	for n := byte(10); n <= 12; n++ {
		if after := w.on(t, n, "cd /tmp;"+starts); after != before[n] {
			t.Errorf("something restarted on %s:\n%s\n%s", w.addr(n), before[n], after)
		}
	}
	made := changed(r.out)
	for _, step := range made {
		if strings.HasPrefix(step, "restart") {
			t.Errorf("%q because members joined", step)
		}
	}
	if !slices.Contains(made, "reload unit patroni.service") {
		t.Errorf("Patroni was not told of the new members:\n%s", strings.Join(made, "\n"))
	}
	w.on(t, 11, "grep -q "+w.addr(12)+":2379 /etc/patroni/patroni.yml")
	w.on(t, 12, "test ! -e /run/systemd/system/etcd.service.d/50-join.conf -a ! -e /run/etcd/join.conf")
	firstLost(t, w)
	for n := byte(10); n <= 12; n++ {
		if after := w.on(t, n, "cd /tmp;"+starts); after != before[n] {
			t.Errorf("without the first member something restarted on %s:\n%s\n%s", w.addr(n), before[n], after)
		}
	}
}

// etcdSetting changes a setting that members read at their start: they restart
// one after another, and neither etcd nor a writer pauses for long.
func etcdSetting(t *testing.T, w *world) {
	before := map[byte]string{}
	for n := byte(10); n <= 12; n++ {
		before[n] = w.on(t, n, etcdStarts)
	}
	writer, poll := startWriter(t, w, 5433), startPoll(t, w)
	w.inventory(t, quorum(3, ", etcd_election_timeout: 1500"))
	r := w.must(t, "etcd")
	poll.stop(t)
	writer.unnoticed(t)
	t.Logf("three members restarted in %s", r.took.Round(10*time.Millisecond))
	if poll.pause > writer.noise() {
		t.Errorf("etcd did not answer for %s, on a machine that held it up for %s", poll.pause, writer.stall)
	}
	type interval struct{ from, to int64 }
	var restarts []interval
	for n := byte(10); n <= 12; n++ {
		if w.on(t, n, etcdStarts) == before[n] {
			t.Errorf("etcd on %s did not restart", w.addr(n))
		}
		var i interval // hosts of a sandbox share one clock
		out := w.on(t, n, "systemctl show --value -p ActiveExitTimestampMonotonic etcd; systemctl show --value -p ActiveEnterTimestampMonotonic etcd")
		if _, err := fmt.Sscan(out, &i.from, &i.to); err != nil {
			t.Fatal(err)
		}
		restarts = append(restarts, i)
	}
	slices.SortFunc(restarts, func(a, b interval) int { return cmp.Compare(a.from, b.from) })
	for i := range restarts[1:] {
		if restarts[i+1].from < restarts[i].to {
			t.Errorf("restarts overlap: %v", restarts)
		}
	}
	voters(t, w, 3)
	w.settled(t)
}

// firstLost has the cluster survive the loss of the etcd member that it began with,
// which is the only one that Patroni knows by then: it asks for others every ten
// times its ttl. Alone, failsafe_mode would keep the leader, but Patroni see nothing.
func firstLost(t *testing.T, w *world) {
	old, writer := leader(t, w), startWriter(t, w, 5433)
	w.on(t, 10, "systemctl stop etcd")
	stopped := time.Now()
	for n := byte(10); n <= 12; n++ {
		looks(t, w, n, stopped)
		t.Logf("%s found the others within %s", w.addr(n), time.Since(stopped).Round(100*time.Millisecond))
	}
	w.on(t, 10, "systemctl start etcd")
	writer.unnoticed(t)
	if now := leader(t, w); now != old {
		t.Errorf("%s leads in place of %s", w.addr(now), w.addr(old))
	}
	voters(t, w, 3)
	w.settled(t)
}

// noWriteLost takes the leader away under a writer, with its whole host and
// with its postmaster alone.
func noWriteLost(t *testing.T, w *world) {
	ctx := context.Background()
	for range 2 {
		old := leader(t, w)
		writer := startWriter(t, w, 5433)
		if err := w.box.Stop(ctx, w.addr(old)); err != nil {
			t.Fatal(err)
		}
		writer.resumes(t, 2*time.Minute)
		if now := leader(t, w); now == old {
			t.Errorf("%s leads though it is off", w.addr(old))
		}
		powerOn(t, w, old)
		whole(t, w, 3)
		if missing := writer.stop(t); missing > 0 {
			t.Errorf("%d acknowledged writes are lost with %s", missing, w.addr(old))
		}
	}
	postmasterKilled(t, w)
	voters(t, w, 3)
	w.settled(t)
}

// pgbench runs transactions of its own kind from several clients at once.
func pgbench(t *testing.T, w *world) {
	run := "export PGPASSWORD=Test.Test; cd /tmp; /usr/lib/postgresql/17/bin/pgbench -h " + w.addr(11) + " -p 5433 -U test -n test "
	w.on(t, 12, run+"-i -s 2 2>&1")
	out := w.on(t, 12, run+"-c 8 -j 2 -T 20 2>&1")
	if !strings.Contains(out, "number of failed transactions: 0 ") || strings.Contains(out, "aborted") {
		t.Errorf("pgbench:\n%s", out)
	}
	for _, line := range regexp.MustCompile(`(?m)^(tps|latency average|number of transactions actually).*`).FindAllString(out, -1) {
		t.Log(line)
	}
	w.settled(t)
}

// etcdShrinks removes a member, which leaves nothing behind, and adds it again.
func etcdShrinks(t *testing.T, w *world) {
	vars := ", etcd_election_timeout: 1500"
	r := w.pigsty(t, "etcd-rm", "-l", w.addr(12))
	if r.status == 0 || !strings.Contains(r.out, "--yes") {
		t.Fatalf("a removal that nobody confirmed: status %d\n%s", r.status, r.out)
	}
	writer := startWriter(t, w, 5433)
	w.must(t, "etcd-rm", "-l", w.addr(12), "--yes", "etcd-3")
	voters(t, w, 2)
	etcdGone(t, w, 12)
	w.inventory(t, quorum(2, vars))
	w.must(t, "deploy")
	w.settled(t)
	w.inventory(t, quorum(3, vars))
	w.must(t, "deploy")
	voters(t, w, 3)
	writer.unnoticed(t)
	w.settled(t)
}

// joinKilled breaks a join off on the host that joins, each time at another
// moment: the next run goes on from there.
func joinKilled(t *testing.T, w *world) {
	ctx := context.Background()
	const dropIn = "/run/systemd/system/etcd.service.d/50-join.conf"
	cases := []struct {
		moment string
		comes  string // a command that succeeds from then on
		power  bool   // whether the whole host goes, and not just the agent
	}{
		{"added", "test -e /etc/etcd/etcd.joining", false},
		{"started", "test -d /data/etcd/member/wal", false},
		{"started, and its host goes off", "test -d /data/etcd/member/wal", true},
	}
	for _, c := range cases {
		t.Run(c.moment, func(t *testing.T) {
			w.must(t, "etcd-rm", "-l", w.addr(12), "--yes", "etcd-3")
			done := make(chan result)
			go func() { done <- w.pigsty(t, "etcd") }()
			w.on(t, 12, "until "+c.comes+"; do sleep 0.003; done; pkill -9 -f 'agent/[0-9a-f]* agent'")
			if c.power {
				if err := w.box.Stop(ctx, w.addr(12)); err != nil {
					t.Fatal(err)
				}
				if err := w.box.Start(ctx, w.addr(12)); err != nil {
					t.Fatal(err)
				}
			}
			if r := <-done; r.status != 3 {
				t.Errorf("a join that broke off: status %d\n%s", r.status, r.out)
			}
			plan := w.pigsty(t, "plan", "etcd").out
			if line := regexp.MustCompile(`(?m)^.*etcd member.*$`).FindString(plan); line != "" {
				t.Log(strings.TrimSpace(line))
			}
			w.must(t, "etcd")
			voters(t, w, 3)
			w.on(t, 12, "test ! -e "+dropIn+" -a ! -e /run/etcd/join.conf -a ! -e /etc/etcd/etcd.joining")
			w.settled(t, "etcd")
		})
	}
	whole(t, w, 3)
	w.settled(t)
}

// etcdRemoval is refused by the safeguard, and else leaves nothing behind.
func etcdRemoval(t *testing.T, w *world) {
	vars := ", etcd_election_timeout: 1500"
	w.inventory(t, quorum(3, vars+", etcd_safeguard: true"))
	r := w.pigsty(t, "etcd-rm", "-l", "etcd", "--yes", "etcd")
	if r.status == 0 || !strings.Contains(r.out, "etcd_safeguard") {
		t.Fatalf("a removal that a safeguard forbids: status %d\n%s", r.status, r.out)
	}
	w.settled(t)
	w.inventory(t, quorum(3, vars))
	w.must(t, "pgsql-rm", "-l", "pg-crit", "--yes", "pg-crit")
	w.must(t, "etcd-rm", "-l", "etcd", "--yes", "etcd")
	for n := byte(10); n <= 12; n++ {
		etcdGone(t, w, n)
	}
	alone, _, _ := strings.Cut(quorum(3, ""), "pg-crit:")
	w.inventory(t, alone)
	w.must(t, "deploy") // and three can begin together
	voters(t, w, 3)
	w.settled(t)
}

// etcdGone checks that nothing of an etcd member is left on host n.
func etcdGone(t *testing.T, w *world, n byte) {
	t.Helper()
	left := w.on(t, n, `ls -d /data/etcd /etc/etcd/* /etc/systemd/system/etcd.service /etc/systemd/system/*/etcd.service /run/etcd/* /run/systemd/system/etcd.service.d /etc/profile.d/etcdctl.sh 2>/dev/null
pgrep -x etcd -a
systemctl is-failed etcd | grep failed || true`)
	if left != "" {
		t.Errorf("left on %s:\n%s", w.addr(n), left)
	}
}

// etcdClient returns a client of etcd as root, by way of all three hosts.
func etcdClient(t *testing.T, w *world) *etcd.Client {
	t.Helper()
	api := etcd.API{CAFile: filepath.Join(w.dir, "files", "pki", "ca", "ca.crt"), Username: "root", Password: secret.New("Etcd.Test")}
	for n := byte(10); n <= 12; n++ {
		api.Endpoints = append(api.Endpoints, "https://"+w.addr(n)+":2379")
	}
	c, err := api.Client(os.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// voters waits until etcd has exactly the first n members, all with a vote and well.
func voters(t *testing.T, w *world, n int) {
	t.Helper()
	c := etcdClient(t, w)
	eventually(t, 2*time.Minute, fmt.Sprintf("%d voting members", n), func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		peers, err := c.Members(ctx)
		if err != nil {
			return err
		}
		if len(peers) != n {
			return fmt.Errorf("%d members: %+v", len(peers), peers)
		}
		for _, p := range peers {
			if p.Name == "" || p.Learner || len(p.ClientURLs) != 1 {
				return fmt.Errorf("%+v", p)
			}
			if ok, why := c.Healthy(ctx, p.ClientURLs[0]); !ok {
				return errors.New(why)
			}
		}
		return nil
	})
}

// poll writes to etcd again and again, as what depends on it does.
type poll struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	writes int
	failed []error
	pause  time.Duration // the longest between two writes that were acknowledged
}

func startPoll(t *testing.T, w *world) *poll {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &poll{cancel: cancel}
	c := etcdClient(t, w)
	p.done.Go(func() {
		last := time.Now()
		for ; ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
			attempt, done := context.WithTimeout(ctx, 3*time.Second)
			err := c.Put(attempt, "/e2e", []byte(time.Now().String()))
			done()
			if err == nil {
				p.writes++
				p.pause = max(p.pause, time.Since(last))
				last = time.Now()
			} else if ctx.Err() == nil {
				p.failed = append(p.failed, err)
			}
		}
	})
	return p
}

func (p *poll) stop(t *testing.T) {
	t.Helper()
	p.cancel()
	p.done.Wait()
	t.Logf("etcd: %d writes acknowledged, %d failed, longest pause %s", p.writes, len(p.failed), p.pause.Round(time.Millisecond))
	for _, err := range p.failed {
		t.Log(err)
	}
}
