package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestIssueSSH(t *testing.T) {
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	small, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, signer := range []crypto.Signer{small, curve, edwards} {
		ca := &CA{key: signer}
		line, err := ca.IssueSSH(key.Marshal(), "10.10.10.10", "dba@10.10.10.10")
		if err != nil {
			t.Errorf("%T: %v", signer, err)
			continue
		}
		parsed, _, _, _, err := ssh.ParseAuthorizedKey(line)
		if err != nil {
			t.Fatal(err)
		}
		cert := parsed.(*ssh.Certificate)
		if cert.Signature.Format == ssh.KeyAlgoRSA {
			t.Error("signed with SHA-1")
		}
		checker := ssh.CertChecker{IsUserAuthority: func(k ssh.PublicKey) bool { return true }}
		if err := checker.CheckCert("10.10.10.10", cert); err != nil {
			t.Errorf("%T: %v", signer, err)
		}
		if checker.CheckCert("10.10.10.11", cert) == nil {
			t.Errorf("%T: it vouches for another name", signer)
		}
		if _, err := ca.IssueSSH(cert.Marshal(), "10.10.10.10", "x"); err == nil || !strings.Contains(err.Error(), "a plain key") {
			t.Errorf("a certificate for a certificate: %v", err)
		}
	}
	ca := &CA{key: curve}
	for _, c := range []struct {
		key             []byte
		principal, want string
	}{{[]byte("x"), "a", "public key"}, {key.Marshal(), "", "a principal"}} {
		if _, err := ca.IssueSSH(c.key, c.principal, "x"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q for %q: %v, want %q", c.key, c.principal, err, c.want)
		}
	}
}
