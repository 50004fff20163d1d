package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestBench prints how long things take beside what they must at least take on
// the same hosts in the same minute; see docs/performance.md. It asserts no
// times: machines are noisy.
func TestBench(t *testing.T) {
	if os.Getenv("PIGSTY_BENCH") == "" {
		t.Skip("run it with `make bench`")
	}
	w := newWorld(t, "10.10.33.0/24", 10, 11, 12, 13)
	w.inventory(t, variant(nil))
	w.must(t, "node")
	w.must(t, "etcd")
	w.must(t, "pgsql", "-l", "pg-test", "-t", "pg_pkg")
	report := func(what string, took, floor time.Duration, floorIs string) {
		fmt.Printf("| %s | %.2f s | %.2f s (%s) | %.2f |\n", what, took.Seconds(), floor.Seconds(), floorIs, took.Seconds()/floor.Seconds())
	}
	fmt.Println("| what | took | floor | ratio |\n|---|---|---|---|")

	floor := min(w.floor(t, "/floor1", 11, 12, 13), w.floor(t, "/floor2", 11, 12, 13))
	fresh := w.must(t, "pgsql", "-l", "pg-test").took
	report("three-node cluster, packages installed", fresh, floor, "plain shell")
	floor = min(w.floor(t, "/floor1", 10), w.floor(t, "/floor2", 10))
	fresh = w.must(t, "pgsql", "-l", "pg-meta").took
	report("single node with its first backup, packages installed", fresh, floor, "plain shell")
	w.must(t, "deploy")

	idle := best(5, func() time.Duration { return w.must(t, "deploy").took })
	empty := best(5, func() time.Duration { return w.emptyCommands(t) })
	report("nothing to do, 4 hosts", idle, empty, "an empty ssh command to all at once")
	observing := best(3, func() time.Duration { return w.observing(t) })
	report("the same without the agents' own observing, "+observing.Round(time.Millisecond).String(), idle-observing, empty, "the same")

	app := map[string]string{"USERS": "\n      - { name: app, password: App.Test, pgbouncer: true }"}
	w.inventory(t, variant(app))
	report("one user added", w.must(t, "pgsql-user", "pg-test", "app").took, empty, "the same")
	app["DATABASES"] = "\n      - { name: shop, owner: app }"
	w.inventory(t, variant(app))
	report("one database added", w.must(t, "pgsql-db", "pg-test", "shop").took, empty, "the same")
	w.inventory(t, variant(map[string]string{"HBA": "{ user: app, db: all, addr: 192.0.2.0/24, auth: ssl, order: 700 }"}))
	report("one HBA rule added", w.must(t, "pgsql-hba", "pg-test").took, empty, "the same")

	w.inventory(t, variant(nil)+oneInfra)
	w.must(t, "deploy")
	idle = best(5, func() time.Duration { return w.must(t, "deploy").took })
	report("nothing to do, 4 hosts, one of them with INFRA", idle, empty, "the same")

	one := best(3, func() time.Duration { return w.must(t, "pgsql", "-l", "pg-test").took })
	w.inventory(t, variant(manyObjects(100)))
	w.must(t, "pgsql", "-l", "pg-test")
	many := best(3, func() time.Duration { return w.must(t, "pgsql", "-l", "pg-test").took })
	report("nothing to do on a cluster of three with 100 users and 100 databases more", many, one, "without them")
	w.inventory(t, variant(nil))

	for _, hosts := range []int{100, 1000, 5000} {
		took, memory := validateMany(t, hosts)
		fmt.Printf("| validate and compile %d hosts | %.2f s, %d MB | %.2f ms a host | |\n", hosts, took.Seconds(), memory, took.Seconds()*1000/float64(hosts))
	}
	resident := make(chan string)
	go func() { resident <- w.on(t, 11, agentMemory) }()
	time.Sleep(300 * time.Millisecond)
	w.must(t, "deploy")
	fmt.Printf("\nbinary %d MB; agent %s MB resident\n", size(t, binary)>>20, strings.TrimSpace(<-resident))
}

