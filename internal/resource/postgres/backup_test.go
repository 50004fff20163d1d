package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pigsty/internal/resource"
)

// answerOf is what pgBackRest 2.55 says of a stanza with two backups, of which
// the second is of an earlier database cluster.
const answerOf = `[{"name":"pg-test","status":{"code":0,"message":"ok","lock":{"backup":{"held":false}}},
 "db":[{"id":1,"system-id":1,"version":"16"},{"id":2,"system-id":2,"version":"17"}],
 "archive":[{"database":{"id":1},"id":"16-1","min":"000000010000000000000001","max":"000000010000000000000002"},
  {"database":{"id":2},"id":"17-2","min":"000000010000000000000003","max":"000000010000000000000007"}],
 "backup":[{"label":"20300131-010000F","type":"full","error":false,"database":{"id":2},"archive":{"start":"000000010000000000000004"},
   "lsn":{"start":"0/4000028","stop":"0/4000100"},"timestamp":{"start":1895878800,"stop":1895879400},"info":{"size":35051418}},
  {"label":"20291231-010000F","type":"full","error":false,"database":{"id":1},"archive":{"start":"000000010000000000000001"},
   "lsn":{"stop":"0/1000100"},"timestamp":{"start":1893200400,"stop":1893201000},"info":{"size":1}}]}]`

func TestBackupsSeen(t *testing.T) {
	var seen BackupsSeen
	archive, err := seen.read([]byte(answerOf), "pg-test")
	if err != nil || archive != "17-2" {
		t.Fatal(archive, err)
	}
	want := BackupSet{Label: "20300131-010000F", Type: "full", Start: time.Unix(1895878800, 0), Stop: time.Unix(1895879400, 0),
		StopLSN: "0/4000100", StartWAL: "000000010000000000000004", Size: 35051418}
	if !slices.Equal(seen.Sets, []BackupSet{want}) || seen.WALMin != "000000010000000000000003" || seen.WALMax != "000000010000000000000007" {
		t.Errorf("%+v", seen)
	}
	if _, err := seen.read([]byte(`[{"name":"pg-test","status":{"code":99,"message":"the bucket is gone"}}]`), "pg-test"); err == nil || err.Error() != "the bucket is gone" {
		t.Error(err)
	}
	if label, ok := lastBackup(fmt.Sprintf(info, "1", 17)); !ok || label != "20300101-000000F" {
		t.Error(label, ok)
	}
}

// TestBackup makes the first backup of a new cluster, and one that is asked for.
func TestBackup(t *testing.T) {
	h, shell, _ := backed(t)
	stanza := Stanza{Server: live.server, Name: "pg-test", Config: "/etc/pgbackrest.conf", Repository: "/pg/backup"}
	first, check := Backup{Stanza: stanza, Type: "full"}, ArchiveCheck{Stanza: stanza}
	h.SetPending(stanza.Key(), resource.Change{Action: resource.Create})
	for _, r := range []resource.Resource{first, check} {
		if c, err := r.Diff(t.Context(), h); err != nil || c.Action != resource.Run {
			t.Errorf("%s with a new stanza: %s, %v", r.Key(), shown(c), err)
		}
	}
	h.SetPending(stanza.Key(), resource.Change{})
	reach(t, h, first, "run (a new cluster has no backup) impact none")
	if got := ran(shell); got != "postgres: pgbackrest --config=/etc/pgbackrest.conf --stanza=pg-test --type=full --archive-timeout=90 backup" {
		t.Errorf("ran %s", got)
	}
	settled(t, h, check)
	check.First = true
	if c, err := check.Diff(t.Context(), h); err != nil || c.Reason != "nothing was archived yet" {
		t.Errorf("with nothing archived: %s, %v", shown(c), err)
	}

	answers := []string{answerOf, answerOf, strings.Replace(answerOf, "20300131-010000F", "20300131-020000F", 1)}
	shell.Answer = func(c resource.Command) ([]byte, error) {
		if c.Args[len(c.Args)-1] == "backup" {
			answers = answers[len(answers)-1:]
		}
		return []byte(answers[0]), nil
	}
	asked := Backup{Stanza: stanza, Type: "incr", After: "20300131-010000F"}
	reach(t, h, asked, "run (asked for) impact none note interrupts nothing; it reads the whole data directory\ntype: \"\" → \"incr\"")
	shell.Answer = func(c resource.Command) ([]byte, error) {
		return nil, &resource.CommandError{Args: c.Args, Code: stanzaBusy, Output: "unable to acquire lock"}
	}
	if err := asked.Apply(t.Context(), h); err == nil || !strings.Contains(err.Error(), "another backup of pg-test runs") {
		t.Error(err)
	}
}

