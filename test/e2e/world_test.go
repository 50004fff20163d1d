// Package e2e deploys on real hosts, systemd-nspawn containers of the sandbox,
// with the built binary, and looks at what they become with real clients. A
// scenario is a subtest named for what happens in it; each ends with an empty plan.
package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"pigsty/internal/sandbox"
)

// binary is the built pigsty that every scenario runs.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	switch {
	case testing.Short():
		fmt.Println("skipped: sandbox hosts take minutes, and -short was given")
		os.Exit(0)
	case os.Getuid() != 0:
		fmt.Println("skipped: sandbox hosts need root")
		os.Exit(0)
	}
	dir, err := os.MkdirTemp("", "pigsty-e2e-bin")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "pigsty")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "pigsty/cmd/pigsty")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Printf("build: %v\n%s", err, out)
		os.Exit(1)
	}
	status := m.Run()
	if os.Getenv("PIGSTY_E2E_KEEP") == "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(status)
}

// world is sandbox hosts and an inventory about them.
type world struct {
	box     *sandbox.Sandbox
	dir     string   // where the inventory lies
	cluster string   // the PostgreSQL cluster that leader and whole ask about: pg-test
	entries []byte   // the hosts through which a writer connects, the first that lets it
	env     []string // what commands have in their environment, besides
	version string   // pg_version: what the hosts' system carries
}

// preinstalled is what NODE, ETCD and PGSQL install. Scenarios that are not about
// that begin with hosts that have it, which halves what they take.
var preinstalled = strings.Fields(`lz4 rsync tzdata zstd haproxy prometheus-node-exporter etcd-server etcd-client
	postgresql-17 postgresql-client-17 postgresql-plpython3-17 postgresql-plperl-17 postgresql-pltcl-17
	postgresql-17-repack postgresql-17-wal2json postgresql-17-pgvector
	patroni python3-etcd python3-psycopg2 pgbouncer pgbackrest`)

// newWorld boots hosts with the given last bytes of their addresses in subnet, a /24
// that no other test uses. They have the packages that PostgreSQL clusters need.
func newWorld(t *testing.T, subnet string, hosts ...byte) *world {
	t.Helper()
	return newWorldOf(t, sandbox.DefaultOS, preinstalled, subnet, hosts...)
}

// newBareWorld is newWorld with hosts as a provider hands them out.
func newBareWorld(t *testing.T, subnet string, hosts ...byte) *world {
	t.Helper()
	return newWorldOf(t, sandbox.DefaultOS, nil, subnet, hosts...)
}

// newWorldOf is newWorld with hosts that run the given system and have the given
// packages. Worlds do not touch each other, and much of their time is waiting:
// they run side by side.
func newWorldOf(t *testing.T, system string, packages []string, subnet string, hosts ...byte) *world {
	t.Helper()
	t.Parallel()
	turns.enter(t)
	prefix := netip.MustParsePrefix(subnet)
	bridge := fmt.Sprintf("pge2e%d", prefix.Addr().As4()[2])
	box, err := sandbox.Open(sandbox.Config{Dir: filepath.Join(os.TempDir(), "pigsty-"+bridge), ImageDir: sandbox.DefaultDir, Bridge: bridge, Subnet: prefix, OS: system, Packages: packages})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if os.Getenv("PIGSTY_E2E_KEEP") == "" {
		if err := box.Down(ctx); err != nil { // of a run that was killed
			t.Fatal(err)
		}
		_ = os.RemoveAll(box.Dir())
	}
	var addrs []netip.Addr
	for _, h := range hosts {
		a := prefix.Addr().As4()
		a[3] = h
		addrs = append(addrs, netip.AddrFrom4(a))
	}
	if err := box.Up(ctx, addrs, func(line string) { t.Log(line) }); err != nil {
		t.Fatal(err)
	}
	w := &world{box: box, dir: filepath.Join(box.Dir(), "inventory"), cluster: "pg-test", entries: []byte{12, 13, 11}, version: "17"}
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if os.Getenv("PIGSTY_E2E_KEEP") != "" {
			t.Logf("kept: PIGSTY_SANDBOX_DIR=%s, binary %s", box.Dir(), binary)
			return
		}
		if err := box.Harvest(ctx); err != nil {
			t.Log(err)
		}
		if err := box.Down(ctx); err != nil {
			t.Error(err)
		}
		_ = os.RemoveAll(box.Dir())
	})
	return w
}

