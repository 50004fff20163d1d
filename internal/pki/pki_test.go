package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const year = 365 * 24 * time.Hour

func newCA(t *testing.T) (string, *CA) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "files/pki")
	ca, created, err := OpenOrCreate(dir, "pigsty-ca", 100*year)
	if err != nil || !created {
		t.Fatalf("created %v, %v", created, err)
	}
	return dir, ca
}

func publicKey(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func hostKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func request(t *testing.T) Request {
	return Request{
		CommonName: "pg-test-1", Organization: []string{"pigsty"}, OrganizationalUnit: []string{"postgres"},
		DNSNames: []string{"localhost", "pg-test", "pg-test-1", "pg-test"}, IPs: []string{"127.0.0.1", "10.10.10.11", "::ffff:10.10.10.11", "fd00::1"},
		Validity: 20 * year, PublicKey: publicKey(t, hostKey(t)), Server: true, Client: true,
	}
}

func TestCreateThenOpen(t *testing.T) {
	dir, ca := newCA(t)
	certPath, keyPath := Paths(dir)
	for path, want := range map[string]fs.FileMode{filepath.Dir(keyPath): 0o700, dir: 0o700, keyPath: 0o600, certPath: 0o644} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
	c := ca.cert
	if c.Subject.CommonName != "pigsty-ca" || !c.IsCA || !c.MaxPathLenZero || c.MaxPathLen != 0 || c.SignatureAlgorithm != x509.ECDSAWithSHA256 || len(c.SubjectKeyId) == 0 {
		t.Errorf("unexpected CA: %+v", c)
	}
	entries, _ := os.ReadDir(filepath.Dir(keyPath))
	if len(entries) != 2 {
		t.Errorf("files left over: %v", entries)
	}
	again, created, err := OpenOrCreate(dir, "another", year)
	if err != nil || created || !bytes.Equal(again.CertPEM(), ca.CertPEM()) || !again.NotAfter().Equal(ca.NotAfter()) {
		t.Errorf("second: created %v, %v", created, err)
	}
}

func TestIssue(t *testing.T) {
	began := time.Now()
	_, ca := newCA(t)
	req := request(t)
	text, err := ca.Issue(req)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := parseCert(text)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.CertPEM())
	for _, name := range []string{"localhost", "pg-test-1", "10.10.10.11", "fd00::1"} {
		for _, use := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
			if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, KeyUsages: []x509.ExtKeyUsage{use}}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if len(cert.DNSNames) != 3 || len(cert.IPAddresses) != 3 || cert.IsCA || cert.SerialNumber.BitLen() > 128 || cert.SerialNumber.BitLen() < 64 ||
		!bytes.Equal(cert.AuthorityKeyId, ca.cert.SubjectKeyId) || len(cert.SubjectKeyId) != 20 ||
		!slices.Equal(cert.Subject.OrganizationalUnit, []string{"postgres"}) {
		t.Errorf("unexpected certificate: %+v", cert)
	}
	// Certificates count whole seconds.
	if earliest, latest := began.Add(-5*time.Minute-time.Second), time.Now().Add(-5*time.Minute); cert.NotBefore.Before(earliest) || cert.NotBefore.After(latest) {
		t.Errorf("valid since %s, not %s", cert.NotBefore, earliest)
	}
	req.Validity = 200 * year
	text, err = ca.Issue(req)
	if err != nil {
		t.Fatal(err)
	}
	if cert, _ := parseCert(text); !cert.NotAfter.Equal(ca.NotAfter()) {
		t.Errorf("outlives the CA: %s", cert.NotAfter)
	}
}

