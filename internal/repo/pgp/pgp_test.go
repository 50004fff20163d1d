package pgp

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/bits"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func newKey(t *testing.T, dir string) *Key {
	t.Helper()
	k, created, err := OpenOrCreate(dir, "a deployment's repository")
	if err != nil || !created {
		t.Fatalf("created %v, error %v", created, err)
	}
	return k
}

func ring(t *testing.T, k *Key) *Keyring {
	t.Helper()
	text, err := k.Public()
	if err != nil {
		t.Fatal(err)
	}
	r := &Keyring{}
	if err := r.Add(text); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestKeyIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	first := newKey(t, dir)
	private, public := Paths(dir)
	info, err := os.Stat(private)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("private key: mode %v, error %v", info.Mode(), err)
	}
	if err := os.Remove(public); err != nil {
		t.Fatal(err)
	}
	again, created, err := OpenOrCreate(dir, "another name")
	if err != nil || created || again.Fingerprint() != first.Fingerprint() {
		t.Fatalf("opened again: created %v, error %v", created, err)
	}
	if _, err := os.Stat(public); err != nil {
		t.Errorf("the public key was not written again: %v", err)
	}
	if err := os.Chmod(private, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others can read: error %v", err)
	}
}

func TestSignatures(t *testing.T) {
	ours, other := newKey(t, t.TempDir()), newKey(t, t.TempDir())
	text := []byte("Suite: stable\n- a dash\nSHA256:\n abc 1 Packages\n")
	signed, err := ours.SignClear(text)
	if err != nil {
		t.Fatal(err)
	}
	got, signer, err := ring(t, ours).VerifyClear(signed)
	if err != nil || string(got) != string(text) || signer != ours.Fingerprint() {
		t.Errorf("signed text %q by %s, error %v", got, signer, err)
	}
	if _, _, err := ring(t, other).VerifyClear(signed); !errors.Is(err, ErrUnknownKey) || !strings.Contains(err.Error(), ours.Fingerprint()) {
		t.Errorf("another's key: error %v", err)
	}
	changed := []byte(strings.Replace(string(signed), "abc", "abd", 1))
	if _, _, err := ring(t, ours).VerifyClear(changed); err == nil || errors.Is(err, ErrUnknownKey) {
		t.Errorf("a changed text: error %v", err)
	}
	if _, _, err := ring(t, ours).VerifyClear(append(signed, "Evil: yes\n"...)); err == nil {
		t.Error("a text after the signature is accepted")
	}
	if _, _, err := ring(t, ours).VerifyClear(text); err == nil {
		t.Error("a text without a signature is accepted")
	}
	detached, err := ours.SignDetached(text)
	if err != nil {
		t.Fatal(err)
	}
	if signer, err := ring(t, ours).VerifyDetached(text, detached); err != nil || signer != ours.Fingerprint() {
		t.Errorf("detached: by %s, error %v", signer, err)
	}
	if _, err := ring(t, ours).VerifyDetached(append(text, 'x'), detached); err == nil {
		t.Error("detached: a changed text is accepted")
	}
}

// What the tools of clients make of our signatures.
func TestGpgvAccepts(t *testing.T) {
	gpgv, err := exec.LookPath("gpgv")
	if err != nil {
		t.Skip("gpgv is not installed")
	}
	dir := t.TempDir()
	k := newKey(t, dir)
	signed, err := k.SignClear([]byte("Suite: stable\n"))
	if err != nil {
		t.Fatal(err)
	}
	file, keys := filepath.Join(dir, "InRelease"), filepath.Join(dir, "keys.gpg")
	if err := os.WriteFile(file, signed, 0o644); err != nil {
		t.Fatal(err)
	}
	var binary strings.Builder
	if err := k.entity.Serialize(&binary); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keys, []byte(binary.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(gpgv, "--keyring", keys, file).CombinedOutput(); err != nil {
		t.Errorf("gpgv: %v\n%s\n%s", err, out, signed)
	}
}

// Signatures of version 3, which packages of EL carry: RFC 4880, 5.2.2.
func TestVersion3(t *testing.T) {
	k := newKey(t, t.TempDir())
	private := k.entity.PrivateKey.PrivateKey.(*rsa.PrivateKey)
	data := []byte("a package")
	sign := func(kind, hash byte) []byte {
		fixed := []byte{3, 5, kind, 1, 2, 3, 4}
		h := sha256.New()
		h.Write(data)
		h.Write(fixed[2:])
		sum := h.Sum(nil)
		value, err := rsa.SignPKCS1v15(nil, private, crypto.SHA256, sum)
		if err != nil {
			t.Fatal(err)
		}
		value = bytes.TrimLeft(value, "\x00")
		body := binary.BigEndian.AppendUint64(fixed, k.entity.PrimaryKey.KeyId)
		body = append(body, 1, hash, sum[0], sum[1])
		body = binary.BigEndian.AppendUint16(body, uint16(8*len(value)-bits.LeadingZeros8(value[0])))
		body = append(body, value...)
		return append(binary.BigEndian.AppendUint16([]byte{0x89}, uint16(len(body))), body...)
	}
	good := sign(0, 8)
	if signer, err := ring(t, k).VerifyDetached(data, good); err != nil || signer != k.Fingerprint() {
		t.Errorf("signed by %q, error %v", signer, err)
	}
	if _, err := ring(t, newKey(t, t.TempDir())).VerifyDetached(data, good); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("another's key: error %v", err)
	}
	flipped := bytes.Clone(good)
	flipped[len(flipped)-1] ^= 1
	for name, c := range map[string]struct{ data, signature []byte }{
		"changed data":        {append(data, 'x'), good},
		"a changed signature": {data, flipped},
		"cut":                 {data, good[:40]},
		"over a text":         {data, sign(1, 8)},
		"a weak digest":       {data, sign(0, 2)},
	} {
		if _, err := ring(t, k).VerifyDetached(c.data, c.signature); err == nil {
			t.Errorf("%s: it is accepted", name)
		}
	}
}
