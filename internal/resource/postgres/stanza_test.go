package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

// info is an info file as pgBackRest 2.55 writes it.
const info = `[backrest]
backrest-format=5
backrest-version="2.55.1"

[backup:current]
20300101-000000F={"db-id":9}

[db]
db-id=2
db-system-id=%s
db-version="%d"

[db:history]
1={"db-id":7400000000000000001,"db-version":"16"}
2={"db-id":7400000000000000002,"db-version":"17"}

[backrest]
backrest-checksum="5b4ef7a0d86ccbf2c1aa0ba6dd7a4b45c9f8b6e0"
`

// backed returns the live server on a host with a disk of its own, and its
// system identifier. Every pgBackRest that runs writes the info files anew.
func backed(t *testing.T) (h *resource.Host, shell *resourcetest.Shell, system string) {
	h = host(t)
	fake := resourcetest.New()
	h.Files, h.Commands = fake.Files, fake.Commands
	system = sql(t, h, "postgres", "SELECT system_identifier FROM pg_control_system()")[0]
	version := serverVersion(t, h)
	fake.Shell.Answer = func(resource.Command) ([]byte, error) {
		for _, name := range []string{"archive", "backup"} {
			write(t, h, "/pg/backup/"+name+"/pg-test/"+name+".info", fmt.Sprintf(info, system, version))
		}
		return nil, nil
	}
	return h, fake.Shell, system
}

func write(t *testing.T, h *resource.Host, path, text string) {
	t.Helper()
	if err := h.Files.Mkdir(path[:strings.LastIndex(path, "/")], 0o755, resource.Owner{}); err != nil {
		t.Fatal(err)
	}
	if err := h.Files.Write(path, []byte(text), 0o640, resource.Owner{}); err != nil {
		t.Fatal(err)
	}
}

func ran(s *resourcetest.Shell) string {
	var out []string
	for _, c := range s.Ran() {
		out = append(out, c.User+": "+strings.Join(c.Args, " "))
	}
	return strings.Join(out, "\n")
}

func TestStanza(t *testing.T) {
	h, shell, system := backed(t)
	s := Stanza{Server: live.server, Name: "pg-test", Config: "/etc/pgbackrest.conf", Repository: "/pg/backup"}
	reach(t, h, s, "create (does not exist) impact none")
	const program = "postgres: pgbackrest --config=/etc/pgbackrest.conf --stanza=pg-test --no-online "
	if got := ran(shell); got != program+"stanza-create" {
		t.Errorf("ran %s", got)
	}

	// An archive command waits for a push that found the lock taken.
	for pid, command := range map[string]string{"77": "pgbackrest --stanza=pg-test archive-push pg_wal/000000010000000000000001",
		"78": "pgbackrest --stanza=pg-other archive-push pg_wal/000000010000000000000001",
		"79": "pgbackrest --exec-id=1 --stanza=pg-test archive-push:async /pg/data/pg_wal"} {
		write(t, h, "/proc/"+pid+"/cmdline", strings.ReplaceAll(command, " ", "\x00")+"\x00")
	}
	if err := h.Files.RemoveAll("/pg/backup"); err != nil {
		t.Fatal(err)
	}
	reach(t, h, s, "create (does not exist) impact none")
	if got, want := ran(shell), program+"stanza-create\n: sh -c kill -TERM 77"; !strings.HasSuffix(got, want) {
		t.Errorf("ran %s", got)
	}
	if err := h.Files.RemoveAll("/proc"); err != nil {
		t.Fatal(err)
	}
	if err := h.Files.Mkdir("/proc", 0o755, resource.Owner{}); err != nil {
		t.Fatal(err)
	}

	// One of the two is gone, but pgBackRest has a copy of it.
	archive := "/pg/backup/archive/pg-test/archive.info"
	data, err := h.Files.Read(archive)
	if err != nil {
		t.Fatal(err)
	}
	write(t, h, archive+".copy", string(data))
	if err := h.Files.Remove(archive); err != nil {
		t.Fatal(err)
	}
	settled(t, h, s)
	if err := h.Files.Remove(archive + ".copy"); err != nil {
		t.Fatal(err)
	}
	reach(t, h, s, "create ("+archive+" is missing) impact none")

	// What another cluster of the name left behind.
	write(t, h, archive, fmt.Sprintf(info, "7400000000000000001", serverVersion(t, h)))
	reach(t, h, s, `change (it is of another database cluster) impact none note upgrades the stanza; the backups in it stay
db-system-id: "7400000000000000001" → "`+system+`"`)
	if got := ran(shell); !strings.HasSuffix(got, program+"stanza-upgrade") {
		t.Errorf("ran %s", got)
	}
	write(t, h, archive, "[db]\n")
	fails(t, h, s, "it has no db-system-id")

	// A push has the lock for a moment.
	busy := 1
	write(t, h, archive, fmt.Sprintf(info, "7", serverVersion(t, h)))
	answer := shell.Answer
	shell.Answer = func(c resource.Command) ([]byte, error) {
		if busy--; busy >= 0 {
			return nil, &resource.CommandError{Args: c.Args, Code: stanzaBusy, Output: "unable to acquire lock"}
		}
		return answer(c)
	}
	if err := s.Apply(t.Context(), h); err != nil || busy != -1 {
		t.Errorf("%v", err)
	}
	settled(t, h, s)
}

