package e2e

import (
	"strings"
	"testing"
)

// TestDebian12 takes hosts through the same life with what Debian 12 carries:
// PostgreSQL 15, Patroni 3.0, etcd 3.4, HAProxy 2.6, PgBouncer 1.18, pgBackRest 2.45.
func TestDebian12(t *testing.T) {
	w := newWorldOf(t, "debian12", nil, "10.10.52.0/24", 10, 11, 12, 13)
	scenarios := []struct {
		name string
		run  func(*testing.T, *world)
	}{
		{"release that no repository has", wrongRelease},
		{"deploy from nothing", deployOlder},
		{"nothing to do", nothingToDo},
		{"services answer", services},
		{"backup", backup},
		{"restart only when needed", rollingRestart},
		{"postmaster is killed", postmasterKilled},
		{"remove a replica and add it again", scale},
		{"remove the cluster", removal},
	}
	for _, s := range scenarios {
		if !t.Run(s.name, func(t *testing.T) { s.run(t, w) }) {
			t.Fatal("the scenarios after this one build on it")
		}
	}
}

// wrongRelease asks for what only later releases of Debian have.
func wrongRelease(t *testing.T, w *world) {
	w.inventory(t, variant(nil))
	r := w.pigsty(t, "plan")
	if r.status != 1 || !strings.Contains(r.out, "they have all of these for pg_version 15: set that, or add a repository that carries 17") {
		t.Errorf("status %d\n%s", r.status, r.out)
	}
}

func deployOlder(t *testing.T, w *world) {
	w.version = "15"
	w.inventory(t, variant(nil))
	r := w.pigsty(t, "plan")
	if !strings.Contains(r.out, "postgresql-15-pgvector (wanted by pg_packages with pg_version 15); the rest goes on without") {
		t.Errorf("the plan does not say what is left out:\n%s", r.out)
	}
	deploy(t, w)
}

// backup makes a full backup and checks that the archive is whole.
func backup(t *testing.T, w *world) {
	w.on(t, 11, "cd /tmp; sudo -u postgres pgbackrest --stanza=pg-test check && sudo -u postgres pgbackrest --stanza=pg-test --type=full backup")
	if out := w.on(t, 11, "cd /tmp; sudo -u postgres pgbackrest --stanza=pg-test info"); !strings.Contains(out, "status: ok") {
		t.Error(out)
	}
}