// TestRestore restores and goes on where an earlier run was cut. The live server
// stands for the one that has recovered.
func TestRestore(t *testing.T) {
	h, shell, _ := backed(t)
	journal := &recovering{}
	h.Units, h.Control = journal, silent{}
	r := Restore{Server: live.server, Name: "pg-test", Data: "/pg/data", Bin: "/usr/pgsql/bin", Config: "/pg/conf/pitr.conf", Stanza: "pg-test",
		Request: "a", Set: "20300131-010000F", Target: []string{"--type=time", "--target=2030-01-31 12:00:00+00"}, Whole: true}
	write(t, h, "/pg/data/pg_wal/archive_status/000000010000000000000005.ready", "")
	if err := r.Apply(t.Context(), h); err == nil || !strings.Contains(err.Error(), "WAL from segment 000000010000000000000005 on is in /pg/data/pg_wal and in no archive") {
		t.Error(err)
	}
	// The same where the data directory is kept, unless the target needs none of it.
	aside := r
	aside.Aside, aside.Data = "/pg/data-backup", "/pg/data"
	if err := aside.Apply(t.Context(), h); err == nil || !strings.Contains(err.Error(), "`systemctl start patroni` on the members") {
		t.Error(err)
	}
	aside.InArchive = true
	if err := aside.unarchived(h); err != nil {
		t.Error(err)
	}
	if err := h.Files.Remove("/pg/data/pg_wal/archive_status/000000010000000000000005.ready"); err != nil {
		t.Fatal(err)
	}

	// The archive ends before a commit that is later than the target.
	write(t, h, "/pg/data/recovery.signal", "")
	starts := 0
	shell.Answer = func(c resource.Command) ([]byte, error) {
		if c.Args[0] != "systemd-run" {
			return nil, nil
		}
		if starts++; starts == 1 {
			journal.text, journal.state = "starting PostgreSQL 17\nFATAL:  "+earlyEnd, "inactive"
			return nil, nil
		}
		journal.text, journal.state = "starting PostgreSQL 17", "active"
		return nil, h.Files.Remove("/pg/data/recovery.signal")
	}
	before := len(shell.Ran())
	if err := r.Apply(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	settled(t, h, r)
	lines := strings.Split(ran(shell), "\n")[before:]
	if len(lines) != 3 || lines[0] != "postgres: pgbackrest --config=/pg/conf/pitr.conf --stanza=pg-test --set=20300131-010000F --force --type=time --target=2030-01-31 12:00:00+00 restore" ||
		!strings.Contains(lines[1], "/usr/pgsql/bin/postgres -D /pg/data -c listen_addresses= ") || !strings.HasSuffix(lines[2], " -c recovery_target_time=") {
		t.Errorf("ran\n%s", strings.Join(lines, "\n"))
	}

	// Another target, which is not in the archive.
	write(t, h, "/pg/data/PG_VERSION", "17\n")
	r.Request, r.Target = "b", []string{"--type=name", "--target=x"}
	write(t, h, "/pg/data/recovery.signal", "")
	journal.state, starts = "inactive", 0
	if err := r.Apply(t.Context(), h); err == nil || !strings.Contains(err.Error(), "the target is not in the archive after backup 20300131-010000F") {
		t.Error(err)
	}
	if p, err := readProgress(h); err != nil || p.Phase != PhaseRestored || p.Request != "b" {
		t.Errorf("%+v, %v", p, err)
	}

	// The files are there: only the server has yet to recover.
	before = len(shell.Ran())
	starts = 1
	if err := r.Apply(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if got := ran(shell); strings.Contains(strings.Join(strings.Split(got, "\n")[before:], "\n"), "restore") {
		t.Errorf("the files were restored again:\n%s", got)
	}
}

// TestRestoreLost goes on where the server had recovered and its host was
// restarted before Patroni took it over.
func TestRestoreLost(t *testing.T) {
	h, shell, _ := backed(t)
	h.Units, h.Control = &recovering{state: "inactive", text: "starting PostgreSQL 17"}, silent{}
	r := Restore{Server: live.server, Name: "pg-test", Data: "/pg/data", Bin: "/usr/pgsql/bin", Config: "/pg/conf/pitr.conf", Stanza: "pg-test", Request: "a", Set: "20300131-010000F"}
	if err := writeProgress(h, Progress{Cluster: "pg-test", Request: "a", Phase: PhaseRecovered, Set: r.Set}); err != nil {
		t.Fatal(err)
	}
	settled(t, h, r) // it runs
	down := r
	down.Socket = "/nowhere"
	if c, err := down.Diff(t.Context(), h); err != nil || c.Reason != "the server had recovered, and is gone: it starts again" {
		t.Errorf("%s, %v", shown(c), err)
	}
	write(t, h, "/pg/data/PG_VERSION", "17\n")
	began := len(shell.Ran())
	if err := r.Apply(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(strings.Split(ran(shell), "\n")[began:], "\n"); !strings.HasPrefix(got, ": systemd-run ") || strings.Contains(got, "restore") {
		t.Errorf("ran %s", got)
	}

	// Its disk is another one.
	if err := h.Files.Remove("/pg/data/PG_VERSION"); err != nil {
		t.Fatal(err)
	}
	if err := r.Apply(t.Context(), h); err != nil || !strings.Contains(ran(shell), " --force restore") {
		t.Errorf("%v, ran %s", err, ran(shell))
	}
}

// TestRestoreAgain restores although the same was asked for before, of a cluster
// that has outlived that.
func TestRestoreAgain(t *testing.T) {
	h, _, _ := backed(t)
	old := Progress{Cluster: "pg-test", Request: "a", Phase: PhaseRestored, Set: "20300131-010000F"}
	if err := writeProgress(h, old); err != nil {
		t.Fatal(err)
	}
	now := RestoreBegun{Progress: Progress{Cluster: "pg-test", Request: "a", Phase: PhaseBegun, Set: "20300201-010000F"}}
	settled(t, h, now) // it is gone on with
	now.Fresh = true
	reach(t, h, now, "create (does not exist) impact none")
	if p, err := readProgress(h); err != nil || *p != now.Progress {
		t.Errorf("remembered is %+v, %v", p, err)
	}
}

// TestMoveAway sets a data directory aside once, and never over another.
func TestMoveAway(t *testing.T) {
	h, shell, _ := backed(t)
	r := Restore{Name: "pg-test", Data: "/pg/data", Aside: "/pg/data-backup", Request: "a"}
	p := Progress{Request: "a", Phase: PhaseBegun}
	moves := 0
	shell.Answer = func(c resource.Command) ([]byte, error) {
		moves++
		write(t, h, "/pg/data-backup/PG_VERSION", "17\n")
		return nil, h.Files.RemoveAll("/pg/data")
	}
	write(t, h, "/pg/data/PG_VERSION", "17\n")
	for range 2 { // the second time it goes on
		if err := r.moveAway(t.Context(), h, &p); err != nil || moves != 1 {
			t.Fatalf("%v, moved %d times", err, moves)
		}
	}
	if err := h.Files.Remove(ProgressPath); err != nil {
		t.Fatal(err)
	}
	p.Aside = false // another restore
	if err := r.moveAway(t.Context(), h, &p); err == nil || !strings.Contains(err.Error(), "/pg/data-backup is there already, from an earlier restore") {
		t.Error(err)
	}
	if err := h.Files.RemoveAll("/pg/data"); err != nil { // as a run leaves it that was cut right after the move
		t.Fatal(err)
	}
	if err := r.moveAway(t.Context(), h, &p); err != nil || moves != 1 {
		t.Errorf("%v, moved %d times", err, moves)
	}
	if err := errors.Join(h.Files.RemoveAll("/pg/data"), h.Files.RemoveAll("/pg/data-backup")); err != nil { // another disk
		t.Fatal(err)
	}
	p.Aside = false
	if err := r.moveAway(t.Context(), h, &p); err != nil || moves != 1 || !p.Aside {
		t.Errorf("%v, moved %d times", err, moves)
	}
}

// recovering is the unit in which a server recovers.
type recovering struct {
	resource.Units
	text, state string
}

func (u *recovering) Show(context.Context, string) (resource.UnitState, error) {
	return resource.UnitState{Active: u.state}, nil
}
func (u *recovering) Journal(context.Context, string, int) string { return u.text }
func (u *recovering) Stop(context.Context, string) error          { return errors.New("not loaded") }

// silent takes lines of progress.
type silent struct{ resource.Control }

func (silent) Log(context.Context, string) {}

func TestOutdated(t *testing.T) {
	h, _, _ := backed(t)
	unit := &recovering{state: "active"}
	h.Units = unit
	o := Outdated{Data: "/pg/data", Unit: "patroni.service"}
	write(t, h, "/pg/data/PG_VERSION", "17\n")
	settled(t, h, o) // Patroni's business
	h.SetPending("unit absent patroni.service", resource.Change{Action: resource.Remove})
	if c, err := o.Diff(t.Context(), h); err != nil || c.Action != resource.Remove || c.Impact != resource.ImpactDataLoss {
		t.Errorf("%s, %v", shown(c), err)
	}
	h.SetPending("unit absent patroni.service", resource.Change{})
	unit.state = "inactive"
	reach(t, h, o, "remove (it is of the timeline that is given up) impact data loss note Patroni copies the leader's when it starts")

	// What it has in tablespaces goes too, unless it shares one with something else.
	write(t, h, "/pg/data/PG_VERSION", "17\n")
	if err := h.Files.Mkdir("/pg/data/pg_tblspc", 0o700, resource.Owner{}); err != nil {
		t.Fatal(err)
	}
	if err := h.Files.Link("/pg/data/pg_tblspc/16400", "/data/fast"); err != nil {
		t.Fatal(err)
	}
	write(t, h, "/data/fast/PG_17_202406281/5/1259", "")
	write(t, h, "/data/fast/photos/1.jpg", "")
	fails(t, h, o, "the tablespace /data/fast holds photos, which is not this server's")
	if err := h.Files.RemoveAll("/data/fast/photos"); err != nil {
		t.Fatal(err)
	}
	reach(t, h, o, "remove (it is of the timeline that is given up) impact data loss note Patroni copies the leader's when it starts\ntablespace: \"/data/fast/PG_17_202406281\" → \"\"")
	if names, err := h.Files.List("/data/fast"); err != nil || len(names) > 0 {
		t.Errorf("left: %v, %v", names, err)
	}
}