func TestStanzaShared(t *testing.T) {
	h, shell, system := backed(t)
	s := Stanza{Server: live.server, Name: "pg-test", Config: "/etc/pgbackrest.conf", Shared: true}
	answer := "[]"
	shell.Answer = func(c resource.Command) ([]byte, error) {
		if c.Args[len(c.Args)-1] == "info" {
			return []byte(answer), nil
		}
		return nil, errors.New("the bucket does not exist")
	}
	of := func(system string, code int) string {
		return fmt.Sprintf(`[{"archive":[],"backup":[],"cipher":"aes-256-cbc","db":[{"id":1,"repo-key":1,"system-id":7,"version":"9.6"},{"id":2,"repo-key":1,"system-id":%s,"version":"%d"}],
			"name":"pg-test","repo":[{"cipher":"none","key":1,"status":{"code":0,"message":"ok"}}],"status":{"code":%d,"lock":{"backup":{"held":false}},"message":"no valid backups"}}]`,
			system, serverVersion(t, h), code)
	}
	for _, tt := range []struct{ answer, want string }{
		{"[]", "create (does not exist) impact none"},
		{`[{"name":"pg-test","db":[],"status":{"code":1,"message":"missing stanza path"}}]`, "create (does not exist) impact none"},
		{of(system, 2), " () impact none"},
		{of(system, 99), "run (its repository cannot be read: no valid backups) impact none"},
		{of("8", 0), "change (it is of another database cluster) impact none\ndb-system-id: \"8\" → \"" + system + `"`},
	} {
		answer = tt.answer
		if c, err := s.Diff(t.Context(), h); err != nil || shown(c) != tt.want {
			t.Errorf("%v, %s; want %s", err, shown(c), tt.want)
		}
	}
	if err := s.Apply(t.Context(), h); err == nil || !strings.Contains(err.Error(), "pg-test is of another database cluster (system identifier 8,") {
		t.Errorf("%v", err)
	}
	answer = "[]"
	if err := s.Apply(t.Context(), h); err == nil || !strings.Contains(err.Error(), "bucket") {
		t.Errorf("%v", err)
	}
	h.SetPending("file /etc/pgbackrest.conf", resource.Change{Action: resource.Create})
	if c, err := s.Diff(t.Context(), h); err != nil || c.Unknown != "after /etc/pgbackrest.conf is written" {
		t.Errorf("%s, %v", shown(c), err)
	}
}

