package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pigsty/internal/secret"
)

func no() *bool { b := false; return &b }

func TestPushOnceThenNotAgain(t *testing.T) {
	w := newWorld(t, Options{})
	target := w.server.target()
	target.Become = no()
	first := w.start(t, target)
	talk(t, first)
	if first.PushedBytes() == 0 {
		t.Error("the first start pushed nothing")
	}
	second := w.start(t, target)
	talk(t, second)
	if second.PushedBytes() != 0 {
		t.Error("the second start pushed again")
	}
	if n := len(w.server.ran()); n != 2 {
		t.Errorf("%d commands, want one per start: %q", n, w.server.ran())
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := first.Wait(); err != nil {
		t.Errorf("after Close the agent ended with %v", err)
	}
}

func TestPushKeepsNewestTwo(t *testing.T) {
	w := newWorld(t, Options{})
	dir := filepath.Join(w.home, "var/pigsty/agent")
	for i, name := range []string{"aaa", "bbb", "ccc"} {
		path := writeFile(t, filepath.Join(dir, name), "old", 0o755)
		when := time.Now().Add(time.Duration(i-10) * time.Hour)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	target := w.server.target()
	target.Become = no()
	talk(t, w.start(t, target))
	own, _ := w.dialer.binary.own()
	entries, _ := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if len(names) != 2 || !strings.Contains(strings.Join(names, " "), own.hash) || !strings.Contains(strings.Join(names, " "), "ccc") {
		t.Errorf("left: %v", names)
	}
}

func TestPushDistrustsWhatOthersCanWrite(t *testing.T) {
	w := newWorld(t, Options{})
	target := w.server.target()
	target.Become = no()
	own, err := w.dialer.binary.own()
	if err != nil {
		t.Fatal(err)
	}
	evil := "#!/bin/sh\n" + strings.Repeat("#", int(own.size)-10)
	file := writeFile(t, filepath.Join(w.dialer.agentDir, own.hash), evil, 0o777)
	if s := w.start(t, target); s.PushedBytes() == 0 {
		t.Error("ran a file that others can write")
	}
	if got, _ := os.ReadFile(file); string(got) == evil {
		t.Error("the file was not replaced")
	}
	if err := os.Chmod(w.dialer.agentDir, 0o777); err != nil {
		t.Fatal(err)
	}
	w.refused(t, target, StagePush, w.dialer.agentDir, "can be written by others", "chmod 0755")
}

func TestNoisyProfile(t *testing.T) {
	for name, profile := range map[string]string{
		"lines":           "echo welcome; echo 'pigsty-XYZ start'; ",
		"no line end":     "printf 'welcome to this host'; ",
		"a lot of text":   "head -c 300000 /dev/zero | tr '\\0' x; ",
		"mark cut by 64k": "head -c 65526 /dev/zero | tr '\\0' x; ",
		"stderr as well":  "echo oops >&2; ",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Options{})
			w.server.change(func() { w.server.profile = profile })
			target := w.server.target()
			target.Become = no()
			talk(t, w.start(t, target))
		})
	}
}

func TestManyHostsShareWhatTheyCan(t *testing.T) {
	w := newWorld(t, Options{})
	target := w.server.target()
	target.Become = no()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			s, err := w.dialer.Start(t.Context(), target)
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			talk(t, s)
		})
	}
	wg.Wait()
	if n := w.logged("new host key"); n != 1 {
		t.Errorf("first contact logged %d times", n)
	}
}

