package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestDebian12 takes hosts through the same life with what Debian 12 carries:
// PostgreSQL 15, Patroni 3.0, etcd 3.4, HAProxy 2.6, PgBouncer 1.18, pgBackRest 2.45.
func TestDebian12(t *testing.T) {
	// What takes dpkg longest; the rest is for the deployment to install.
	heavy := strings.Fields("postgresql-15 postgresql-plpython3-15 postgresql-plperl-15 postgresql-pltcl-15 patroni python3-etcd python3-psycopg2")
	w := newWorldOf(t, "debian12", heavy, "10.10.52.0/24", 10, 11, 12, 13)
	w.inOrder(t, []scenario{
		{"release that no repository has", wrongRelease},
		{"deploy from nothing", deployOlder},
		{"nothing to do", nothingToDo},
		{"services answer", services},
		{"backup", backup},
		{"restart only when needed", rollingRestart},
		{"postmaster is killed", postmasterKilled},
		{"remove a replica and add it again", scale},
		{"remove the cluster", removal},
		{"an infra node", olderInfra},
	})
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

// olderInfra adds an infra node of what the release carries: VictoriaMetrics
// 1.79, Alertmanager 0.25. It watches the cluster, and the plays of others have
// it know which members come and go.
func olderInfra(t *testing.T, w *world) {
	w.inventory(t, variant(nil)+"\ninfra:\n  hosts: { NET.10: { infra_seq: 1 } }", "repo_enabled: false", "grafana_enabled: false")
	if r := w.must(t, "plan", "-v"); !strings.Contains(r.out, "no configured repository has victoria-logs") {
		t.Errorf("the plan does not say what is left out:\n%s", r.out)
	}
	w.must(t, "deploy")
	w.settled(t)
	eventually(t, time.Minute, "the cluster is watched", func() error {
		got, err := w.ask(10, `max by (ins) (up{job="pgsql"})`, "ins")
		if got["pg-test-1"] != "1" || got["pg-test-2"] != "1" || got["pg-test-3"] != "1" {
			return fmt.Errorf("%v %w", got, err)
		}
		return nil
	})
	if out := w.on(t, 10, "psql -AtXc 'SELECT NOT pg_is_in_recovery()' service=pg-test && patronictl -c /infra/conf/patronictl.yml list pg-test"); !strings.HasPrefix(out, "t\n") || !strings.Contains(out, "Leader") {
		t.Errorf("from the infra node the cluster is\n%s", out)
	}
	names := "/infra/targets/pgsql/pg-test-2.yml /etc/dnsmasq.d/pigsty/pg-test-2"
	w.on(t, 10, "ls "+names)
	w.must(t, "pgsql-rm", "pg-test", w.addr(12), "--yes", "pg-test-2")
	w.on(t, 10, "for f in "+names+"; do test ! -e $f || exit 1; done; ls /infra/targets/pgsql/pg-test-1.yml")
	w.must(t, "pgsql-add", "pg-test", w.addr(12))
	w.on(t, 10, "ls "+names)
	eventually(t, 2*time.Minute, "it has a name again", func() error {
		if got := w.lookup(10, "pg-test-2"); got != w.addr(12) {
			return fmt.Errorf("pg-test-2 is %q", got)
		}
		return nil
	})
	whole(t, w, 3)
	w.settled(t)
}
