package transport

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"
)

// server is an SSH server on loopback that runs commands with /bin/sh.
type server struct {
	t        *testing.T
	listener net.Listener
	config   *ssh.ServerConfig
	accepts  ssh.PublicKey
	password string
	profile  string      // shell code that runs before every command
	env      []string    // added to the command's environment
	ignore   atomic.Bool // answers no more requests, as a host that hangs

	mu       sync.Mutex
	commands []string
	tunnels  int
	offered  []string // key fingerprints, in order
	conns    []net.Conn
}

func newServer(t *testing.T, accepts ssh.PublicKey, hostKey ssh.Signer) *server {
	t.Helper()
	s := &server{t: t, accepts: accepts}
	s.config = &ssh.ServerConfig{
		MaxAuthTries: 20,
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			s.mu.Lock()
			s.offered = append(s.offered, ssh.FingerprintSHA256(key))
			s.mu.Unlock()
			if s.accepts != nil && string(key.Marshal()) == string(s.accepts.Marshal()) {
				return nil, nil
			}
			return nil, errors.New("no")
		},
		PasswordCallback: func(_ ssh.ConnMetadata, p []byte) (*ssh.Permissions, error) {
			if s.password != "" && string(p) == s.password {
				return nil, nil
			}
			return nil, errors.New("no")
		},
	}
	s.config.AddHostKey(hostKey)
	var err error
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.listener.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, c := range s.conns {
			c.Close()
		}
	})
	go func() {
		for {
			c, err := s.listener.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, c)
			s.mu.Unlock()
			go s.serve(c)
		}
	}()
	return s
}

func (s *server) port() int { return s.listener.Addr().(*net.TCPAddr).Port }

func (s *server) target() Target {
	return Target{Name: "host", Address: "127.0.0.1", Port: s.port(), User: "dba"}
}

func (s *server) ran() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.commands...)
}

// change changes the server's fields between connections.
func (s *server) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *server) serve(c net.Conn) {
	s.change(func() {}) // sees what was changed before
	_, channels, requests, err := ssh.NewServerConn(c, s.config)
	if err != nil {
		return
	}
	go func() {
		for r := range requests {
			if !s.ignore.Load() && r.WantReply {
				_ = r.Reply(false, nil)
			}
		}
	}()
	for n := range channels {
		switch n.ChannelType() {
		case "session":
			if ch, reqs, err := n.Accept(); err == nil {
				go s.session(ch, reqs)
			}
		case "direct-tcpip":
			s.mu.Lock()
			s.tunnels++
			s.mu.Unlock()
			go tunnel(n)
		}
	}
}

func tunnel(n ssh.NewChannel) {
	var to struct {
		Host string
		Port uint32
		From string
		At   uint32
	}
	_ = ssh.Unmarshal(n.ExtraData(), &to)
	out, err := net.Dial("tcp", net.JoinHostPort(to.Host, strconv.Itoa(int(to.Port))))
	if err != nil {
		_ = n.Reject(ssh.ConnectionFailed, "Connection refused")
		return
	}
	ch, reqs, _ := n.Accept()
	go ssh.DiscardRequests(reqs)
	go func() { _, _ = io.Copy(out, ch); out.Close() }()
	_, _ = io.Copy(ch, out)
	ch.Close()
}

func (s *server) session(ch ssh.Channel, reqs <-chan *ssh.Request) {
	for r := range reqs {
		if r.Type != "exec" {
			_ = r.Reply(false, nil)
			continue
		}
		var line struct{ Command string }
		_ = ssh.Unmarshal(r.Payload, &line)
		s.mu.Lock()
		s.commands = append(s.commands, line.Command)
		s.mu.Unlock()
		_ = r.Reply(true, nil)
		cmd := exec.Command("/bin/sh", "-c", s.profile+line.Command)
		cmd.Env = append(os.Environ(), s.env...)
		in, _ := cmd.StdinPipe()
		cmd.Stdout, cmd.Stderr = ch, ch.Stderr()
		if err := cmd.Start(); err != nil {
			s.t.Error(err)
			return
		}
		go func() { _, _ = io.Copy(in, ch); in.Close() }()
		go func() {
			_ = cmd.Wait()
			status := uint32(cmd.ProcessState.ExitCode())
			_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
			ch.Close()
		}()
	}
}

