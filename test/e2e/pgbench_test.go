package e2e

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// load is pgbench at the primary service, one run after another: a run whose
// connections break, or that gets none, fails.
type load struct {
	w     *world
	from  byte
	bench string // the command
}

// startLoad begins pgbench on host from, through HAProxy of host through.
func startLoad(t *testing.T, w *world, from, through byte) *load {
	t.Helper()
	bench := fmt.Sprintf("/usr/lib/postgresql/%s/bin/pgbench -h %s -p 5433 -U test -n test", w.version, w.addr(through))
	w.on(t, from, "rm -rf /tmp/load; mkdir /tmp/load; export PGPASSWORD=Test.Test; "+bench+" -q -i 2>&1")
	w.on(t, from, fmt.Sprintf(`systemd-run -q --unit=load --working-directory=/tmp/load --setenv=PGPASSWORD=Test.Test sh -c '
while [ ! -e stop ]; do
	began=$(date +%%s.%%6N)
	%s -c 4 -T 2 -R 100 -l >>out 2>&1
	echo $? $began $(date +%%s.%%6N) >>runs
	sleep 0.1
done'`, bench))
	return &load{w, from, bench}
}

// seen is what the clients of a load saw. Hosts of a sandbox share one clock.
type seen struct {
	done   []time.Time    // when transactions were done, in order
	failed [][2]time.Time // from when to when runs lasted that failed
}

// stop ends the load, removes its tables and returns what it saw.
func (l *load) stop(t *testing.T) seen {
	t.Helper()
	out := l.w.on(t, l.from, fmt.Sprintf(`cd /tmp/load; touch stop
while systemctl is-active -q load; do sleep 0.1; done
awk '{ print "run", $0 }' runs; awk '{ printf "done %%d.%%06d\n", $5, $6 }' pgbench_log.*
PGPASSWORD=Test.Test %s -q -i -I d 2>&1`, l.bench))
	var s seen
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		switch {
		case len(words) == 2 && words[0] == "done":
			s.done = append(s.done, moment(t, words[1]))
		case len(words) == 4 && words[0] == "run" && words[1] != "0":
			s.failed = append(s.failed, [2]time.Time{moment(t, words[2]), moment(t, words[3])})
		}
	}
	slices.SortFunc(s.done, time.Time.Compare)
	if len(s.done) < 100 {
		t.Fatalf("pgbench did just %d transactions:\n%s", len(s.done), l.w.on(t, l.from, "tail -n 20 /tmp/load/out"))
	}
	return s
}

// moment reads seconds since 1970.
func moment(t *testing.T, seconds string) time.Time {
	t.Helper()
	d, err := time.ParseDuration(seconds + "s")
	if err != nil {
		t.Fatal(err)
	}
	return time.Unix(0, int64(d))
}

// onlyAround checks that the load was disturbed once: by what happened at at,
// over about as long as the writer beside it. Everything that failed did between
// the last transaction before it and the first after it, and at no other time the
// clients waited.
func (s seen) onlyAround(t *testing.T, at time.Time, beside *writer) {
	t.Helper()
	after, _ := slices.BinarySearchFunc(s.done, at, time.Time.Compare)
	if after == 0 || after == len(s.done) {
		t.Fatalf("%d transactions, none of them before or none after %s", len(s.done), at)
	}
	from, to := s.done[after-1], s.done[after]
	t.Logf("pgbench: %d transactions, and none for %s around the switchover; %d runs failed there", len(s.done), to.Sub(from).Round(10*time.Millisecond), len(s.failed))
	if to.Sub(from) > beside.pause+beside.noise() {
		t.Errorf("pgbench paused for %s, and a writer for %s", to.Sub(from), beside.pause)
	}
	if len(s.failed) == 0 {
		t.Error("no client of pgbench noticed that its leader became another")
	}
	for _, run := range s.failed {
		if run[1].Before(from) || run[1].After(to) {
			t.Errorf("a run of pgbench failed %s before the switchover", at.Sub(run[1]))
		}
	}
	for i := range s.done[1:] {
		if pause := s.done[i+1].Sub(s.done[i]); i+1 != after && pause > beside.noise() {
			t.Errorf("pgbench paused for %s, %s before the switchover", pause, at.Sub(s.done[i]))
		}
	}
}

// promoted returns the timeline of the leader on host n, and when it began.
func promoted(t *testing.T, w *world, n byte) (timeline int, at time.Time) {
	t.Helper()
	out := w.query(t, n, "postgres", `select name, extract(epoch from modification) from pg_ls_waldir()
where name = left(pg_walfile_name(pg_current_wal_lsn()), 8) || '.history'`)
	if out == "" { // the first one has no history
		return 1, time.Time{}
	}
	name, seconds, _ := strings.Cut(out, ".history|")
	if _, err := fmt.Sscanf(name, "%X", &timeline); err != nil {
		t.Fatal(err)
	}
	return timeline, moment(t, cmp.Or(seconds, "0"))
}
