package pki

import (
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// opensslVerify reports whether openssl trusts the certificate at path by the bundle of dir.
func opensslVerify(t *testing.T, dir, path string) bool {
	t.Helper()
	tool, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	text, err := Bundle(dir)
	if err != nil {
		t.Fatal(err)
	}
	bundle := filepath.Join(t.TempDir(), "bundle.crt")
	if err := os.WriteFile(bundle, text, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tool, "verify", "-CAfile", bundle, path).CombinedOutput()
	if err != nil && !strings.Contains(string(out), "unable to get local issuer") {
		t.Errorf("openssl: %s", out)
	}
	return err == nil
}

func issue(t *testing.T, dir, name string) string {
	t.Helper()
	ca, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	one, err := ca.IssueFor(dir, name, "", Request{CommonName: name, DNSNames: []string{name}, IPs: []string{"10.0.0.1"}, Validity: time.Hour, Client: true})
	if err != nil {
		t.Fatal(err)
	}
	return one.Path
}

func TestRotation(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := OpenOrCreate(dir, "first", time.Hour); err != nil {
		t.Fatal(err)
	}
	first := issue(t, dir, "first")
	if err := Succeed(dir); err == nil {
		t.Error("a CA that was not announced succeeds")
	}
	if phase, err := Announce(dir, "second", time.Hour); err != nil || phase != Announced {
		t.Fatalf("phase %s, error %v", phase, err)
	}
	if _, err := Announce(dir, "third", time.Hour); err == nil {
		t.Error("two CAs are announced at once")
	}
	announced := issue(t, dir, "announced")
	if ca, _ := Open(dir); ca.Certificate().Subject.CommonName != "first" {
		t.Error("the next CA issues before hosts trust it")
	}

	// Cut between the two names of the pair: nothing is lost, and saying it
	// again finishes it.
	_, key := Paths(dir)
	_, next := otherPaths(dir, Announced)
	oldCert, oldKey := otherPaths(dir, Issuing)
	cert, _ := Paths(dir)
	for _, err := range []error{os.Link(cert, oldCert), os.Link(key, oldKey), os.Rename(next, key)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := OpenOrCreate(dir, "never", time.Hour); err == nil || !strings.Contains(err.Error(), "do not belong together") {
		t.Errorf("half a pair: error %v", err)
	}
	if err := Succeed(dir); err != nil {
		t.Fatal(err)
	}
	second := issue(t, dir, "second")
	for _, path := range []string{first, announced, second} {
		if !opensslVerify(t, dir, path) {
			t.Errorf("%s is not trusted while two CAs are", filepath.Base(path))
		}
		if one, err := readIssued(path); err != nil || !Trusted(dir, one.Cert) {
			t.Errorf("%s: Trusted is false, error %v", filepath.Base(path), err)
		}
	}
	ca, _ := Open(dir)
	if _, err := ca.Renew(dir, "first", time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := Finish(dir); err != nil {
		t.Fatal(err)
	}
	if phase, err := PhaseOf(dir); err != nil || phase != Settled {
		t.Errorf("phase %s, error %v", phase, err)
	}
	for path, want := range map[string]bool{first: true, second: true, announced: false} {
		if opensslVerify(t, dir, path) != want {
			t.Errorf("%s: trusted %v, want %v", filepath.Base(path), !want, want)
		}
	}
	left, _ := filepath.Glob(filepath.Join(dir, "ca", "*"))
	if len(left) != 2 {
		t.Errorf("left: %v", left)
	}
}

func TestExpiredCAIsReplacedAtOnce(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := OpenOrCreate(dir, "first", time.Nanosecond); err != nil {
		t.Fatal(err)
	}
	ca, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ca.IssueFor(dir, "x", "", Request{CommonName: "x", Validity: time.Hour, Client: true}); err == nil || !strings.Contains(err.Error(), "rotate-ca") {
		t.Errorf("an expired CA: error %v", err)
	}
	if phase, err := Announce(dir, "second", time.Hour); err != nil || phase != Issuing {
		t.Fatalf("phase %s, error %v", phase, err)
	}
	issue(t, dir, "y")
}

func TestIssued(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := OpenOrCreate(dir, "ca", time.Hour); err != nil {
		t.Fatal(err)
	}
	path := issue(t, dir, "app")
	ca, _ := Open(dir)
	if _, err := ca.IssueFor(dir, "app", "", Request{CommonName: "app", Validity: time.Hour, Client: true}); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("issued twice: error %v", err)
	}
	if _, err := ca.IssueFor(dir, "../x", "", Request{CommonName: "x", Validity: time.Hour, Client: true}); err == nil {
		t.Error("a name leads out of the directory")
	}
	_, key := IssuedPaths(dir, "app")
	for _, p := range []string{path, key} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, error %v", p, info.Mode(), err)
		}
	}
	before, _ := os.ReadFile(key)
	one, err := ca.Renew(dir, "app", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if after, _ := os.ReadFile(key); string(after) != string(before) {
		t.Error("renewing replaced the key")
	}
	if c := one.Cert; c.Subject.CommonName != "app" || len(c.DNSNames) != 1 || len(c.IPAddresses) != 1 ||
		len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageClientAuth || time.Until(c.NotAfter) > time.Minute {
		t.Errorf("renewed: %v", c)
	}
	list, err := ListIssued(dir)
	if err != nil || len(list) != 1 || list[0].Name != "app" || !ca.By(list[0].Cert) {
		t.Errorf("list %v, error %v", list, err)
	}
}
