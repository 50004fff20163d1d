package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"pigsty/internal/resource"
)

// searchPath is where programs are looked for. /usr/pgsql is where the chosen
// major version of PostgreSQL is linked.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/pgsql/bin"

// keptOutput is how much of a failed program's output an error carries, in bytes.
const keptOutput = 4 << 10

// grace is how long a program may take to end after it was asked to.
const grace = 5 * time.Second

// notInstalled is why an absent program did not run.
type notInstalled struct{}

func (notInstalled) Error() string { return "not installed on this host" }
func (notInstalled) Unwrap() error { return exec.ErrNotFound }

// commands runs programs.
type commands struct{ names *names }

var _ resource.Commands = (*commands)(nil)

// Look implements resource.Commands.
func (c *commands) Look(name string) (string, bool) {
	if strings.Contains(name, "/") {
		return name, executable(name)
	}
	for _, dir := range strings.Split(searchPath, ":") {
		if p := dir + "/" + name; executable(p) {
			return p, true
		}
	}
	return "", false
}

func executable(p string) bool {
	info, err := os.Stat(p)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// Run implements resource.Commands.
func (c *commands) Run(ctx context.Context, cmd resource.Command) ([]byte, error) {
	return c.run(ctx, cmd, nil)
}

// run is Run, with each line of output given to line, if that is not nil, as it comes.
func (c *commands) run(ctx context.Context, cmd resource.Command, line func(string)) ([]byte, error) {
	fail := func(err error) error { return &resource.CommandError{Args: cmd.Args, Code: -1, Err: err} }
	if len(cmd.Args) == 0 {
		return nil, errors.New("no program to run")
	}
	program, ok := c.Look(cmd.Args[0])
	if !ok {
		return nil, fail(notInstalled{})
	}
	var stdout bytes.Buffer
	all := &tail{line: line}
	x := exec.Command(program, cmd.Args[1:]...)
	x.Env = append([]string{"PATH=" + searchPath, "LC_ALL=C", "HOME=/root", "USER=root"}, cmd.Env...)
	x.Dir = "/"
	if cmd.Dir != "" {
		x.Dir = cmd.Dir
	}
	x.Stdin = bytes.NewReader(cmd.Stdin)
	x.Stdout, x.Stderr = io.MultiWriter(&stdout, all), all
	x.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	x.WaitDelay = grace // a daemon that the program left behind may hold its output open
	if cmd.User != "" && cmd.User != "root" {
		credential, home, err := c.credential(cmd.User)
		if err != nil {
			return nil, fail(err)
		}
		x.SysProcAttr.Credential = credential
		x.Env = append(x.Env, "HOME="+home, "USER="+cmd.User, "LOGNAME="+cmd.User)
	}
	if err := ctx.Err(); err != nil {
		return nil, fail(err)
	}
	if err := x.Start(); err != nil {
		return nil, fail(err)
	}
	stop := context.AfterFunc(ctx, func() { // the program with all its children
		_ = syscall.Kill(-x.Process.Pid, syscall.SIGTERM)
		time.AfterFunc(grace, func() { _ = syscall.Kill(-x.Process.Pid, syscall.SIGKILL) })
	})
	err := x.Wait()
	stop()
	all.flush()
	if err == nil || errors.Is(err, exec.ErrWaitDelay) {
		return stdout.Bytes(), nil
	}
	e := &resource.CommandError{Args: cmd.Args, Code: x.ProcessState.ExitCode(), Output: all.String(), Err: err}
	if cause := context.Cause(ctx); cause != nil {
		e.Code, e.Err = -1, cause
	}
	return stdout.Bytes(), e
}

// credential is that of a user of the host, with all the user's groups.
func (c *commands) credential(name string) (*syscall.Credential, string, error) {
	c.names.mu.Lock()
	defer c.names.mu.Unlock()
	if err := c.names.refresh(); err != nil {
		return nil, "", err
	}
	u, ok := c.names.users[name]
	if !ok {
		return nil, "", fmt.Errorf("user %s does not exist on this host", name)
	}
	cred := &syscall.Credential{Uid: uint32(u.uid), Gid: uint32(u.gid), Groups: []uint32{uint32(u.gid)}}
	for _, g := range c.names.groups {
		for _, m := range g.members {
			if m == name {
				cred.Groups = append(cred.Groups, uint32(g.gid))
			}
		}
	}
	return cred, u.home, nil
}

// tail keeps the end of what is written to it.
type tail struct {
	line func(string)

	mu   sync.Mutex
	kept []byte
	part []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if len(t.kept) > 2*keptOutput {
		t.kept = append([]byte{}, t.kept[len(t.kept)-keptOutput:]...)
	}
	if t.line == nil {
		return len(p), nil
	}
	t.part = append(t.part, p...)
	for {
		i := bytes.IndexAny(t.part, "\r\n")
		if i < 0 {
			return len(p), nil
		}
		if s := strings.TrimSpace(string(t.part[:i])); s != "" {
			t.line(s)
		}
		t.part = t.part[i+1:]
	}
}

func (t *tail) flush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := strings.TrimSpace(string(t.part)); s != "" && t.line != nil {
		t.line(s)
	}
	t.part = nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := t.kept[max(0, len(t.kept)-keptOutput):]
	return strings.TrimSpace(strings.ToValidUTF8(string(text), "?"))
}
