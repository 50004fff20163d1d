package e2e

import (
	"strings"
	"testing"
)

// scale removes a replica, which must leave nothing of it behind, and adds it again.
func scale(t *testing.T, w *world) {
	if leader(t, w) == 12 {
		w.on(t, 12, "patronictl -c /etc/patroni/patroni.yml switchover pg-test --candidate pg-test-1 --force")
		whole(t, w, 3)
	}
	r := w.pigsty(t, "pgsql-rm", "pg-test", w.addr(12))
	if r.status == 0 || !strings.Contains(r.out, "--yes") {
		t.Fatalf("a removal that nobody confirmed: status %d\n%s", r.status, r.out)
	}
	w.must(t, "pgsql-rm", "pg-test", w.addr(12), "--yes", "pg-test-2")
	gone(t, w, 12)
	w.must(t, "pgsql-add", "pg-test", w.addr(12))
	whole(t, w, 3)
	w.settled(t)
}

// gone checks that nothing of a PostgreSQL instance is left on host n.
func gone(t *testing.T, w *world, n byte) {
	t.Helper()
	left := w.on(t, n, `ls -d /etc/patroni/patroni.yml /etc/pgbouncer/pgbouncer.ini /pg/data /etc/systemd/system/patroni.service /etc/systemd/system/pgbouncer.service /pg/cert/server.key 2>/dev/null
ls /etc/haproxy/conf.d | grep pg-test
pgrep -u postgres -a`+" || true")
	if left != "" {
		t.Errorf("left on %s:\n%s", w.addr(n), left)
	}
}

// removal is refused by the safeguard, and else leaves nothing behind.
func removal(t *testing.T, w *world) {
	w.inventory(t, variant(map[string]string{"MORE": "\n    pg_safeguard: true"}))
	r := w.pigsty(t, "pgsql-rm", "-l", "pg-test", "--yes", "pg-test")
	if r.status == 0 || !strings.Contains(r.out, "pg_safeguard") {
		t.Fatalf("a removal that a safeguard forbids: status %d\n%s", r.status, r.out)
	}
	w.inventory(t, variant(nil))
	w.must(t, "pgsql-rm", "-l", "pg-test", "--yes", "pg-test")
	for n := byte(11); n <= 13; n++ {
		gone(t, w, n)
	}
	if keys := w.on(t, 10, `. /etc/profile.d/etcdctl.sh; etcdctl get --prefix /pg/pg-test --keys-only`); keys != "" {
		t.Errorf("left in etcd:\n%s", keys)
	}
	w.must(t, "deploy") // and it can be made again
	w.settled(t)
}
