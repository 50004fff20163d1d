package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pigsty/internal/engine"
	"pigsty/internal/plan"
)

// event is a record of an apply.
type event struct {
	Type       engine.EventType
	Host, Step string
}

// follow runs the binary with --json and hands over each record of what it does
// when it does it, with the process that writes them.
func (w *world) follow(t *testing.T, each func(event, *os.Process), args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	c := exec.Command(binary, append(args, "--json")...)
	c.Dir, c.Stderr = w.dir, &errs
	pipe, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for records := json.NewDecoder(io.TeeReader(pipe, &out)); ; {
		var e event
		if records.Decode(&e) != nil {
			break
		}
		each(e, c.Process)
	}
	_ = c.Wait() // the status says how
	return result{out.String() + errs.String(), c.ProcessState.ExitCode(), time.Since(began)}
}

// typed runs the binary on a terminal, and types keys when it has asked question.
func (w *world) typed(t *testing.T, question, keys string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	// script(1) gives the command a terminal.
	c := exec.CommandContext(ctx, "script", "-qec", "exec "+binary+" "+strings.Join(args, " "), "/dev/null")
	c.Dir = w.dir
	keyboard, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	screen, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for asked, buf := false, make([]byte, 4096); ; {
		n, err := screen.Read(buf)
		out.Write(buf[:n])
		if !asked && strings.Contains(out.String(), question) {
			asked = true
			_, _ = io.WriteString(keyboard, keys)
		}
		if err != nil {
			break
		}
	}
	_ = c.Wait()
	return result{out.String(), c.ProcessState.ExitCode(), time.Since(began)}
}

// twoApplies starts a second apply while one is under way: it is told whose that
// is, and changes nothing.
func twoApplies(t *testing.T, w *world) {
	here, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	w.on(t, 10, "rm -f /etc/haproxy/conf.d/*.cfg")
	var second result
	var holder string
	first := w.follow(t, func(e event, p *os.Process) {
		if e.Type != engine.StepStart || holder != "" {
			return
		}
		holder = fmt.Sprintf("%s is locked by root@%s, process %d, since ", w.addr(10), here, p.Pid)
		_ = p.Signal(syscall.SIGSTOP) // it takes as long as the second one wants
		defer func() { _ = p.Signal(syscall.SIGCONT) }()
		second = w.pigsty(t, "apply", "-y")
	}, "apply", "-y")
	if holder == "" || second.status != 4 || !strings.Contains(second.out, holder) {
		t.Errorf("a second apply: status %d, want 4 and %q\n%s", second.status, holder, second.out)
	}
	if first.status != 0 {
		t.Errorf("the first apply: status %d\n%s", first.status, first.out)
	}
	w.settled(t)
}

// TestInterrupted kills, cuts and interrupts runs: the next one converges. Its
// hosts have the packages, so that what is hit is the making of a cluster.
func TestInterrupted(t *testing.T) {
	w := newWorld(t, "10.10.32.0/24", 10, 11)
	w.inventory(t, `
etcd: { hosts: { NET.10: { etcd_seq: 1 } } }
pg-cut:
  hosts: { NET.10: { pg_seq: 1, pg_role: primary }, NET.11: { pg_seq: 2, pg_role: replica } }
  vars:
    pg_cluster: pg-cut
    pg_users: [ { name: test, password: Test.Test, pgbouncer: true, roles: [dbrole_admin] } ]
    pg_databases: [ { name: test, owner: test } ]`)
	w.inOrder(t, []scenario{
		{"killed", killed},
		{"interrupted by the user", interrupted},
		{"connection cut", connectionCut},
		{"asked on a terminal", asked},
	})
}

// changes is how many steps a plan of everything has to do.
func (w *world) changes(t *testing.T) int {
	t.Helper()
	total := 0
	r := w.follow(t, func(event, *os.Process) {}, "plan")
	for line := range strings.Lines(r.out) {
		var record struct {
			Type string
			plan.Counts
		}
		if json.Unmarshal([]byte(line), &record) == nil && record.Type == "total" {
			total = record.Changes()
		}
	}
	return total
}

// killed kills a fresh deployment again and again, each time at a random one of
// the steps that are left, so that over all of them every part of it is hit.
func killed(t *testing.T, w *world) {
	const wanted, most = 6, 100
	kills := 0
	for runs := 0; kills < wanted; runs++ {
		if runs == most {
			t.Fatalf("only %d of %d runs were killed", kills, runs)
		}
		left := w.changes(t)
		at := 1 + rand.N(max(1, 2*left/(wanted-kills+1)))
		done, running := 0, map[string]bool{}
		r := w.follow(t, func(e event, p *os.Process) {
			switch e.Type {
			case engine.StepStart:
				running[e.Step] = true
			case engine.StepDone:
				delete(running, e.Step)
				if done++; done == at {
					_ = p.Kill()
				}
			}
		}, "deploy")
		switch r.status {
		case -1:
			kills++
			t.Logf("killed after %d of %d steps, during %s", at, left, strings.Join(slices.Sorted(maps.Keys(running)), ", "))
		case 0: // it ended before the step that was not to be survived
			t.Logf("deployed after %d kills", kills)
			w.on(t, 10, "rm -rf /etc/haproxy/conf.d /etc/pgbouncer/*.txt; systemctl stop pgbouncer")
		case 4:
			time.Sleep(time.Second) // the agent of the last one still ends its step
		default:
			t.Fatalf("deploy after %d kills: status %d\n%s", kills, r.status, r.out)
		}
	}
	w.mustSoon(t, "deploy")
	w.settled(t)
}

