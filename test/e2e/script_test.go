package e2e

import (
	"strings"
	"testing"
)

// maintenance has the leader's scripts find what is bloated and what is old, and mend it.
func maintenance(t *testing.T, w *world) {
	now := leader(t, w)
	as := func(n byte, command string) string {
		t.Helper()
		return w.on(t, n, "sudo -iu postgres "+command+" 2>&1; echo status $?")
	}
	w.query(t, now, "test", `create table "Sparse" (id serial primary key, filler text);
insert into "Sparse" (filler) select repeat('x', 200) from generate_series(1, 50000);
delete from "Sparse" where id % 10 > 0;
analyze "Sparse"`)
	const size = `select pg_table_size('"Sparse"') < 4000000`

	if out := as(now, "/pg/bin/pg-repack -n test"); !strings.Contains(out, `test: table public."Sparse"`) || w.query(t, now, "test", size) != "f" {
		t.Errorf("pg-repack -n does not name the table, or rewrote it:\n%s", out)
	}
	if out := as(now, "/pg/bin/pg-repack"); !strings.HasSuffix(out, "status 0") || w.query(t, now, "test", size) != "t" {
		t.Errorf("pg-repack did not rewrite the table:\n%s", out)
	}
	if out := as(now, "/pg/bin/pg-repack test"); out != "status 0" {
		t.Errorf("again there is something to rewrite:\n%s", out)
	}

	w.query(t, now, "test", `insert into "Sparse" (filler) select 'y'`)
	const frozen = `select relfrozenxid from pg_class where relname = 'Sparse'`
	before := w.query(t, now, "test", frozen)
	if out := as(now, "/pg/bin/pg-vacuum -n -a 0 -r 100 test"); !strings.Contains(out, `test: VACUUM (FREEZE) "Sparse"`) || w.query(t, now, "test", frozen) != before {
		t.Errorf("pg-vacuum -n does not name the table, or froze it:\n%s", out)
	}
	if out := as(now, "/pg/bin/pg-vacuum -a 0 -r 0 test"); out != "test: VACUUM (FREEZE)\nstatus 0" || w.query(t, now, "test", frozen) == before {
		t.Errorf("pg-vacuum did not freeze the database:\n%s", out)
	}
	if out := as(now, "/pg/bin/pg-vacuum"); out != "status 0" {
		t.Errorf("a new cluster has something old:\n%s", out)
	}
	w.query(t, now, "test", `drop table "Sparse"`)

	if out := as(now, "timeout 5 /pg/bin/pg-heartbeat 0.5"); strings.Count(out, "pg-test|") < 3 {
		t.Errorf("pg-heartbeat:\n%s", out)
	}
	other := byte(10)
	if now == other {
		other = 11
	}
	for _, command := range []string{"pg-repack", "pg-vacuum", "pg-backup"} {
		if out := as(other, "/pg/bin/"+command); !strings.HasSuffix(out, "status 1") {
			t.Errorf("%s on a replica:\n%s", command, out)
		}
	}
}