func TestIssueRefuses(t *testing.T) {
	_, ca := newCA(t)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Request){
		"common name is empty":   func(r *Request) { r.CommonName = "" },
		"longer than 64":         func(r *Request) { r.CommonName = strings.Repeat("x", 65) },
		"control characters":     func(r *Request) { r.CommonName = "a\nb" },
		"is an address":          func(r *Request) { r.DNSNames = []string{"10.0.0.1"} },
		`"a b" is not a DNS`:     func(r *Request) { r.DNSNames = []string{"a b"} },
		`"" is not a DNS`:        func(r *Request) { r.DNSNames = []string{""} },
		`"a..b" is not a DNS`:    func(r *Request) { r.DNSNames = []string{"a..b"} },
		`"a.*.b" is not a DNS`:   func(r *Request) { r.DNSNames = []string{"a.*.b"} },
		"not an IP address":      func(r *Request) { r.IPs = []string{"10.0.0.1/24"} },
		"validity of 0s":         func(r *Request) { r.Validity = 0 },
		"neither for a server":   func(r *Request) { r.Server, r.Client = false, false },
		"public key":             func(r *Request) { r.PublicKey = []byte("x") },
		"1024 bits is too weak":  func(r *Request) { r.PublicKey = publicKey(t, weak) },
		"certificate for \"pg-x": func(r *Request) { r.CommonName, r.Validity = "pg-x", -1 },
	} {
		req := request(t)
		change(&req)
		if _, err := ca.Issue(req); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err := ca.issue(request(t), ca.NotAfter()); err == nil || !strings.Contains(err.Error(), "expired on") {
		t.Errorf("an expired CA: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	other, _ := newCA(t)
	otherCert, _ := Paths(other)
	for name, c := range map[string]struct {
		spoil func(cert, key string) error
		want  string
	}{
		"readable by others": {func(_, key string) error { return os.Chmod(key, 0o644) }, "run: chmod 600"},
		"mismatch": {func(cert, _ string) error {
			text, _ := os.ReadFile(otherCert)
			return os.WriteFile(cert, text, 0o644)
		}, "do not belong together"},
		"key lost": {func(_, key string) error { return os.Remove(key) }, "is there, its key"},
		"no PEM":   {func(cert, _ string) error { return os.WriteFile(cert, nil, 0o644) }, "no certificate in PEM"},
		"bad key":  {func(_, key string) error { return os.WriteFile(key, []byte("x"), 0o600) }, "no private key in PEM"},
		"passphrase": {func(_, key string) error {
			return os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")}), 0o600)
		}, "it has a passphrase"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := newCA(t)
			cert, key := Paths(dir)
			if err := c.spoil(cert, key); err != nil {
				t.Fatal(err)
			}
			before, _ := os.ReadFile(cert)
			if _, _, err := OpenOrCreate(dir, "x", year); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if after, _ := os.ReadFile(cert); !bytes.Equal(before, after) {
				t.Error("the certificate was overwritten")
			}
		})
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing there: %v", err)
	}
}

// The user's own CA, of every kind of key and encoding, is used as it is.
func TestOwnCA(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	ec := hostKey(t).(*ecdsa.PrivateKey)
	sec1, _ := x509.MarshalECPrivateKey(ec)
	pkcs8 := func(k any) []byte { der, _ := x509.MarshalPKCS8PrivateKey(k); return der }
	for name, c := range map[string]struct {
		key    crypto.Signer
		blocks []*pem.Block
	}{
		"rsa pkcs1": {rsaKey, []*pem.Block{{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)}}},
		"rsa pkcs8": {rsaKey, []*pem.Block{{Type: "PRIVATE KEY", Bytes: pkcs8(rsaKey)}}},
		"ec sec1":   {ec, []*pem.Block{{Type: "EC PARAMETERS", Bytes: []byte{6, 1, 1}}, {Type: "EC PRIVATE KEY", Bytes: sec1}}},
		"ed25519":   {ed, []*pem.Block{{Type: "PRIVATE KEY", Bytes: pkcs8(ed)}}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			certPath, keyPath := Paths(dir)
			_ = os.Mkdir(filepath.Dir(certPath), 0o755)
			template := &x509.Certificate{SerialNumber: serial(), Subject: pkix.Name{CommonName: "ours"}, NotAfter: time.Now().Add(year), IsCA: true, BasicConstraintsValid: true}
			der, err := x509.CreateCertificate(rand.Reader, template, template, c.key.Public(), c.key)
			if err != nil {
				t.Fatal(err)
			}
			var keyText []byte
			for _, b := range c.blocks {
				keyText = append(keyText, pem.EncodeToMemory(b)...)
			}
			certText := append([]byte("# our CA\n"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
			_ = os.WriteFile(certPath, certText, 0o644)
			_ = os.WriteFile(keyPath, keyText, 0o600)
			ca, created, err := OpenOrCreate(dir, "pigsty-ca", year)
			if err != nil || created || !bytes.Equal(ca.CertPEM(), certText) {
				t.Fatalf("created %v, %v", created, err)
			}
			text, err := ca.Issue(request(t))
			if err != nil {
				t.Fatal(err)
			}
			if cert, _ := parseCert(text); cert.CheckSignatureFrom(ca.cert) != nil {
				t.Error("not signed by the CA")
			}
			// A key alone gets its certificate.
			_ = os.Remove(certPath)
			if ca, created, err = OpenOrCreate(dir, "pigsty-ca", year); err != nil || !created || !sameKey(ca.cert.PublicKey, c.key.Public()) {
				t.Errorf("from the key alone: created %v, %v", created, err)
			}
		})
	}
}

// Several processes that create the CA at once end with one.
func TestCreateAtOnce(t *testing.T) {
	if dir := os.Getenv("PKI_TEST_DIR"); dir != "" {
		ca, created, err := OpenOrCreate(dir, "pigsty-ca", year)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("\n%v %x\n", created, ca.cert.SerialNumber)
		return
	}
	dir := filepath.Join(t.TempDir(), "pki")
	var mu sync.Mutex
	var lines []string
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^TestCreateAtOnce$")
			cmd.Env = append(os.Environ(), "PKI_TEST_DIR="+dir)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
			mu.Lock()
			defer mu.Unlock()
			for line := range strings.Lines(string(out)) {
				if f := strings.Fields(line); len(f) == 2 && (f[0] == "true" || f[0] == "false") {
					lines = append(lines, line)
				}
			}
		})
	}
	wg.Wait()
	slices.Sort(lines)
	lines = slices.Compact(lines)
	if len(lines) != 2 || strings.Fields(lines[0])[1] != strings.Fields(lines[1])[1] {
		t.Errorf("want one creator and one serial, got %q", lines)
	}
}
