package e2e

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// foreignData finds the data of another cluster where a replica is to be made:
// the replica is refused in Patroni's words, and the data stays.
func foreignData(t *testing.T, w *world) {
	if leader(t, w) == 13 {
		t.Fatal("the member that never leads does")
	}
	w.must(t, "pgsql-rm", "-l", w.addr(13), "--yes", "pg-test-3", "-e", "pg_rm_pkg=false")
	w.on(t, 13, `cd /tmp; install -d -o postgres -g postgres -m 700 /data/postgres /data/postgres/pg-test-17 /data/postgres/pg-test-17/data
sudo -u postgres /usr/lib/postgresql/17/bin/initdb -D /data/postgres/pg-test-17/data >/dev/null`)
	const id = "/usr/lib/postgresql/17/bin/pg_controldata /data/postgres/pg-test-17/data | grep 'system identifier'"
	before := w.on(t, 13, id)
	r := w.pigsty(t, "pgsql-add", "pg-test", w.addr(13))
	t.Logf("refused in %s", r.took.Round(100*time.Millisecond))
	if r.status != 3 || !strings.Contains(r.out, "system ID mismatch") {
		t.Errorf("status %d, want 3 and Patroni's words:\n%s", r.status, r.out)
	}
	if after := w.on(t, 13, id); after != before {
		t.Errorf("the data was %s, and is %s", before, after)
	}
	whole(t, w, 2)
}

// remains is what hosts had before there was a cluster on them.
type remains struct {
	before map[byte][]string
}

func (r *remains) note(t *testing.T, w *world) {
	r.before = map[byte][]string{11: footprint(t, w, 11), 13: footprint(t, w, 13)} // a primary and a replica
}

// stays is what a removal leaves: the directories that pg_fs_main and
// pg_fs_backup name, what keeps Debian's packages from making a cluster of their
// own, what packages leave themselves (init scripts' links change their names when
// a unit is disabled), and the host's name.
var stays = regexp.MustCompile(` (/data(/postgres|/backups)?|/etc/(postgresql-common/createcluster.conf|init.d/(patroni|pgbouncer)|rc[0-6]\.d/K01[a-z]+|hostname))$`)

// compare removes the cluster, and then what the nodes got, and looks for what
// was not there before.
func (r *remains) compare(t *testing.T, w *world) {
	w.must(t, "pgsql-rm", "-l", "pg-test", "--yes", "pg-test")
	for _, list := range []string{"user", "role"} {
		left := w.on(t, 10, ". /etc/profile.d/etcdctl.sh; etcdctl "+list+" list")
		if !strings.Contains(left, "root") || strings.Contains(left, "pg-test") {
			t.Errorf("%ss of etcd are\n%s", list, left)
		}
	}
	args := []string{"node-rm", "-l", "pg-test"}
	for n := byte(11); n <= 13; n++ {
		args = append(args, "--yes", w.addr(n))
	}
	w.must(t, args...)
	for n, before := range r.before {
		for _, line := range footprint(t, w, n) {
			if !slices.Contains(before, line) && !stays.MatchString(line) {
				t.Errorf("%s has and had not %s", w.addr(n), line)
			}
		}
	}
}

// footprint is the state of a host, and where PostgreSQL and what serves it keep
// things besides.
func footprint(t *testing.T, w *world, n byte) []string {
	t.Helper()
	out := w.on(t, n, `find /pg /data /var/lib/postgresql /var/lib/pgbackrest /var/log/patroni /var/log/pgbouncer /var/log/pgbackrest /var/log/postgresql \
 /var/spool/cron/crontabs -xdev -printf '%y %m %u %p\n' 2>/dev/null || true`)
	return append(state(t, w, n), strings.Split(out, "\n")...)
}