// inventory writes the inventory: text with %[1]s for the first three bytes of
// the subnet, and the connection variables of the sandbox.
func (w *world) inventory(t *testing.T, children string, vars ...string) {
	t.Helper()
	net := strings.TrimSuffix(w.box.Subnet().Addr().String(), ".0")
	var b strings.Builder
	b.WriteString("all:\n  children:\n")
	b.WriteString(indent(strings.ReplaceAll(children, "NET", net), "    "))
	b.WriteString("\n  vars:\n")
	for _, v := range append(vars,
		"admin_ip: "+net+".10",
		"pg_version: "+w.version,
		"pg_conf: tiny.yml",
		"pg_rto: fast",
		"node_tune: tiny",
		"pg_admin_password: DBA.Test", "pg_monitor_password: Monitor.Test", "pg_replication_password: Replicator.Test",
		"patroni_password: Patroni.Test", "etcd_root_password: Etcd.Test", "haproxy_admin_password: HAProxy.Test",
		"ansible_user: root",
		"ansible_ssh_private_key_file: "+w.box.KeyPath(),
		"ansible_ssh_common_args: -o UserKnownHostsFile="+w.box.KnownHostsPath(),
	) {
		if name, _, _ := strings.Cut(v, ":"); strings.Contains(b.String(), "\n    "+name+":") {
			continue // given by the scenario
		}
		b.WriteString("    " + v + "\n")
	}
	if err := os.WriteFile(filepath.Join(w.dir, "pigsty.yml"), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

func indent(text, by string) string {
	lines := strings.Split(strings.Trim(text, "\n"), "\n")
	for i, l := range lines {
		if l != "" {
			lines[i] = by + l
		}
	}
	return strings.Join(lines, "\n")
}

// addr returns the address of the host with last byte n.
func (w *world) addr(n byte) string {
	a := w.box.Subnet().Addr().As4()
	a[3] = n
	return netip.AddrFrom4(a).String()
}

// scenario is something that happens in a world.
type scenario struct {
	name string
	run  func(*testing.T, *world)
}

// inOrder runs scenarios that build on each other, up to the first that fails.
func (w *world) inOrder(t *testing.T, scenarios []scenario) {
	t.Helper()
	for _, s := range scenarios {
		if !t.Run(s.name, func(t *testing.T) { s.run(t, w) }) {
			t.Fatal("the scenarios after this one build on it")
		}
	}
}

// afterFirst runs scenarios of which all after the first look at what that made.
func (w *world) afterFirst(t *testing.T, scenarios []scenario) {
	t.Helper()
	w.inOrder(t, scenarios[:1])
	for _, s := range scenarios[1:] {
		t.Run(s.name, func(t *testing.T) { s.run(t, w) })
	}
}

// result is a finished command.
type result struct {
	out    string // stdout and stderr as they came
	status int
	took   time.Duration
}

// pigsty runs the binary beside the inventory.
func (w *world) pigsty(t *testing.T, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	return w.run(t, exec.CommandContext(ctx, binary, args...))
}

func (w *world) run(t *testing.T, c *exec.Cmd) result {
	t.Helper()
	var out bytes.Buffer
	c.Dir, c.Stdout, c.Stderr = w.dir, &out, &out
	c.Env = append(append(os.Environ(), c.Env...), w.env...)
	began := time.Now()
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v\n%s", strings.Join(c.Args, " "), err, out.String())
	}
	return result{out.String(), c.ProcessState.ExitCode(), time.Since(began)}
}

// must runs the binary and fails the test unless it exits with status 0.
func (w *world) must(t *testing.T, args ...string) result {
	t.Helper()
	r := w.pigsty(t, args...)
	if r.status != 0 {
		t.Fatalf("pigsty %s: status %d\n%s", strings.Join(args, " "), r.status, r.out)
	}
	return r
}

// settled fails the test unless a plan of everything is empty.
func (w *world) settled(t *testing.T, args ...string) {
	t.Helper()
	r := w.pigsty(t, append([]string{"plan", "--detailed-exitcode"}, args...)...)
	if r.status != 0 || !strings.Contains(r.out, "nothing to do") {
		t.Fatalf("the plan is not empty (status %d):\n%s", r.status, r.out)
	}
}

// on runs a shell command on the host with last byte n and returns its output. It
// comes in by the console: a login by SSH costs more than most commands.
func (w *world) on(t *testing.T, n byte, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	out, err := w.box.Console(ctx, w.addr(n), "sh", "-c", script)
	if err != nil {
		t.Fatalf("on %s: %s: %v", w.addr(n), script, err)
	}
	return strings.TrimSpace(string(out))
}

// sql connects to PostgreSQL through the given port of host n.
func (w *world) sql(ctx context.Context, n byte, port int, user, password, db string, options ...string) (*pgx.Conn, error) {
	c, err := pgx.ParseConfig(fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=%s connect_timeout=15 %s",
		w.addr(n), port, user, password, db, strings.Join(options, " ")))
	if err != nil {
		return nil, err
	}
	c.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	return pgx.ConnectConfig(ctx, c)
}

// query returns the one value that a statement on the server of host n gives its superuser.
func (w *world) query(t *testing.T, n byte, db, statement string) string {
	t.Helper()
	return w.on(t, n, fmt.Sprintf("cd /tmp; sudo -u postgres psql -qAtX -d %s <<'END'\n%s\nEND", db, statement))
}

// eventually tries until check returns nil or the deadline passes.
func eventually(t *testing.T, deadline time.Duration, what string, check func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(deadline); time.Now().Before(end); time.Sleep(300 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatalf("%s: not within %s: %v", what, deadline, err)
}
