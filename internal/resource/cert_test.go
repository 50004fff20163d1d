package resource_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

// authority is a CA for tests.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pem  []byte
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().Add(time.Hour * 24 * 3650)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{key, cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// signer issues what r asks for, valid for the given time.
func (a *authority) signer(r *resource.Cert, valid time.Duration) func(string, []byte) ([]byte, error) {
	return func(key string, public []byte) ([]byte, error) {
		if key != r.Key() {
			return nil, errors.New("not in the plan: " + key)
		}
		pub, err := x509.ParsePKIXPublicKey(public)
		if err != nil {
			return nil, err
		}
		tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: r.DNSNames, NotAfter: time.Now().Add(valid),
			Subject: pkix.Name{CommonName: r.CommonName, Organization: r.Organization}}
		for _, ip := range r.IPs {
			tmpl.IPAddresses = append(tmpl.IPAddresses, net.ParseIP(ip))
		}
		der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, pub, a.key)
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), err
	}
}

func TestCert(t *testing.T) {
	const day = 24 * time.Hour
	h, ca := resourcetest.New(), newAuthority(t, "ca")
	r := &resource.Cert{CertPath: "/etc/pki/a.crt", KeyPath: "/etc/pki/a.key", CAPath: "/etc/pki/ca.crt", CommonName: "a",
		DNSNames: []string{"a", "b"}, IPs: []string{"10.0.0.1", "::1"}, RenewBefore: 30 * day, CA: ca.pem}
	run(t, h, r, step{"refused", nil, "", "have the CA sign /etc/pki/a.crt: no CA here"})
	if _, err := h.Disk.Stat(r.KeyPath); err == nil {
		t.Error("a key was written without a certificate")
	}
	h.Master.Signer = ca.signer(r, 365*day)
	run(t, h, r, step{"first", nil, "create: the private key does not exist\nkey:  → ******\ncertificate:  → a", ""}, step{"again", nil, "", ""})
	key := h.Disk.Text(r.KeyPath)
	info, _ := h.Disk.Stat(r.KeyPath)
	expect(t, "key mode", info.Mode.Perm(), 0o600)

	r.DNSNames = []string{"b", "a", "c"}
	run(t, h, r, step{"names", nil, "change: DNS names differ\nDNS names: a, b → a, b, c", ""})
	r.DNSNames, r.IPs = []string{"c", "b", "a"}, []string{"0:0::1", "10.0.0.1"}
	run(t, h, r, step{"order and spelling", nil, "", ""})
	r.CommonName, r.Organization = "z", []string{"pigsty"}
	run(t, h, r, step{"common name", nil, "change: common name differs\ncommon name: a → z\norganizations:  → pigsty", ""})
	expect(t, "key is kept", h.Disk.Text(r.KeyPath), key)

	run(t, h, r, step{"certificate lost", func(h *resourcetest.Host) { _ = h.Disk.Remove(r.CertPath) }, "create: the certificate does not exist\ncertificate:  → z", ""},
		step{"key lost", func(h *resourcetest.Host) { _ = h.Disk.Remove(r.KeyPath) }, "create: the private key does not exist\nkey:  → ******", ""},
		step{"key mode", func(h *resourcetest.Host) { _ = h.Disk.Chmod(r.KeyPath, 0o644) }, "change: differs\na.key mode: 0644 → 0600", ""},
		step{"key of another", func(h *resourcetest.Host) { _ = h.Disk.Write(r.KeyPath, []byte(key), 0o600, resource.Owner{}) },
			"change: the certificate does not belong to the key\nkey: another → ours", ""},
		step{"CA file", func(h *resourcetest.Host) { h.Disk.Put(r.CAPath, "x") }, "change: differs\nca.crt: no → yes", ""},
		step{"no key", func(h *resourcetest.Host) { _ = h.Disk.Write(r.KeyPath, []byte("x"), 0o600, resource.Owner{}) }, "",
			"/etc/pki/a.key is not a private key in PEM: move it away"})
	_ = h.Disk.Write(r.KeyPath, []byte(key), 0o600, resource.Owner{})

	h.Master.Signer = ca.signer(r, 10*day)
	run(t, h, r, step{"a CA that issues for too short a time", func(h *resourcetest.Host) { _ = h.Disk.Remove(r.CertPath) }, "", "what it returned is not what was asked for: expires in 9 days"})
	h.Master.Signer = ca.signer(r, 365*day)
	if _, _, err := h.Converge(ctx, r); err != nil {
		t.Fatal(err)
	}
	r.RenewBefore = 400 * day
	c, err := r.Diff(ctx, h.Host)
	if err != nil || !strings.HasPrefix(show(c), "change: expires in 364 days\nexpires: ") {
		t.Errorf("near its end: %s %v", show(c), err)
	}
	r.RenewBefore = 30 * day
	other := newAuthority(t, "other")
	r.CA, h.Master.Signer = other.pem, other.signer(r, 365*day)
	run(t, h, r, step{"another CA", nil, "change: issued by another CA\nissuer: ca → other\nca.crt: no → yes", ""})
}

func TestTrust(t *testing.T) {
	h, ca := resourcetest.New(), newAuthority(t, "ca")
	bundle := "/etc/ssl/certs/ca-certificates.crt"
	h.Disk.Put(bundle, string(newAuthority(t, "x").pem))
	r := &resource.Trust{Name: "ca", CA: ca.pem}
	update := func(resource.Command) ([]byte, error) {
		h.Disk.Put(bundle, h.Disk.Text(bundle)+string(ca.pem))
		return nil, nil
	}
	h.Shell.Absent = []string{"update-ca-certificates"}
	run(t, h, r, step{"no tool", nil, "", "install package ca-certificates"})
	h.Shell.Absent = nil
	h.Shell.Answer = func(resource.Command) ([]byte, error) { return nil, errors.New("interrupted") }
	run(t, h, r, step{"interrupted", nil, "", "interrupted"})
	h.Shell.Answer = update
	run(t, h, r, step{"second half", nil, "change: not trusted by this host yet\ntrusted: no → yes", ""}, step{"again", nil, "", ""})
	h.Facts.Family, h.Facts.OS = "", "plan9"
	run(t, h, r, step{"unknown system", nil, "", "it is not known how plan9 keeps trusted certificates"})
}
