package transport

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"pigsty/internal/secret"
)

func (w *world) runs(t *testing.T, target Target) {
	t.Helper()
	if _, err := w.dialer.Run(t.Context(), target, []string{"true"}, nil); err != nil {
		t.Error(err)
	}
}

func TestNoKeyAccepted(t *testing.T) {
	w := newWorld(t, Options{})
	w.server.change(func() { w.server.accepts, w.server.password = nil, "right" })
	target := w.server.target()
	target.KeyFile = "~/.ssh/missing"
	w.refused(t, target, StageAuthenticate, "user dba is not accepted", "tried: nothing", "missing: open", "no ssh-agent",
		"the host accepts: password, publickey", "no password given (ansible_password)", "authorized_keys")
	target.KeyFile = ""
	target.Password = secret.New("wrong-password")
	e := w.refused(t, target, StageAuthenticate, "key "+w.home+"/.ssh/id_ed25519 (ed25519 SHA256:", "password")
	if strings.Contains(e.Error(), "wrong-password") {
		t.Error("the password shows in the error")
	}
	target.Password = secret.New("right")
	w.runs(t, target)
	os.Chmod(filepath.Join(w.home, ".ssh/id_ed25519"), 0o644)
	w.dialer = w.newDialer(t, w.dialer.opts)
	target.Password = secret.Value{}
	w.refused(t, target, StageAuthenticate, "0644", "chmod 600")
}

func TestPassphraseIsAskedOnceAndDoesNotTimeOut(t *testing.T) {
	var asked atomic.Int32
	w := newWorld(t, Options{
		ConnectTimeout: time.Second,
		AskPassword: func(prompt string) (secret.Value, error) {
			if !strings.Contains(prompt, "/locked") {
				return secret.Value{}, errors.New("unexpected prompt " + prompt)
			}
			if asked.Add(1) == 1 {
				return secret.New("wrong"), nil
			}
			time.Sleep(1500 * time.Millisecond)
			return secret.New("open"), nil
		},
	})
	key, priv := newKey(t)
	w.server.change(func() { w.server.accepts = key.PublicKey() })
	writeKey(t, filepath.Join(w.home, "locked"), priv, "open")
	target := w.server.target()
	target.KeyFile = "~/locked"
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() { w.runs(t, target) })
	}
	wg.Wait()
	if n := asked.Load(); n != 2 {
		t.Errorf("asked %d times, want 2", n)
	}
	w.dialer = w.newDialer(t, Options{ConfigFile: w.dialer.opts.ConfigFile, Binary: w.dialer.opts.Binary})
	w.refused(t, target, StageAuthenticate, "is accepted, but: nobody to ask", "ssh-agent")
}

func TestAgentKeysAndIdentitiesOnly(t *testing.T) {
	w := newWorld(t, Options{})
	key, priv := newKey(t)
	w.server.change(func() { w.server.accepts = key.PublicKey() })
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: priv}); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "agent") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(ring, c) }()
		}
	}()
	target := w.server.target()
	target.CommonArgs = "-o IdentityAgent=" + socket
	w.runs(t, target)

	w.server.change(func() { w.server.offered = nil })
	target.CommonArgs += " -o IdentitiesOnly=yes"
	w.refused(t, target, StageAuthenticate, "not accepted")
	for _, f := range w.server.offered {
		if f == ssh.FingerprintSHA256(key.PublicKey()) {
			t.Error("an agent key was offered despite IdentitiesOnly")
		}
	}
	// The public half on disk selects the key in the agent.
	writeFile(t, filepath.Join(w.home, "only.pub"), string(ssh.MarshalAuthorizedKey(key.PublicKey())), 0o644)
	target.KeyFile = "~/only"
	w.runs(t, target)
}