func TestOtherArchitecture(t *testing.T) {
	w := newWorld(t, Options{})
	own, _ := w.dialer.binary.own()
	own.arch = "s390x"
	target := w.server.target()
	target.Become = no()
	w.refused(t, target, StagePush, "the host is ", "pigsty-linux-")
	machine := map[string]string{"x86_64": "amd64", "aarch64": "arm64"}
	out, err := w.dialer.Run(t.Context(), target, []string{"uname", "-m"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, own.path+"-linux-"+machine[strings.TrimSpace(string(out))], "#!/bin/sh\necho \"hello from $1\"; cat\n", 0o755)
	talk(t, w.start(t, target))
}

const fakeSudo = `#!/bin/sh
while [ $# -gt 0 ]; do case $1 in -n) n=1;; -S) s=1;; -H) ;; -u) shift;; -p) shift; p=$1;; --) shift; break;; esac; shift; done
[ -n "$FREE" ] && exec "$@"
if [ -n "$n" ]; then echo "sudo: a password is required" >&2; exit 1; fi
for i in 1 2 3; do
  printf '%s' "$p" >&2
  read -r word || { echo "sudo: no password was provided" >&2; exit 1; }
  [ "$word" = "let me in" ] && exec "$@"
  echo "Sorry, try again." >&2
done
exit 1
`

func TestSudo(t *testing.T) {
	w := newWorld(t, Options{})
	bin := filepath.Join(w.home, "bin")
	writeFile(t, filepath.Join(bin, "sudo"), fakeSudo, 0o755)
	w.server.change(func() { w.server.env = []string{"PATH=" + bin + ":" + os.Getenv("PATH")} })
	target := w.server.target()
	target.BecomeUser = "another" // these tests may run as root, which needs no sudo

	w.refused(t, target, StageSudo, "needs a password", "ansible_become_password")
	target.BecomePassword = secret.New("wrong word")
	e := w.refused(t, target, StageSudo, "does not accept the password", "ansible_become_password")
	if strings.Contains(e.Error(), "wrong word") {
		t.Error("the password shows in the error")
	}
	target.BecomePassword = secret.New("let me in")
	s := w.start(t, target)
	talk(t, s)
	if s.PushedBytes() == 0 {
		t.Error("nothing pushed")
	}
	w.server.change(func() { w.server.env = append(w.server.env, "FREE=1") }) // sudo that does not ask must not be answered
	talk(t, w.start(t, target))
	target.BecomePassword = secret.Value{}
	talk(t, w.start(t, target))
	for _, c := range w.server.ran() {
		if strings.Contains(c, "let me in") {
			t.Error("the password is in a command line")
		}
	}
	w.server.change(func() { w.server.env = []string{"PATH=/nonexistent:" + filepath.Dir(mustLook(t, "id"))} })
	if _, err := os.Stat(filepath.Join(filepath.Dir(mustLook(t, "id")), "sudo")); err != nil {
		w.refused(t, target, StageSudo, "the host has no sudo")
	}
}

func TestLocal(t *testing.T) {
	w := newWorld(t, Options{})
	s := w.start(t, Target{Name: "here", Connection: "local", Become: no()})
	talk(t, s)
	s.Close()
	if err := s.Wait(); err != nil {
		t.Error(err)
	}
	out, err := w.dialer.Run(t.Context(), Target{Name: "here", Connection: "local"}, []string{"cat"}, strings.NewReader("text"))
	if err != nil || string(out) != "text" {
		t.Errorf("Run: %q, %v", out, err)
	}
}

func TestRun(t *testing.T) {
	w := newWorld(t, Options{})
	odd := []string{"printf", "%s|", "a b", "it's", `$HOME "x" \n`, "", "new\nline", "!!"}
	out, err := w.dialer.Run(t.Context(), w.server.target(), odd, nil)
	if want := `a b|it's|$HOME "x" \n||new` + "\nline|!!|"; err != nil || string(out) != want {
		t.Errorf("got %q, %v", out, err)
	}
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<17)
	out, err = w.dialer.Run(t.Context(), w.server.target(), []string{"cat"}, bytes.NewReader(big))
	if err != nil || !bytes.Equal(out, big) {
		t.Errorf("2 MB through cat: %d bytes, %v", len(out), err)
	}
	_, err = w.dialer.Run(t.Context(), w.server.target(), []string{"sh", "-c", "echo broken >&2; exit 3"}, nil)
	if err == nil || !strings.Contains(err.Error(), "broken") || !strings.Contains(err.Error(), "3") {
		t.Errorf("a failing command: %v", err)
	}
}

