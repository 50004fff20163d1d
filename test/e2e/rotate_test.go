package e2e

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// replaceCA gives a cluster another CA, with a client that goes on writing.
func replaceCA(t *testing.T, w *world) {
	ca := func(name string) [32]byte {
		data, err := os.ReadFile(filepath.Join(w.dir, "files/pki/ca", name))
		if err != nil {
			t.Fatal(err)
		}
		return sha256.Sum256(data)
	}
	refused := func(move string) {
		t.Helper()
		r := w.pigsty(t, "cert", "rotate-ca", move, "-y")
		if r.status != 1 || !strings.Contains(r.out, "pigsty deploy") || !strings.Contains(r.out, w.addr(11)) {
			t.Errorf("%s before a deployment: status %d\n%s", move, r.status, r.out)
		}
	}
	writer := startWriter(t, w, 5433)
	first := ca("ca.crt")

	w.must(t, "cert", "rotate-ca")
	next := ca("next.crt")
	refused("--issue")
	w.must(t, "deploy")
	w.must(t, "cert", "rotate-ca", "--issue")
	if ca("ca.crt") != next || ca("old.crt") != first {
		t.Error("the announced CA is not the one that issues now")
	}
	refused("--finish")
	w.must(t, "deploy")
	if r := w.pigsty(t, "cert", "rotate-ca", "--finish"); r.status != 1 || !strings.Contains(r.out, "no terminal") {
		t.Errorf("it destroys a key without asking: status %d\n%s", r.status, r.out)
	}
	w.must(t, "cert", "rotate-ca", "--finish", "-y")
	if _, err := os.Stat(filepath.Join(w.dir, "files/pki/ca/old.key")); err == nil {
		t.Error("the old CA's key is still there")
	}
	w.must(t, "deploy")
	w.settled(t)
	if r := w.must(t, "cert", "check", "--days", "30"); strings.Contains(r.out, "replaced") {
		t.Errorf("a certificate is of the old CA:\n%s", r.out)
	}
	for n := byte(10); n <= 12; n++ {
		w.on(t, n, "openssl verify -CAfile /etc/pki/ca.crt /pg/cert/server.crt && grep -c BEGIN /etc/pki/ca.crt | grep -x 1")
	}
	writer.resumes(t, 2*time.Minute)
	if missing := writer.stop(t); missing > 0 {
		t.Errorf("%d acknowledged writes are lost", missing)
	}
}
