package postgres

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pigsty/internal/resource"
)

// live is the server that the tests use, or why there is none.
var live struct {
	server Server
	uid    int
	data   string
	why    string
}

// TestMain starts a private server from the newest binaries under
// /usr/lib/postgresql. PIGSTY_TEST_POSTGRES=dir:port names a running one instead,
// which the tests fill with objects.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		stop := start()
		defer stop()
		return m.Run()
	}())
}

func start() (stop func()) {
	stop = func() {}
	if where := os.Getenv("PIGSTY_TEST_POSTGRES"); where != "" {
		dir, port, _ := strings.Cut(where, ":")
		n, _ := strconv.Atoi(port)
		live.server = Server{Socket: dir, Port: n}
		info, err := os.Stat(filepath.Join(dir, ".s.PGSQL."+port))
		if err != nil {
			live.why = err.Error()
			return stop
		}
		live.uid = int(info.Sys().(*syscall.Stat_t).Uid)
		return stop
	}
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(bins) == 0 {
		live.why = "no PostgreSQL under /usr/lib/postgresql"
		return stop
	}
	bin := filepath.Dir(bins[len(bins)-1])
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		live.why = err.Error()
		return stop
	}
	auth, as := "trust", (*syscall.Credential)(nil)
	live.uid = os.Getuid()
	if live.uid == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			live.why = "initdb refuses to run as root, and there is no user postgres"
			return stop
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		auth, as, live.uid = "peer", &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, uid
		_ = os.Chown(dir, uid, gid)
	}
	run := func(name string, args ...string) error {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Credential: as}
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", name, err, out)
		}
		return nil
	}
	live.data = filepath.Join(dir, "data")
	err = run("initdb", "-D", live.data, "-U", "postgres", "-A", auth, "-E", "UTF8", "--locale=C", "-N")
	if err == nil {
		err = run("pg_ctl", "-D", live.data, "-w", "-l", filepath.Join(dir, "log"), "-o",
			"-F -c listen_addresses= -c port=5499 -c unix_socket_directories="+dir+" -c log_statement=all", "start")
	}
	if err != nil {
		live.why = err.Error()
		return stop
	}
	live.server = Server{Socket: dir, Port: 5499}
	return func() {
		_ = run("pg_ctl", "-D", live.data, "-m", "immediate", "stop")
		_ = os.RemoveAll(dir)
	}
}

// accounts knows the user that the test server runs as.
type accounts struct {
	resource.Accounts
	self bool // the user is who runs the tests
}

func (a accounts) User(name string) (resource.Account, bool, error) {
	if a.self {
		return resource.Account{Name: name, UID: os.Getuid(), Group: name}, true, nil
	}
	return resource.Account{Name: name, UID: live.uid, Group: name}, name == "postgres", nil
}

func (accounts) Group(string) (int, bool, error) { return live.uid, true, nil }

// files is the machine's file system, to read.
type files struct{ resource.Files }

func (files) Read(path string) ([]byte, error) { return os.ReadFile(path) }

func (files) Stat(path string) (resource.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return resource.FileInfo{}, err
	}
	return resource.FileInfo{MTime: info.ModTime()}, nil
}

// commands runs programs for real, in place of psql's usual search.
type commands struct{ resource.Commands }

func (commands) Run(ctx context.Context, c resource.Command) ([]byte, error) {
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Stdin = bytes.NewReader(c.Stdin)
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(live.uid), Gid: uint32(live.uid)}}
	}
	cmd.Dir = c.Dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = &resource.CommandError{Args: c.Args, Output: string(out), Err: err}
	}
	return out, err
}

// host returns a host with the live server, skipping the test if there is none.
func host(t *testing.T) *resource.Host {
	t.Helper()
	if live.why != "" {
		t.Skip(live.why)
	}
	h := &resource.Host{Accounts: accounts{}, Files: files{}, Commands: commands{}, Manifest: &resource.Manifest{}}
	t.Cleanup(h.Close)
	return h
}

