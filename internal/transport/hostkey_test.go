package transport

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"pigsty/internal/secret"
)

func knownLineFor(s *server, key ssh.PublicKey) string {
	return knownhosts.Line([]string{fmt.Sprintf("127.0.0.1:%d", s.port())}, key) + "\n"
}

func TestHostKeyRecordedThenRefusedWhenChanged(t *testing.T) {
	w := newWorld(t, Options{})
	known := writeFile(t, filepath.Join(w.home, ".ssh/known_hosts"), "# mine\n\nnonsense line\nother ssh-dss AAAA", 0o600)
	target := w.server.target()
	run := func() error {
		_, err := w.dialer.Run(t.Context(), target, []string{"true"}, nil)
		return err
	}
	for range 2 {
		if err := run(); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.logged("new host key recorded: ed25519 SHA256:"); n != 1 {
		t.Errorf("logged %d times: %q", n, w.log)
	}
	text, _ := os.ReadFile(known)
	if !strings.HasPrefix(string(text), "# mine\n\nnonsense line\nother ssh-dss AAAA\n[127.0.0.1]:") {
		t.Errorf("known_hosts:\n%s", text)
	}

	other, _ := newKey(t)
	changed := newServer(t, w.key.PublicKey(), other)
	lines := "# one\n" + strings.Replace(knownLineFor(w.server, other.PublicKey()), fmt.Sprint(w.server.port()), "1", 1)
	own, _ := newKey(t)
	lines += knownLineFor(changed, own.PublicKey())
	writeFile(t, known, lines, 0o600)
	w.dialer = w.newDialer(t, w.dialer.opts)
	w.refused(t, changed.target(), StageHostKey, known+":3", ssh.FingerprintSHA256(own.PublicKey()),
		ssh.FingerprintSHA256(other.PublicKey()), "refused", "ssh-keygen", fmt.Sprintf("-R '[127.0.0.1]:%d'", changed.port()))
	if len(changed.offered) > 0 {
		t.Error("a key was offered to a host that is not the known one")
	}

	// Switched off by the user's own word: connects, but sends no password.
	loose := changed.target()
	loose.CommonArgs = "-o StrictHostKeyChecking=no"
	if _, err := w.dialer.Run(t.Context(), loose, []string{"true"}, nil); err != nil {
		t.Fatal(err)
	}
	changed.change(func() { changed.accepts, changed.password = nil, "sesame" })
	loose.Password = secret.New("sesame")
	w.refused(t, loose, StageAuthenticate, "not accepted")
}

func TestHostKeyPolicies(t *testing.T) {
	w := newWorld(t, Options{HostKeyPolicy: PolicyStrict})
	w.refused(t, w.server.target(), StageHostKey, "not known", "ssh-keyscan -p", "SHA256:")
	if _, err := os.Stat(filepath.Join(w.home, ".ssh/known_hosts")); err == nil {
		t.Error("strict recorded the key")
	}
}

// A host that has keys of several kinds must show the one that is known.
func TestHostKeyAlgorithmOfTheKnownKey(t *testing.T) {
	w := newWorld(t, Options{HostKeyPolicy: PolicyStrict})
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	second, _ := ssh.NewSignerFromKey(priv)
	w.server.change(func() { w.server.config.AddHostKey(second) })
	for name, line := range map[string]string{
		"plain":  knownLineFor(w.server, second.PublicKey()),
		"hashed": knownhosts.HashHostname(knownName("127.0.0.1", w.server.port())) + strings.TrimPrefix(knownLineFor(w.server, second.PublicKey()), knownName("127.0.0.1", w.server.port())),
		"any":    "*" + strings.TrimPrefix(knownLineFor(w.server, second.PublicKey()), knownName("127.0.0.1", w.server.port())),
	} {
		t.Run(name, func(t *testing.T) {
			known := writeFile(t, filepath.Join(t.TempDir(), "known"), line, 0o600)
			d := w.newDialer(t, Options{ConfigFile: w.dialer.opts.ConfigFile, KnownHosts: []string{known}, HostKeyPolicy: PolicyStrict, Binary: w.dialer.opts.Binary})
			if _, err := d.Run(t.Context(), w.server.target(), []string{"true"}, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestHostCertificateAndRevokedKey(t *testing.T) {
	w := newWorld(t, Options{})
	authority, _ := newKey(t)
	hostKey, _ := newKey(t)
	cert := &ssh.Certificate{Key: hostKey.PublicKey(), CertType: ssh.HostCert, ValidPrincipals: []string{"127.0.0.1"}, ValidBefore: ssh.CertTimeInfinity}
	if err := cert.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	certified, _ := ssh.NewCertSigner(cert, hostKey)
	s := newServer(t, w.key.PublicKey(), hostKey)
	s.change(func() { s.config.AddHostKey(certified) })
	known := writeFile(t, filepath.Join(w.home, ".ssh/known_hosts"), "@cert-authority * "+string(ssh.MarshalAuthorizedKey(authority.PublicKey())), 0o600)
	if _, err := w.dialer.Run(t.Context(), s.target(), []string{"true"}, nil); err != nil || w.logged("new host key") > 0 {
		t.Errorf("a host certified by the known authority: %v, %q", err, w.log)
	}
	writeFile(t, known, "@revoked * "+string(ssh.MarshalAuthorizedKey(hostKey.PublicKey())), 0o600)
	w.dialer = w.newDialer(t, w.dialer.opts)
	w.refused(t, s.target(), StageHostKey, "revoked")
}

func TestWildcard(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "", true}, {"10.0.0.?", "10.0.0.1", true}, {"10.0.0.?", "10.0.0.12", false},
		{"*.example.com", "a.b.example.com", true}, {"a*b*c", "aXbYbZc", true}, {"a*b", "aXc", false},
		{"", "x", false}, {"[10.0.0.1]:2222", "[10.0.0.1]:2222", true},
	} {
		if got := wildcard(c.pattern, c.name); got != c.want {
			t.Errorf("wildcard(%q, %q) = %v", c.pattern, c.name, got)
		}
	}
}