// interrupted presses Ctrl-C, as it were, when the first step is done.
func interrupted(t *testing.T, w *world) {
	w.on(t, 11, "systemctl stop pgbouncer haproxy; rm -rf /etc/pgbouncer /etc/haproxy/conf.d")
	var out, progress bytes.Buffer
	c := exec.Command(binary, "deploy")
	c.Dir, c.Stdout = w.dir, &out
	pipe, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for sent, buf := false, make([]byte, 4096); ; {
		n, err := pipe.Read(buf)
		progress.Write(buf[:n])
		if !sent && len(changed(progress.String())) > 0 {
			sent = true
			_ = c.Process.Signal(syscall.SIGINT)
		}
		if err != nil {
			break
		}
	}
	_ = c.Wait()
	if s := c.ProcessState.ExitCode(); s != 130 {
		t.Errorf("interrupted: status %d\n%s%s", s, out.String(), progress.String())
	}
	for _, words := range []string{"interrupted: steps that run are let finish", "not begun; run the same command again to finish"} {
		if !strings.Contains(progress.String(), words) {
			t.Errorf("it does not say %q:\n%s", words, progress.String())
		}
	}
	if words := w.addr(11) + " not begun: "; !strings.Contains(out.String(), words) || !strings.Contains(out.String(), "unit pgbouncer.service") {
		t.Errorf("it does not say %q, nor what:\n%s", words, out.String())
	}
	w.mustSoon(t, "deploy")
	w.settled(t)
}

// connectionCut cuts a host off when its first step begins.
func connectionCut(t *testing.T, w *world) {
	ctx := context.Background()
	w.on(t, 11, "rm -rf /etc/pgbouncer /etc/haproxy/conf.d")
	cut := false
	r := w.follow(t, func(e event, p *os.Process) {
		if cut || e.Type != engine.StepStart || e.Host != w.addr(11) {
			return
		}
		cut = true
		_ = p.Signal(syscall.SIGSTOP) // so that nothing more gets through
		defer func() { _ = p.Signal(syscall.SIGCONT) }()
		if err := w.box.Partition(ctx, w.addr(11)); err != nil {
			t.Error(err)
		}
	}, "deploy")
	if err := w.box.Heal(ctx); err != nil {
		t.Fatal(err)
	}
	if !cut || r.status != 3 || !strings.Contains(r.out, `"failed_hosts":{"`+w.addr(11)+`":`) {
		t.Errorf("connection cut: status %d\n%s", r.status, r.out)
	}
	w.mustSoon(t, "deploy")
	w.settled(t)
}

// asked answers the questions of apply and of a removal, in every way that there is.
func asked(t *testing.T, w *world) {
	const apply, remove, interrupt = "Apply these changes? [y/N] ", "Type its name to go on: ", "\x03"
	w.on(t, 11, "rm -f /etc/haproxy/conf.d/*.cfg")
	for _, c := range []struct {
		args, question, keys string
		status               int
		says                 string
	}{
		{"apply", apply, "n\n", 1, " nothing was changed"},
		{"apply", apply, interrupt, 130, " interrupted before anything was changed"},
		{"apply --json", "--json shows", "y\n", 1, "--json shows no plan to say yes to"},
		{"pgsql-rm -l pg-cut", remove, "pg-cat\n", 1, " that is not pg-cut; nothing was changed"},
		{"pgsql-rm -l pg-cut", remove, interrupt, 130, " interrupted before anything was changed"},
	} {
		r := w.typed(t, c.question, c.keys, strings.Fields(c.args)...)
		if r.status != c.status || !strings.Contains(r.out, c.question) || !strings.Contains(r.out, c.says) {
			t.Errorf("%s, answered %q: status %d, want %d and %q\n%s", c.args, c.keys, r.status, c.status, c.says, r.out)
		}
	}
	if out := w.on(t, 11, "ls /etc/haproxy/conf.d; systemctl is-active patroni"); out != "active" {
		t.Fatalf("something was changed: %s", out)
	}
	if r := w.typed(t, apply, "y\n", "apply"); r.status != 0 {
		t.Errorf("an apply that was agreed to: status %d\n%s", r.status, r.out)
	}
	w.settled(t)
	if r := w.typed(t, remove, "pg-cut\n", "pgsql-rm", "-l", "pg-cut"); r.status != 0 {
		t.Errorf("a removal that was agreed to: status %d\n%s", r.status, r.out)
	}
	for n := byte(10); n <= 11; n++ {
		gone(t, w, n)
	}
}

// released waits until no agent runs on host n: one whose control side was killed
// ends the step that it is at.
func (w *world) released(t *testing.T, n byte) {
	t.Helper()
	eventually(t, 5*time.Minute, "agents on "+w.addr(n)+" to end", func() error {
		if agents := w.on(t, n, "pgrep -af 'agent/[0-9a-f]* agent' || true"); agents != "" {
			return errors.New(agents)
		}
		return nil
	})
}

// mustSoon runs the binary until the hosts are free: an agent whose control
// side was killed ends the step that it is at.
func (w *world) mustSoon(t *testing.T, args ...string) {
	t.Helper()
	for end := time.Now().Add(5 * time.Minute); ; time.Sleep(time.Second) {
		r := w.pigsty(t, args...)
		if r.status == 0 {
			return
		}
		if r.status != 4 || time.Now().After(end) {
			t.Fatalf("pigsty %s: status %d\n%s", strings.Join(args, " "), r.status, r.out)
		}
	}
}
