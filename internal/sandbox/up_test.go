package sandbox

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestHosts boots two hosts and does to them all that a sandbox can. Their bridge and subnet are the
// test's own; base image and package cache are the machine's.
func TestHosts(t *testing.T) {
	if testing.Short() {
		t.Skip("boots containers: skipped with -short")
	}
	if os.Geteuid() != 0 {
		t.Skip("boots containers: needs root")
	}
	if missing, _ := missingTools(); len(missing) > 0 {
		t.Skipf("boots containers: needs %s, which \"pigsty sandbox up\" installs", strings.Join(missing, ", "))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // of which building a base image may take most
	defer cancel()
	s, err := Open(Config{
		Dir:      t.TempDir(),
		ImageDir: cmp.Or(os.Getenv(DirEnv), DefaultDir),
		Bridge:   "pgtest0",
		Subnet:   netip.MustParsePrefix("10.10.20.0/24"),
		Packages: []string{"haproxy"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Down(context.Background()); err != nil {
			t.Error("taking the test's hosts down:", err)
		}
	})
	addrs, err := s.First(2)
	if err != nil {
		t.Fatal(err)
	}
	const one, two = "10.10.20.10", "10.10.20.11"
	say := func(line string) { t.Log(line) }
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	exec := func(host string, argv ...string) string {
		t.Helper()
		out, err := s.Exec(ctx, host, argv...)
		must("exec", err)
		return strings.TrimSpace(string(out))
	}
	// ping from the host's own console, which needs no network
	pings := func(from, to string) bool {
		_, err := s.Console(ctx, from, "ping", "-n", "-c", "1", "-W", "1", to)
		return err == nil
	}
	state := func(want ...string) {
		t.Helper()
		hosts, err := s.Hosts()
		must("hosts", err)
		var got []string
		for _, h := range hosts {
			got = append(got, h.Name+" "+h.State())
			if h.Running != (h.PID > 0) {
				t.Errorf("%s: running %v with PID %d", h.Name, h.Running, h.PID)
			}
		}
		if g, w := strings.Join(got, ", "), strings.Join(want, ", "); g != w {
			t.Fatalf("hosts are %s, want %s", g, w)
		}
	}

	waitFor := func(what string, done func(Host) bool) {
		t.Helper()
		for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
			h, err := s.Find(two)
			if err == nil && done(h) {
				return
			}
			if time.Now().After(deadline) {
				log, _ := os.ReadFile(s.consoleLog("node-11"))
				t.Fatalf("%s of node-11 does not end; its console:%s", what, tail(string(log), 30))
			}
		}
	}

	must("up", s.Up(ctx, addrs, say))
	state("node-10 running", "node-11 running")
	first, err := s.Find(one)
	must("find", err)
	must("up again", s.Up(ctx, addrs, say))
	if again, err := s.Find("node-10"); err != nil || again != first {
		t.Errorf("up again changed the host: %+v, %v, before %+v", again, err, first)
	}
	if got := exec(one, "cat", "/etc/hostname", "/proc/sys/kernel/hostname"); got != "node-10\nnode-10" {
		t.Errorf("host name: %q", got)
	}
	if got := exec(one, "sh", "-c", "dpkg -s haproxy | grep ^Status; systemctl is-active haproxy; systemctl is-enabled haproxy; ls /usr/sbin/policy-rc.d; true"); !strings.HasPrefix(got, "Status: install ok installed\ninactive\ndisabled") {
		t.Errorf("a preinstalled package: %q", got)
	}
	if got := exec(one, "printf", "%s|", "it's", "$HOME", "a b", ""); got != "it's|$HOME|a b||" {
		t.Errorf("arguments arrive as %q", got)
	}
	if got := exec(one, "getent", "hosts", "node-10", "node-11"); !strings.Contains(got, one) || !strings.Contains(got, two) {
		t.Errorf("names resolve to %q", got)
	}
	if _, err := s.Exec(ctx, one, "sh", "-c", "echo why >&2; exit 3"); !exitedWith(err, 3) || !strings.Contains(err.Error(), "why") {
		t.Errorf("a failing program: %v", err)
	}

	for _, p := range [][2]string{{one, "node-11"}, {two, "node-10"}, {one, "10.10.20.1"}} {
		if !pings(p[0], p[1]) {
			t.Fatalf("no ping from %s to %s", p[0], p[1])
		}
	}
	must("partition", s.Partition(ctx, two))
	state("node-10 running", "node-11 partitioned")
	for _, p := range [][2]string{{one, two}, {two, one}, {two, "10.10.20.1"}} {
		if pings(p[0], p[1]) {
			t.Errorf("a ping from %s to %s though node-11 is partitioned", p[0], p[1])
		}
	}
	if !pings(one, "10.10.20.1") {
		t.Error("node-10 is cut off too")
	}
	must("up with a partition", s.Up(ctx, addrs, say))
	must("heal", s.Heal(ctx))
	state("node-10 running", "node-11 running")
	if !pings(one, two) || !pings(two, "10.10.20.1") {
		t.Error("no ping after heal")
	}

	t.Cleanup(func() { os.Remove(filepath.Join(s.store(DefaultOS), "pgtest0_1_all.deb")) }) // it is the machine's cache
	exec(one, "sh", "-c", "echo kept > /root/file; echo 'downloaded' > /var/cache/apt/archives/pgtest0_1_all.deb")
	must("stop", s.Stop(ctx, "node-10"))
	state("node-10 stopped", "node-11 running")
	must("start", s.Start(ctx, one))
	state("node-10 running", "node-11 running")
	if got := exec(one, "cat", "/root/file", "/var/cache/apt/archives/pgtest0_1_all.deb"); got != "kept\ndownloaded" {
		t.Errorf("after stop and start the files hold %q", got)
	}

	before, err := s.Find(two)
	must("find", err)
	s.Console(ctx, two, "systemctl", "reboot")
	waitFor("reboot", func(h Host) bool { return h.PID > 0 && h.PID != before.PID })
	must("up after reboot", s.Up(ctx, addrs, say))
	if !pings(two, one) {
		t.Error("no ping after a reboot")
	}

	// A host that ended by itself left its mount and cgroup behind.
	s.Console(ctx, two, "systemctl", "poweroff", "--force", "--force")
	waitFor("poweroff", func(h Host) bool { return !h.Running })
	must("up after poweroff", s.Up(ctx, addrs, say))
	state("node-10 running", "node-11 running")

	// A run that died before it had recorded the host.
	must("losing a record", os.Remove(filepath.Join(s.hostDir("node-11"), "host.json")))
	must("down one", s.Down(ctx, one))
	state("node-11 running")
	if err := s.Stop(ctx, one); !errors.Is(err, ErrNoHost) {
		t.Errorf("stopping a removed host: %v", err)
	}
	must("down", s.Down(ctx))
	must("down of nothing", s.Down(ctx))
	assertGone(t, s, addrs)
}

func exitedWith(err error, code int) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.ExitCode() == code
}

