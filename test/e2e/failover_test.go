package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// leader returns the last byte of the address of the host that leads the cluster.
func leader(t *testing.T, w *world) byte {
	t.Helper()
	var found byte
	eventually(t, 3*time.Minute, "a leader", func() error {
		r := w.pigsty(t, "status", "-l", w.cluster, "--json")
		for line := range strings.Lines(r.out) {
			var m struct{ Host, Role, State string }
			if json.Unmarshal([]byte(line), &m) == nil && m.Role == "leader" && m.State == "running" {
				for n := byte(10); n < 20; n++ {
					if w.addr(n) == m.Host {
						found = n
						return nil
					}
				}
			}
		}
		return fmt.Errorf("status says:\n%s", r.out)
	})
	return found
}

// whole waits until every member of the cluster runs again and follows its leader.
func whole(t *testing.T, w *world, members int) {
	t.Helper()
	eventually(t, 5*time.Minute, "all members run", func() error {
		r := w.pigsty(t, "status", "-l", w.cluster, "--json")
		n := strings.Count(r.out, `"state":"running"`) + strings.Count(r.out, `"state":"streaming"`)
		if n != members {
			return fmt.Errorf("status says:\n%s", r.out)
		}
		return nil
	})
}

// looks waits until Patroni on host n has asked etcd who leads, later than at since.
// Hosts of a sandbox share one clock.
func looks(t *testing.T, w *world, n byte, since time.Time) {
	t.Helper()
	client := http.Client{Timeout: 20 * time.Second}
	eventually(t, 2*time.Minute, "Patroni on "+w.addr(n)+" to see etcd", func() error {
		answer, err := client.Get("http://" + w.addr(n) + ":8008/patroni")
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		var m struct {
			Seen int64 `json:"dcs_last_seen"`
		}
		if err := json.NewDecoder(answer.Body).Decode(&m); err != nil {
			return err
		}
		if seen := time.Unix(m.Seen, 0); !seen.After(since) {
			return fmt.Errorf("it did at %s, not after %s", seen, since)
		}
		return nil
	})
}

// powerOn starts a host that was off, and returns when it has started what it runs.
func powerOn(t *testing.T, w *world, n byte) {
	t.Helper()
	if err := w.box.Start(context.Background(), w.addr(n)); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Minute, w.addr(n)+" to be up", func() error {
		if state := w.on(t, n, "systemctl is-system-running || true"); state != "running" && state != "degraded" {
			return fmt.Errorf("it is %s: %s", state, w.on(t, n, "systemctl list-jobs --no-legend"))
		}
		return nil
	})
}

// postmasterKilled kills the leader's postmaster: writes resume, and none that
// was acknowledged is lost.
func postmasterKilled(t *testing.T, w *world) {
	writer := startWriter(t, w, 5433)
	w.on(t, leader(t, w), "kill -9 $(head -1 /pg/data/postmaster.pid)")
	writer.resumes(t, 2*time.Minute)
	whole(t, w, 3)
	if missing := writer.stop(t); missing > 0 {
		t.Errorf("%d acknowledged writes are lost", missing)
	}
}

// afterFailover applies while the inventory's primary is a replica: nothing
// moves back, and cluster content goes to the real leader.
func afterFailover(t *testing.T, w *world) {
	if leader(t, w) == 11 {
		w.on(t, 11, "patronictl -c /etc/patroni/patroni.yml switchover pg-test --candidate pg-test-2 --force")
		eventually(t, 2*time.Minute, "another leader", func() error {
			if leader(t, w) == 11 {
				return fmt.Errorf("still the inventory's primary")
			}
			return nil
		})
		whole(t, w, 3)
	}
	now := leader(t, w)
	w.inventory(t, variant(map[string]string{
		"MORE":      "\n    pg_max_conn: 300\n    pg_parameters: { log_min_duration_statement: 250 }",
		"USERS":     "\n      - { name: late, password: Late.Test, pgbouncer: true, roles: [dbrole_readonly] }",
		"DATABASES": "\n      - { name: later, owner: late }",
	}))
	w.must(t, "deploy")
	if got := leader(t, w); got != now {
		t.Errorf("the leader moved from %s to %s", w.addr(now), w.addr(got))
	}
	eventually(t, time.Minute, "the new user in the new database", func() error {
		return login(context.Background(), w, 5433, "late", "Late.Test", "later")
	})
	w.settled(t)
}

// hostLost pulls the plug of the leader's host under a writer.
func hostLost(t *testing.T, w *world) {
	old := leader(t, w)
	writer := startWriter(t, w, 5433)
	if err := w.box.Stop(context.Background(), w.addr(old)); err != nil {
		t.Fatal(err)
	}
	writer.resumes(t, 2*time.Minute)
	t.Run("the others are done", func(t *testing.T) {
		r := w.pigsty(t, "plan", "--detailed-exitcode")
		if r.status != 3 || !strings.Contains(r.out, w.addr(old)) {
			t.Errorf("plan with %s down: status %d\n%s", w.addr(old), r.status, r.out)
		}
		w.on(t, 10, "rm /etc/haproxy/conf.d/pg-meta-replica.cfg")
		r = w.pigsty(t, "apply", "-y")
		if r.status != 3 || !strings.Contains(r.out, w.addr(old)) {
			t.Errorf("apply with %s down: status %d\n%s", w.addr(old), r.status, r.out)
		}
		w.on(t, 10, "test -e /etc/haproxy/conf.d/pg-meta-replica.cfg")
	})
	powerOn(t, w, old)
	whole(t, w, 3)
	writer.stop(t)
	w.settled(t)
}
