package pgsql

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"regexp"

	"pigsty/internal/diag"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

const (
	sodiumKey    = confDir + "/pgsodium.key"
	sodiumScript = homeDir + "/bin/pgsodium_getkey"
)

// sodium reports whether the servers load pgsodium, which asks a program for its
// root key when they start.
func (p *Params) sodium() bool { return preloads(p.libraries(), "pgsodium") }

// getkeyScript returns the program that prints pgsodium's root key.
func (p *Params) getkeyScript() string { return cmp.Or(p.PgsodiumGetkeyScript, sodiumScript) }

// rootKey returns that key, in hexadecimal. Every member has the same: what the
// leader encrypted, whoever takes over must read.
func (m *Member) rootKey() string {
	if !m.Params.PgsodiumKey.IsEmpty() {
		return m.Params.PgsodiumKey.Reveal()
	}
	sum := sha256.Sum256([]byte(m.Cluster.Name))
	return hex.EncodeToString(sum[:])
}

// addSodium adds pgsodium's root key, and the program that prints it unless the
// inventory names another. Neither is taken away again: data may need them.
func (m *Member) addSodium(b *plan.Builder) {
	p := m.Params
	if !p.sodium() {
		return
	}
	b = b.Tag("pg_key")
	if p.PgsodiumGetkeyScript == "" {
		b.Add(resource.NewFile(sodiumScript, marked("#!/bin/sh\n# pgsodium_getkey: print pgsodium's root key.\nexec cat "+sodiumKey+"\n"),
			resource.Mode(0o750), resource.OwnedBy("root", dbsuGroup)))
	}
	if p.PgsodiumGetkeyScript == "" || !p.PgsodiumKey.IsEmpty() {
		b.Add(resource.NewFile(sodiumKey, m.rootKey()+"\n", resource.Mode(0o400), resource.OwnedBy(p.PgDbsu, dbsuGroup), resource.Hidden()))
	}
}

// rootKeyForm is what pgsodium takes for a key: crypto_sign_SEEDBYTES in hexadecimal.
var rootKeyForm = regexp.MustCompile(`^[0-9A-Fa-f]{64}$`)

// checkSodium reports a root key with which no server would start.
func (m *Member) checkSodium(l *diag.List) {
	if p := m.Params; p.sodium() && !p.PgsodiumKey.IsEmpty() && !rootKeyForm.MatchString(p.PgsodiumKey.Reveal()) {
		l.Fail(m.At("pgsodium_key"), "invalid-key", "pgsodium_key is not 64 hexadecimal digits, so PostgreSQL with pgsodium would not start",
			"make one with: openssl rand -hex 32")
	}
}

// adviseSodium warns of a root key that everybody can compute.
func (m *Member) adviseSodium(l *diag.List) {
	if p := m.Params; p.sodium() && p.PgsodiumKey.IsEmpty() && p.PgsodiumGetkeyScript == "" {
		l.Warn(m.At("pg_libs"), "published-password", "everybody can compute the root key of pgsodium in cluster "+m.Cluster.Name+" from the cluster's name",
			"write a pgsodium_key of your own before anything is encrypted; openssl rand -hex 32 makes one")
	}
}
