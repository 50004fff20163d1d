package e2e

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// twoApplies starts a second apply while one runs: it is told who holds the hosts.
func twoApplies(t *testing.T, w *world) {
	w.on(t, 10, "rm -f /etc/haproxy/conf.d/*.cfg")
	release := w.holdLock(t, 10)
	defer release()
	r := w.pigsty(t, "apply", "-y")
	if r.status != 4 || !strings.Contains(r.out, "locked by") {
		t.Fatalf("a second apply: status %d\n%s", r.status, r.out)
	}
	release()
	w.must(t, "apply", "-y")
	w.settled(t)
}

// holdLock holds a host's lock as an apply that is under way does.
func (w *world) holdLock(t *testing.T, n byte) (release func()) {
	t.Helper()
	args := append(w.box.SSHArgs(w.addr(n)), "flock -n /var/lib/pigsty/lock sh -c 'echo somebody@elsewhere > /var/lib/pigsty/lock; echo held; cat'")
	c := exec.Command("ssh", args...)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 5)
	if _, err := out.Read(buf); err != nil {
		t.Fatal(err)
	}
	return func() {
		_ = in.Close()
		_ = c.Wait()
	}
}

// TestInterrupted kills a fresh deploy at random moments: the next one converges.
func TestInterrupted(t *testing.T) {
	w := newBareWorld(t, "10.10.32.0/24", 10, 11)
	w.inventory(t, `
etcd: { hosts: { NET.10: { etcd_seq: 1 } } }
pg-cut:
  hosts: { NET.10: { pg_seq: 1, pg_role: primary }, NET.11: { pg_seq: 2, pg_role: replica } }
  vars:
    pg_cluster: pg-cut
    pg_users: [ { name: test, password: Test.Test, pgbouncer: true, roles: [dbrole_admin] } ]
    pg_databases: [ { name: test, owner: test } ]`)
	t.Run("nothing to remove", func(t *testing.T) {
		if r := w.must(t, "pgsql-rm", "-l", "pg-cut", "--yes", "pg-cut"); !strings.Contains(r.out, "nothing to do") {
			t.Errorf("removing from bare hosts:\n%s", r.out)
		}
	})
	t.Run("killed", func(t *testing.T) {
		for kills, end := 0, time.Now().Add(4*time.Minute); kills < 6 && time.Now().Before(end); {
			c := exec.Command(binary, "deploy")
			c.Dir = w.dir
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			after := 500*time.Millisecond + rand.N(6*time.Second)
			alarm := time.AfterFunc(after, func() { _ = c.Process.Signal(syscall.SIGKILL) })
			_ = c.Wait()
			if alarm.Stop() { // it ended by itself
				if c.ProcessState.ExitCode() == 0 {
					t.Logf("deployed after %d kills", kills)
					w.on(t, 10, "rm -rf /etc/haproxy/conf.d /etc/pgbouncer/*.txt; systemctl stop pgbouncer")
					kills++
				}
				time.Sleep(time.Second) // else the agent of the last one still ends its step
				continue
			}
			kills++
			t.Logf("killed after %s", after.Round(10*time.Millisecond))
		}
		w.mustSoon(t, "deploy")
		w.settled(t)
	})
	t.Run("interrupted by the user", func(t *testing.T) {
		w.on(t, 11, "systemctl stop pgbouncer haproxy; rm -rf /etc/pgbouncer /etc/haproxy/conf.d")
		c := exec.Command(binary, "deploy")
		c.Dir = w.dir
		var out bytes.Buffer
		c.Stdout, c.Stderr = &out, &out
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(700 * time.Millisecond)
		_ = c.Process.Signal(syscall.SIGINT)
		_ = c.Wait()
		if s := c.ProcessState.ExitCode(); s != 130 && s != 0 {
			t.Errorf("interrupted: status %d\n%s", s, out.String())
		}
		w.mustSoon(t, "deploy")
		w.settled(t)
	})
	t.Run("connection cut", func(t *testing.T) {
		w.on(t, 11, "rm -rf /etc/pgbouncer /etc/haproxy/conf.d")
		done := make(chan result)
		go func() { done <- w.pigsty(t, "deploy") }()
		time.Sleep(600 * time.Millisecond)
		ctx := context.Background()
		if err := w.box.Partition(ctx, w.addr(11)); err != nil {
			t.Fatal(err)
		}
		r := <-done
		if err := w.box.Heal(ctx); err != nil {
			t.Fatal(err)
		}
		if r.status != 3 && r.status != 0 {
			t.Errorf("connection cut: status %d\n%s", r.status, r.out)
		}
		w.mustSoon(t, "deploy")
		w.settled(t)
	})
}

// mustSoon runs the binary until the hosts are free: an agent whose control
// side was killed ends the step that it is at.
func (w *world) mustSoon(t *testing.T, args ...string) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); ; time.Sleep(time.Second) {
		r := w.pigsty(t, args...)
		if r.status == 0 {
			return
		}
		if r.status != 4 || time.Now().After(end) {
			t.Fatalf("pigsty %s: status %d\n%s", strings.Join(args, " "), r.status, r.out)
		}
	}
}