// newKey returns a fresh Ed25519 key.
func newKey(t *testing.T) (ssh.Signer, ed25519.PrivateKey) {
	t.Helper()
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	return signer, priv
}

// world is a user's home with a key, and what the Dialer logs.
type world struct {
	home   string
	key    ssh.Signer
	server *server
	dialer *Dialer

	mu  sync.Mutex
	log []string
}

// newWorld makes a home, a server that accepts its default key, and a Dialer
// whose agent is a shell script.
func newWorld(t *testing.T, opts Options) *world {
	t.Helper()
	w := &world{home: t.TempDir()}
	t.Setenv("HOME", w.home)
	t.Setenv("SSH_AUTH_SOCK", "")
	key, priv := newKey(t)
	w.key = key
	writeKey(t, filepath.Join(w.home, ".ssh/id_ed25519"), priv, "")
	hostKey, _ := newKey(t)
	w.server = newServer(t, key.PublicKey(), hostKey)
	if opts.Binary == "" {
		opts.Binary = writeFile(t, filepath.Join(w.home, "pigsty"), "#!/bin/sh\necho \"hello from $1\"\nexec cat\n", 0o755)
	}
	opts.Log = func(host, line string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.log = append(w.log, host+": "+line)
	}
	if opts.ConfigFile == "" {
		opts.ConfigFile = writeFile(t, filepath.Join(w.home, ".ssh/config"), "# empty\n", 0o600)
	}
	w.dialer = w.newDialer(t, opts)
	return w
}

func (w *world) newDialer(t *testing.T, opts Options) *Dialer {
	d := New(opts)
	d.agentDir = filepath.Join(w.home, "var/pigsty/agent")
	t.Cleanup(d.Close)
	return d
}

func (w *world) logged(part string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, l := range w.log {
		n += strings.Count(l, part)
	}
	return n
}

func (w *world) start(t *testing.T, target Target) *Session {
	t.Helper()
	s, err := w.dialer.Start(t.Context(), target)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// talk checks that the agent at the other end of s answers.
func talk(t *testing.T, s *Session) {
	t.Helper()
	if _, err := io.WriteString(s, "over\n"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len("hello from agent\nover\n"))
	if _, err := io.ReadFull(s, got); err != nil || string(got) != "hello from agent\nover\n" {
		t.Fatalf("the agent said %q, %v; stderr %q", got, err, s.Stderr())
	}
}

// refused starts target, which must fail in stage with all parts in the error's
// text and advice.
func (w *world) refused(t *testing.T, target Target, stage string, parts ...string) *Error {
	t.Helper()
	s, err := w.dialer.Start(t.Context(), target)
	if err == nil {
		s.Close()
		t.Fatalf("Start succeeded, want a failure in stage %q", stage)
	}
	var e *Error
	if !errors.As(err, &e) || e.Stage != stage || e.Host != target.Name {
		t.Fatalf("Start: %#v (%v), want stage %q of %s", err, err, stage, target.Name)
	}
	for _, p := range parts {
		if !strings.Contains(e.Error()+"\n"+e.Advice, p) {
			t.Errorf("error lacks %q:\n%s\nadvice: %s", p, e, e.Advice)
		}
	}
	return e
}

func writeFile(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func writeKey(t *testing.T, path string, key ed25519.PrivateKey, passphrase string) {
	t.Helper()
	var block *pem.Block
	var err error
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(key, "")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, string(pem.EncodeToMemory(block)), 0o600)
}

func portConfig(host string, s *server, more string) string {
	return fmt.Sprintf("Host %s\n  HostName 127.0.0.1\n  Port %d\n  User dba\n%s\n", host, s.port(), more)
}

func mustLook(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