// assertGone fails for whatever a sandbox may have left on the machine.
func assertGone(t *testing.T, s *Sandbox, addrs []netip.Addr) {
	t.Helper()
	for _, a := range addrs {
		if linkExists(vethOf(a)) {
			t.Errorf("interface %s is left", vethOf(a))
		}
		if left, _ := filepath.Glob("/run/systemd/nspawn/*/" + machineOf(a)); len(left) > 0 {
			t.Errorf("%v are left", left)
		}
	}
	if linkExists(s.bridge) {
		t.Errorf("bridge %s is left", s.bridge)
	}
	ms, err := mounts()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range ms {
		if strings.HasPrefix(m.point, s.dir) {
			t.Errorf("mount %s is left", m.point)
		}
	}
	for _, family := range []string{"ip", "bridge"} {
		if _, err := run(context.Background(), "", "nft", "list", "table", family, s.table()); err == nil {
			t.Errorf("nftables table %s %s is left", family, s.table())
		}
	}
	cg, err := s.cgroups()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range cg.all {
		if fileExists(d) {
			t.Errorf("cgroup %s is left", d)
		}
	}
	if left, _ := os.ReadDir(filepath.Join(s.dir, "hosts")); len(left) > 0 {
		t.Errorf("hosts %v are left", left)
	}
}