// manyObjects declares n users more, and a database of each.
func manyObjects(n int) map[string]string {
	var users, databases strings.Builder
	for i := range n {
		fmt.Fprintf(&users, "\n      - { name: app%[1]d, password: App.Test.%[1]d, pgbouncer: true, roles: [dbrole_readwrite] }", i)
		fmt.Fprintf(&databases, "\n      - { name: shop%[1]d, owner: app%[1]d, schemas: [sales], comment: shop %[1]d }", i)
	}
	return map[string]string{"USERS": users.String(), "DATABASES": databases.String()}
}

// agentMemory is shell that prints the most memory that an agent had resident, in
// MB, among those that run in the next seconds.
const agentMemory = `most=0; for i in $(seq 200); do
for p in $(pgrep -f '/[0-9a-f]+ agent'); do m=$(awk '/VmHWM/{print int($2/1024)}' /proc/$p/status 2>/dev/null); [ "${m:-0}" -gt $most ] && most=$m; done
sleep 0.02; done; echo $most`

func best(n int, measure func() time.Duration) time.Duration {
	least := measure()
	for range n - 1 {
		least = min(least, measure())
	}
	return least
}

// oneInfra adds the infrastructure to the first host.
const oneInfra = `
infra:
  hosts: { NET.10: { infra_seq: 1 } }
`

// oneHost is everything on one host, from the deployment's own repository alone: no
// mirror that is near or far decides how long packages take.
const oneHost = `
etcd:
  hosts: { NET.HOST: { etcd_seq: 1 } }
  vars: { etcd_cluster: etcd }
pg-meta:
  hosts: { NET.HOST: { pg_seq: 1, pg_role: primary } }
  vars:
    pg_cluster: pg-meta
    pg_users: [ { name: dbuser_meta, password: Meta.Test, pgbouncer: true, roles: [dbrole_admin] } ]
    pg_databases: [ { name: meta, owner: dbuser_meta } ]
infra:
  hosts: { NET.HOST: { infra_seq: 1 } }
  vars: { node_repo_remove: true }
`

// TestBenchDeploy compares everything on one bare host with plain shell that
// installs and starts the same on another. Both have the deployment's repository
// from a third, where it was built.
func TestBenchDeploy(t *testing.T) {
	if os.Getenv("PIGSTY_BENCH") == "" {
		t.Skip("run it with `make bench`")
	}
	w := newBareWorld(t, "10.10.44.0/24", 10, 11, 12)
	w.inventory(t, strings.ReplaceAll(oneHost, "HOST", "12"), "admin_ip: "+w.addr(12))
	w.must(t, "infra", "-t", "repo")
	w.slowly(t, 12, "$(ls -t /var/lib/pigsty/agent/* | head -n 1) repo pack /root/pkg.tgz")
	pkg := filepath.Join(t.TempDir(), "pkg.tgz")
	if out, err := exec.Command("scp", "-q", "-F", w.box.ConfigPath(), w.addr(12)+":/root/pkg.tgz", pkg).CombinedOutput(); err != nil {
		t.Fatalf("copy the repository: %v\n%s", err, out)
	}
	for n := byte(10); n <= 11; n++ {
		w.copyTo(t, n, pkg)
		w.slowly(t, n, "cd /tmp && tar xzf pkg.tgz bin/pigsty && bin/pigsty repo unpack pkg.tgz && rm -r pkg.tgz bin")
	}
	w.inventory(t, strings.ReplaceAll(oneHost, "HOST", "10"))
	// Which packages the repository lacks is known once the host has read its index.
	others := w.packages(t, "-e", "repo_enabled=false", "-e", "node_repo_remove=false")
	args := append([]string{w.box.ConfigPath(), w.addr(11)}, others...)
	floor := w.shell(t, "floor_deploy.sh", args, nil)
	took := w.must(t, "deploy").took
	fmt.Printf("| one bare host with infra, node, etcd and pgsql, from a built repository | %.2f s | %.2f s (plain shell) | %.2f |\n", took.Seconds(), floor.Seconds(), took.Seconds()/floor.Seconds())
	w.settled(t)
}

// packages are those that a deployment would install.
func (w *world) packages(t *testing.T, args ...string) []string {
	t.Helper()
	var names []string
	for line := range strings.Lines(w.must(t, append([]string{"plan", "--json"}, args...)...).out) {
		var step struct {
			Step   string
			Change struct{ Attrs []struct{ Name string } }
		}
		if err := json.Unmarshal([]byte(line), &step); err == nil && step.Step == "packages" {
			for _, a := range step.Change.Attrs {
				names = append(names, a.Name)
			}
		}
	}
	if len(names) == 0 {
		t.Fatal("the plan names no package")
	}
	return names
}