func TestHBAFile(t *testing.T) {
	fake := resourcetest.New()
	h := fake.Host
	owner := resource.Owner{User: "postgres", Group: "postgres"}
	f := HBAFile{Data: "/pg/data", Rules: []string{"# one [default]", "local all all ident"}, Config: "/pg/conf/a.yml", Owner: owner}
	for range 2 { // neither without a data directory nor in one that is being made
		if c, err := f.Diff(t.Context(), h); err != nil || c.Unknown != notInitialised {
			t.Errorf("%s, %v", shown(c), err)
		}
		if err := f.Apply(t.Context(), h); err != nil {
			t.Error(err)
		}
		if _, err := h.Files.Stat(f.Path()); err == nil {
			t.Fatal("the file was made where a bootstrap needs an empty directory")
		}
		write(t, h, "/pg/data/PG_VERSION", "17\n")
	}
	write(t, h, "/pg/data/global/pg_control", "")
	if c, err := f.Diff(t.Context(), h); err != nil || c.Action != resource.Create {
		t.Errorf("%s, %v", shown(c), err)
	}
	const want = "# Do not edit this file manually!\n# It will be overwritten by Patroni!\n# one [default]\nlocal all all ident\n"
	if err := h.Files.Write(f.Path(), []byte(want), 0o600, owner); err != nil {
		t.Fatal(err)
	}
	settled(t, h, f)
	if err := h.Files.Write(f.Path(), []byte(want+"host all all 0.0.0.0/0 trust\n"), 0o600, owner); err != nil {
		t.Fatal(err)
	}
	c, err := f.Diff(t.Context(), h)
	if err != nil || c.Reason != "edited by hand: it is not what /pg/conf/a.yml says" || !strings.Contains(c.Diff, "-host all all 0.0.0.0/0 trust") {
		t.Errorf("%s, %v\n%s", shown(c), err, c.Diff)
	}
	h.SetPending("file /pg/conf/a.yml", resource.Change{Action: resource.Update})
	if c, err := f.Diff(t.Context(), h); err != nil || c.Reason != "follows /pg/conf/a.yml" {
		t.Errorf("%s, %v", shown(c), err)
	}
	if err := f.Apply(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	settled(t, h, f)

	// Patroni is just writing it.
	if err := h.Files.Write(f.Path(), nil, 0o600, owner); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(120*time.Millisecond, func() { _ = h.Files.Write(f.Path(), []byte(want), 0o600, owner) })
	settled(t, h, f)
}

func TestStopped(t *testing.T) {
	fake := resourcetest.New()
	h := fake.Host
	s := Stopped{Data: "/pg/data", Bin: "/usr/pgsql/bin", User: "dba", Unit: "patroni.service", Impact: resource.ImpactFailover}
	settled(t, h, s)
	write(t, h, "/pg/data/postmaster.pid", "42\n/pg/data\n1900000000\n5432\n")
	settled(t, h, s) // no such process
	write(t, h, "/proc/42/cwd/postmaster.pid", "42\n/other/data\n1800000000\n5433\n")
	settled(t, h, s) // another server took the number
	write(t, h, "/proc/42/cwd/postmaster.pid", "42\n/pg/data\n1900000000\n5432\n")
	h.SetPending("unit absent patroni.service", resource.Change{Action: resource.Remove})
	if c, err := s.Diff(t.Context(), h); err != nil || c.Unknown != "after patroni.service has stopped" {
		t.Errorf("%s, %v", shown(c), err)
	}
	h.SetPending("unit absent patroni.service", resource.Change{})
	units := h.Units
	h.Units = serving{units, 42}
	s.Except = "postgres.service"
	settled(t, h, s) // it is that unit's
	h.Units = serving{units, 41}
	fake.Shell.Answer = func(c resource.Command) ([]byte, error) {
		return nil, h.Files.Remove("/pg/data/postmaster.pid")
	}
	reach(t, h, s, "change (the server still runs, as process 42) impact failover\nrunning: \"yes\" → \"no\"")
	if got := ran(fake.Shell); got != "dba: /usr/pgsql/bin/pg_ctl --pgdata=/pg/data --mode=fast --wait --timeout=300 stop" {
		t.Errorf("ran %s", got)
	}
}

// serving is a host whose unit runs as the process pid.
type serving struct {
	resource.Units
	pid int
}

func (s serving) Show(context.Context, string) (resource.UnitState, error) {
	return resource.UnitState{Active: "active", MainPID: s.pid}, nil
}

// TestStanzaAbsent deletes the stanza of the cluster in the data directory and of
// no other. The live server stands for the one that has stopped.
func TestStanzaAbsent(t *testing.T) {
	h, shell, system := backed(t)
	answer := strings.Replace(answerOf, `"system-id":2`, `"system-id":`+system, 1)
	controlled := system
	shell.Answer = func(c resource.Command) ([]byte, error) {
		switch {
		case strings.HasSuffix(c.Args[0], "pg_controldata"):
			return []byte("pg_control version number:            1700\nDatabase system identifier:           " + controlled + "\n"), nil
		case c.Args[len(c.Args)-1] == "stanza-delete":
			answer = `[{"name":"pg-test","status":{"code":1,"message":"missing stanza path"},"db":[],"backup":[]}]`
		}
		return []byte(answer), nil
	}
	s := StanzaAbsent{Stanza: Stanza{Server: live.server, Name: "pg-test", Config: "/etc/pgbackrest.conf", Shared: true}, Data: "/pg/data", Bin: "/usr/pgsql/bin"}
	left := func(why, want string) {
		t.Helper()
		c, err := s.Diff(t.Context(), h)
		if err != nil || !c.Empty() || !strings.Contains(c.Skipped, want) {
			t.Errorf("%s: %s, %v", why, shown(c), err)
		}
	}
	idle := StanzaIdle{Stanza: s.Stanza, Data: s.Data}
	left("without configuration", "/etc/pgbackrest.conf is gone")
	settled(t, h, idle)
	write(t, h, "/etc/pgbackrest.conf", "")
	left("without data", "/pg/data is gone")
	write(t, h, "/pg/data/global/pg_control", "")
	controlled = "1"
	left("of another cluster", "is of another database cluster (system identifier ")
	controlled = system
	incomplete := `[{"name":"pg-test","status":{"code":3,"message":"missing stanza data"},"db":[],"backup":[]}]`
	whole := answer
	answer = incomplete
	left("of whom nobody knows", "does not say whose it is")

	const program = "postgres: pgbackrest --config=/etc/pgbackrest.conf --stanza=pg-test "
	if err := idle.Apply(t.Context(), h); err != nil || !strings.HasSuffix(ran(shell), program+"--force stop\n"+program+"start") {
		t.Errorf("ran\n%s\n%v", ran(shell), err)
	}
	answer = whole
	reach(t, h, s, "remove (pg_rm_backup) impact data loss note 2 backups, of 2029-12-29 to 2030-01-29")
	if got := ran(shell); !strings.Contains(got, strings.Join([]string{program + "--force stop", program + "--force stanza-delete", program + "start"}, "\n")) {
		t.Errorf("ran\n%s", got)
	}

	// A deletion is cut after it has taken what says whose the stanza is.
	answer = whole
	deletes := shell.Answer
	shell.Answer = func(c resource.Command) ([]byte, error) {
		if c.Args[len(c.Args)-1] == "stanza-delete" {
			answer = incomplete
			return nil, errors.New("killed")
		}
		return deletes(c)
	}
	if err := s.Apply(t.Context(), h); err == nil || !strings.HasSuffix(ran(shell), program+"start") {
		t.Errorf("ran\n%s\n%v", ran(shell), err)
	}
	shell.Answer = deletes
	reach(t, h, s, "remove (pg_rm_backup) impact data loss note what a deletion that was cut left")
	answer = incomplete
	left("when it is done", "does not say whose it is")

	pid := fmt.Sprint(os.Getpid())
	write(t, h, "/pg/data/postmaster.pid", pid+"\n")
	write(t, h, "/proc/"+pid+"/cwd/postmaster.pid", pid+"\n")
	if err := idle.Apply(t.Context(), h); err == nil || !strings.Contains(err.Error(), "a server runs in /pg/data") {
		t.Error(err)
	}
	shell.Answer = func(c resource.Command) ([]byte, error) {
		return nil, &resource.CommandError{Args: c.Args, Code: 49, Output: "unable to connect"}
	}
	if _, err := s.Diff(t.Context(), h); err == nil || !strings.Contains(err.Error(), "`-e pg_rm_backup=false` leaves alone what is in the repository") {
		t.Error(err)
	}
}