// sql runs statements as the superuser and returns the first column of the last's rows.
func sql(t *testing.T, h *resource.Host, db string, statements ...string) []string {
	t.Helper()
	p := live.server.pass(h)
	conn, err := p.connect(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer closeConn(conn)
	var out []string
	for _, s := range statements {
		results, err := conn.PgConn().Exec(t.Context(), s).ReadAll()
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		out = nil
		for _, row := range results[len(results)-1].Rows {
			out = append(out, string(row[0]))
		}
	}
	p.forget()
	return out
}

// shown renders what a plan says of c, one line per attribute.
func shown(c resource.Change) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s) impact %s", c.Action, c.Reason, c.Impact)
	if c.Unknown != "" {
		fmt.Fprintf(&b, " unknown %s", c.Unknown)
	}
	if c.Skipped != "" {
		fmt.Fprintf(&b, " skipped %s", c.Skipped)
	}
	if c.Note != "" {
		fmt.Fprintf(&b, " note %s", c.Note)
	}
	for _, a := range c.Attrs {
		fmt.Fprintf(&b, "\n%s: %q → %q", a.Name, a.Old, a.New)
	}
	return b.String()
}

// reach checks what the plan for r says, applies it, and checks that nothing is left to do.
func reach(t *testing.T, h *resource.Host, r resource.Resource, want string) {
	t.Helper()
	c, err := r.Diff(t.Context(), h)
	if err != nil {
		t.Fatalf("%s: diff: %v", r.Key(), err)
	}
	if got := strings.TrimSpace(shown(c)); got != strings.TrimSpace(want) {
		t.Errorf("%s: plan\n%s\nwant\n%s", r.Key(), got, strings.TrimSpace(want))
	}
	if c.Empty() {
		return
	}
	if err := r.Apply(t.Context(), h); err != nil {
		t.Fatalf("%s: apply: %v", r.Key(), err)
	}
	settled(t, h, r)
}

// settled checks that r has nothing to do.
func settled(t *testing.T, h *resource.Host, r resource.Resource) {
	t.Helper()
	c, err := r.Diff(t.Context(), h)
	if err != nil {
		t.Fatalf("%s: diff after apply: %v", r.Key(), err)
	}
	if !c.Empty() {
		t.Errorf("%s: still to do after apply: %s", r.Key(), shown(c))
	}
}

// fails checks the error of r's diff.
func fails(t *testing.T, h *resource.Host, r resource.Resource, want string) {
	t.Helper()
	if c, err := r.Diff(t.Context(), h); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: %s, error %v; want one with %q", r.Key(), shown(c), err, want)
	}
}

func serverVersion(t *testing.T, h *resource.Host) int {
	t.Helper()
	n, err := strconv.Atoi(sql(t, h, "postgres", "SHOW server_version_num")[0])
	if err != nil {
		t.Fatal(err)
	}
	return n / 10000
}

// TestPeer connects as another user than the process, many times at once, and
// checks that no thread stays that user.
func TestPeer(t *testing.T) {
	h := host(t)
	if os.Getuid() != 0 {
		t.Skip("needs root to become another user")
	}
	p := live.server.pass(h)
	done := make(chan error)
	const n = 40
	for range n {
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			conn, err := p.connect(ctx, "postgres")
			if err == nil {
				closeConn(conn)
			}
			done <- err
		}()
	}
	for range n {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	tasks, _ := filepath.Glob("/proc/self/task/*/status")
	for _, task := range tasks {
		status, err := os.ReadFile(task)
		if err != nil {
			continue // it ended
		}
		for _, line := range strings.Split(string(status), "\n") {
			if f := strings.Fields(line); len(f) == 5 && (f[0] == "Uid:" || f[0] == "Gid:") && slices.ContainsFunc(f[1:], func(s string) bool { return s != "0" }) {
				t.Errorf("%s: %s", task, line)
			}
		}
	}
}

func TestUnreachable(t *testing.T) {
	h := &resource.Host{Accounts: accounts{self: true}, Files: files{}}
	dir := t.TempDir()
	nobody := Server{Socket: dir, Port: 1}
	for _, r := range []resource.Resource{
		Role{Server: nobody, Name: "x"}, Database{Server: nobody, Name: "x"}, Schema{Server: nobody, DB: "x", Name: "y"},
		Reload{Server: nobody, Name: "x"}, SettingsDrift{Server: nobody}, Baseline{Server: nobody, DB: "x"},
		ReplicationGrants{Server: nobody, Role: "x"},
	} {
		if c, err := r.Diff(t.Context(), h); err != nil || c.Unknown != notRunning {
			t.Errorf("%s: %s, %v", r.Key(), shown(c), err)
		}
	}
	// A socket file without a server behind it.
	l, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.1"))
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	if c, err := (Role{Server: nobody, Name: "x"}).Diff(t.Context(), h); err != nil || c.Unknown != notRunning {
		t.Errorf("dead socket: %s, %v", shown(c), err)
	}
}