func TestAcceptedKeyIsOfferedFirstNextTime(t *testing.T) {
	w := newWorld(t, Options{})
	var args string
	for i := range 4 {
		_, priv := newKey(t)
		path := filepath.Join(w.home, fmt.Sprint("key", i))
		writeKey(t, path, priv, "")
		args += " -i " + path
	}
	target := w.server.target()
	target.CommonArgs = args + " -i ~/.ssh/id_ed25519"
	w.runs(t, target)
	w.server.change(func() { w.server.offered = nil })
	w.runs(t, target)
	if want := ssh.FingerprintSHA256(w.key.PublicKey()); len(w.server.offered) == 0 || w.server.offered[0] != want {
		t.Errorf("offered %q, want %s first", w.server.offered, want)
	}
}

func TestUserCertificate(t *testing.T) {
	w := newWorld(t, Options{})
	authority, _ := newKey(t)
	w.server.change(func() { w.server.accepts = nil })
	check := ssh.CertChecker{IsUserAuthority: func(k ssh.PublicKey) bool { return string(k.Marshal()) == string(authority.PublicKey().Marshal()) }}
	w.server.change(func() { w.server.config.PublicKeyCallback = check.Authenticate })
	cert := &ssh.Certificate{Key: w.key.PublicKey(), CertType: ssh.UserCert, ValidPrincipals: []string{"dba"}, ValidBefore: ssh.CertTimeInfinity}
	if err := cert.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(w.home, ".ssh/id_ed25519-cert.pub"), string(ssh.MarshalAuthorizedKey(cert)), 0o644)
	w.runs(t, w.server.target())
}

func TestProxyJump(t *testing.T) {
	w := newWorld(t, Options{})
	hostKey, _ := newKey(t)
	first := newServer(t, w.key.PublicKey(), hostKey)
	second := newServer(t, w.key.PublicKey(), hostKey)
	writeFile(t, w.dialer.opts.ConfigFile,
		portConfig("first", first, "")+portConfig("second", second, "")+portConfig("behind", w.server, "  ProxyJump first,second")+
			"Host 127.0.0.1\n  ProxyJump second\n", 0o600)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() { w.runs(t, Target{Name: "behind"}) })
	}
	wg.Wait()
	if first.tunnels != 1 || second.tunnels != 5 {
		t.Errorf("tunnels: %d through the first hop, %d through the second; want 1 and 5", first.tunnels, second.tunnels)
	}
	if len(first.ran())+len(second.ran()) > 0 {
		t.Error("a command ran on a jump host")
	}
	w.runs(t, w.server.target()) // by the config of its address
	if second.tunnels != 6 {
		t.Error("not through the jump host")
	}
	target := Target{Name: "db", Address: "127.0.0.1", Port: w.server.port(), User: "dba", CommonArgs: fmt.Sprintf("-J dba@127.0.0.1:%d", first.port())}
	second.change(func() { second.tunnels = 0 })
	w.runs(t, target)

	w.refused(t, Target{Name: "db", Address: "127.0.0.1", Port: 1, CommonArgs: "-J second"}, StageConnect, "jump host second cannot reach 127.0.0.1:1")
	second.change(func() { second.accepts = nil })
	w.dialer = w.newDialer(t, w.dialer.opts)
	w.refused(t, Target{Name: "behind"}, StageAuthenticate, "jump host second: user dba is not accepted")
	writeFile(t, w.dialer.opts.ConfigFile, "Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n", 0o600)
	w.dialer = w.newDialer(t, w.dialer.opts)
	w.refused(t, Target{Name: "a"}, StageResolve, "through itself")
}

func TestProxyCommand(t *testing.T) {
	w := newWorld(t, Options{})
	if _, err := os.Stat("/bin/bash"); err != nil {
		t.Skip("needs bash for /dev/tcp")
	}
	writeFile(t, w.dialer.opts.ConfigFile, portConfig("behind", w.server,
		`  ProxyCommand bash -c 'exec 3<>/dev/tcp/%h/%p; cat <&3 & cat >&3'`), 0o600)
	w.runs(t, Target{Name: "behind"})
	w.refused(t, Target{Name: "x", CommonArgs: `-o ProxyCommand="sh -c 'echo no way >&2; exit 1'"`}, StageConnect, "ProxyCommand", "no way")
}