func TestDeadConnection(t *testing.T) {
	w := newWorld(t, Options{})
	w.dialer.aliveInterval, w.dialer.aliveLimit = 10*time.Millisecond, 2*time.Second
	target := w.server.target()
	target.Become = no()
	s := w.start(t, target)
	talk(t, s)
	heard := &s.conn.wire.heard
	idle := heard.Load()
	for end := time.Now().Add(time.Minute); heard.Load() == idle; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("an idle host is not asked for a sign of life")
		}
	}
	if _, err := io.WriteString(s, "x\n"); err != nil {
		t.Fatalf("an idle connection was dropped: %v", err)
	}
	_, _ = s.Read(make([]byte, 2))
	w.server.ignore.Store(true)
	_, err := s.Read(make([]byte, 1))
	var e *Error
	if !errors.As(err, &e) || e.Stage != StageConnection || !strings.Contains(err.Error(), "no sign of life") {
		t.Errorf("reading from a dead host: %v", err)
	}
	if err := s.Wait(); !errors.As(err, &e) || e.Stage != StageConnection {
		t.Errorf("Wait: %v", err)
	}
}

func TestBrokenConnection(t *testing.T) {
	w := newWorld(t, Options{})
	target := w.server.target()
	target.Become = no()
	s := w.start(t, target)
	talk(t, s)
	w.server.mu.Lock()
	for _, c := range w.server.conns {
		c.Close()
	}
	w.server.mu.Unlock()
	_, err := s.Read(make([]byte, 1))
	var e *Error
	if !errors.As(err, &e) || e.Stage != StageConnection || !strings.Contains(err.Error(), "broke off") {
		t.Errorf("Read: %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	w := newWorld(t, Options{ConnectTimeout: 500 * time.Millisecond})
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, says nothing
	if err != nil {
		t.Fatal(err)
	}
	target := Target{Name: "host", Address: "127.0.0.1", Port: silent.Addr().(*net.TCPAddr).Port}
	w.refused(t, target, StageConnect, "no answer", "500ms")
	silent.Close()
	w.refused(t, target, StageConnect, "refuses connections", "ansible_port")
	w.refused(t, Target{Name: "no-such-host.invalid"}, StageResolve, "no-such-host.invalid", "ansible_host")
	w.refused(t, Target{Name: "x", Connection: "winrm"}, StageResolve, "winrm")
}

// TestStartIsCancelled cancels while the host runs something, and does not wait
// for that to end.
func TestStartIsCancelled(t *testing.T) {
	w := newWorld(t, Options{})
	begun, over := filepath.Join(w.home, "begun"), filepath.Join(w.home, "over")
	w.server.change(func() { w.server.profile = "echo $$ >" + begun + "; sleep 45; echo >" + over + "; " })
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	runs := make(chan int, 1)
	go func() {
		for ; ; time.Sleep(time.Millisecond) {
			var pid int
			if text, _ := os.ReadFile(begun); strings.HasSuffix(string(text), "\n") {
				_, _ = fmt.Sscan(string(text), &pid)
				cancel(enough)
				runs <- pid
				return
			}
		}
	}()
	_, err := w.dialer.Start(ctx, w.server.target())
	if !errors.Is(err, enough) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(over); err == nil {
		t.Error("it waited until the host was done")
	}
	_ = syscall.Kill(<-runs, syscall.SIGKILL)
}

func TestScriptSurvivesAnyLoginShell(t *testing.T) {
	for _, script := range []string{agentScript, localScript, becomeScript} {
		if i := strings.IndexAny(script, "'\\!\n"); i >= 0 {
			t.Errorf("script has %q: %s", script[i], script[max(0, i-30):i+1])
		}
	}
}