// floor makes a cluster of the hosts in plain shell, below dir, and stops it. Its
// files stay: the file system is slow to make many just after it has lost many.
// A single node is backed up as well, as a new cluster is.
func (w *world) floor(t *testing.T, dir string, hosts ...byte) time.Duration {
	t.Helper()
	args := []string{w.box.ConfigPath(), w.addr(10)}
	for _, n := range hosts {
		args = append(args, w.addr(n))
	}
	env := []string{"FLOOR_ETCD=Etcd.Test", "FLOOR_DIR=" + dir}
	if len(hosts) == 1 {
		env = append(env, "FLOOR_BACKUP=yes")
	}
	took := w.shell(t, "floor.sh", args, env)
	for _, n := range hosts {
		w.on(t, n, "systemctl stop floor-patroni floor-pgbouncer floor-haproxy; pkill -9 -u postgres; sleep 0.3")
	}
	w.on(t, 10, `. /etc/profile.d/etcdctl.sh; etcdctl del --prefix `+dir)
	return took
}

// shell runs a script that stands beside the tests and prints what it says.
func (w *world) shell(t *testing.T, script string, args, env []string) time.Duration {
	t.Helper()
	path, err := filepath.Abs(script)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, path, args...)
	c.Env = env
	r := w.run(t, c)
	if r.status != 0 {
		t.Fatalf("%s: status %d\n%s", script, r.status, r.out)
	}
	fmt.Print("<!-- floor: ", strings.ReplaceAll(strings.TrimSpace(r.out), "\n", ", "), " -->\n")
	return r.took
}

// emptyCommands runs `true` on every host at once by ssh, which is the least
// that reaching them can cost.
func (w *world) emptyCommands(t *testing.T) time.Duration {
	began := time.Now()
	var all sync.WaitGroup
	for n := byte(10); n <= 13; n++ {
		all.Go(func() {
			if err := exec.Command("ssh", append(w.box.SSHArgs(w.addr(n)), "true")...).Run(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	return time.Since(began)
}

// observing is the longest that a host took to be observed, by its own clock.
func (w *world) observing(t *testing.T) time.Duration {
	t.Helper()
	var longest time.Duration
	for line := range strings.Lines(w.must(t, "plan", "--json").out) {
		var host struct {
			Type      string
			Observing time.Duration
		}
		if err := json.Unmarshal([]byte(line), &host); err == nil && host.Type == "host" {
			longest = max(longest, host.Observing)
		}
	}
	if longest == 0 {
		t.Fatal("the plan does not say how long hosts took to be observed")
	}
	return longest
}

// validateMany measures an inventory of clusters of three with users and
// databases; memory is the most it had resident, in MB.
func validateMany(t *testing.T, hosts int) (time.Duration, int64) {
	t.Helper()
	var b strings.Builder
	b.WriteString("all:\n  vars: { admin_ip: 10.0.0.1, pg_version: 17 }\n  children:\n    etcd: { hosts: { 10.0.0.1: { etcd_seq: 1 }, 10.0.0.2: { etcd_seq: 2 }, 10.0.0.3: { etcd_seq: 3 } } }\n")
	for i := 0; i < hosts; i += 3 {
		fmt.Fprintf(&b, "    pg-%d:\n      hosts:\n", i/3)
		for k := range 3 {
			role := []string{"primary", "replica", "offline"}[k]
			fmt.Fprintf(&b, "        10.%d.%d.%d: { pg_seq: %d, pg_role: %s }\n", 1+(i+k)/62500, (i+k)/250%250, (i+k)%250+1, k+1, role)
		}
		fmt.Fprintf(&b, "      vars:\n        pg_cluster: pg-%d\n        pg_users: [ { name: app, password: App.Test, pgbouncer: true, roles: [dbrole_admin] } ]\n        pg_databases: [ { name: app, owner: app } ]\n", i/3)
	}
	path := filepath.Join(t.TempDir(), "pigsty.yml")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(binary, "validate", "-i", path)
	began := time.Now()
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return time.Since(began), peak(c)
}

func size(t *testing.T, path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// peak returns the most memory that a finished command had resident, in MB.
func peak(c *exec.Cmd) int64 {
	return c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10
}
