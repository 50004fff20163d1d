package postgres

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"pigsty/internal/resource"
	"pigsty/internal/secret"
)

// TestBackupsElsewhere looks at another cluster's backups by a file that nobody
// else can read, and that is gone afterwards, whatever comes of the look.
func TestBackupsElsewhere(t *testing.T) {
	h, shell, system := backed(t)
	own := `[{"name":"pg-test","status":{"code":0},"db":[{"id":1,"system-id":2,"version":"17"},{"id":2,"system-id":9,"version":"17"}],
 "archive":[{"database":{"id":1},"id":"17-1","min":"000000010000000000000001","max":"0000000A0000000000000002"},
  {"database":{"id":2},"id":"17-2","min":"000000010000000000000001","max":"0000000B0000000000000002"}],"backup":[]}]`
	fails := false
	var looked []string
	shell.Answer = func(c resource.Command) ([]byte, error) {
		config := strings.TrimPrefix(c.Args[1], "--config=")
		if config == "/etc/pgbackrest.conf" {
			return []byte(own), nil
		}
		looked = append(looked, strings.Join(c.Args[2:], " "))
		data, err := h.Files.Read(config)
		info, err2 := h.Files.Stat(config)
		if err != nil || err2 != nil || string(data) != "hidden" || info.Mode.Perm() != 0o600 || info.Owner != (resource.Owner{User: "postgres", Group: "dba"}) {
			t.Errorf("%s: %q, %+v, %v", config, data, info, errors.Join(err, err2))
		}
		if fails {
			return nil, errors.New("the bucket is gone")
		}
		if slices.Contains(c.Args, "repo-ls") {
			return []byte("{}"), nil
		}
		return []byte(strings.ReplaceAll(answerOf, "pg-test", "pg-meta")), nil
	}
	if err := h.Files.Mkdir("/pg/conf", 0o750, resource.Owner{}); err != nil {
		t.Fatal(err)
	}
	b := Backups{Stanza: Stanza{Server: live.server, Name: "pg-test", Config: "/etc/pgbackrest.conf"}, Data: "/pg/data", Bin: "/usr/pgsql/bin", History: true,
		From: &Elsewhere{Stanza: "pg-meta", Config: secret.New("hidden"), Dir: "/pg/conf", Group: "dba"}}
	for _, fails = range []bool{false, true} {
		c, err := b.Diff(t.Context(), h)
		if err != nil {
			t.Fatal(err)
		}
		seen, err := SeenBackups(c)
		switch {
		case err != nil || fmt.Sprint(seen.Server.System) != system:
			t.Errorf("%+v, %v", seen, err)
		case fails && (seen.Problem != "the bucket is gone" || seen.Own != nil):
			t.Errorf("%+v", seen)
		case !fails && (seen.Problem != "" || seen.System != 2 || seen.Version != "17" || !seen.Other() || len(seen.Sets) != 1 || *seen.Own != OwnSeen{System: 9, Timeline: 10}):
			t.Errorf("%+v, %+v", seen, seen.Own)
		}
		if left, err := h.Files.List("/pg/conf"); err != nil || len(left) > 0 {
			t.Errorf("left %v, %v", left, err)
		}
	}
	if got := strings.Join(looked, "\n"); !strings.HasPrefix(got, "--stanza=pg-meta --output=json info\n--stanza=pg-meta --output=json --filter=[.]history$ repo-ls archive/pg-meta/17-2\n") {
		t.Errorf("looked by\n%s", got)
	}
	if strings.Contains(ran(shell), "hidden") {
		t.Error("a secret is in the arguments")
	}
}

// TestSystemID reads the identifier of a server that does not run.
func TestSystemID(t *testing.T) {
	h, shell, _ := backed(t)
	if id, err := systemOf(t.Context(), h, "/pg/data", "/bin", "postgres"); id != 0 || err != nil {
		t.Error(id, err)
	}
	if _, err := SystemID(t.Context(), h, "/pg/data", "/bin", "postgres"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	write(t, h, "/pg/data/global/pg_control", "")
	shell.Answer = func(resource.Command) ([]byte, error) {
		return []byte("Database system identifier:           7000000000000000002\nDatabase cluster state:               shut down\n"), nil
	}
	if id, err := systemOf(t.Context(), h, "/pg/data", "/bin", "postgres"); id != 7000000000000000002 || err != nil {
		t.Error(id, err)
	}
	shell.Answer = func(resource.Command) ([]byte, error) { return nil, nil }
	if _, err := systemOf(t.Context(), h, "/pg/data", "/bin", "postgres"); err == nil {
		t.Error("no identifier is one")
	}
}

// TestRestoreForeign restores from elsewhere over WAL that no archive has, archives
// nothing meanwhile, and gets a timeline that the cluster's own archive has not.
func TestRestoreForeign(t *testing.T) {
	h, shell, _ := backed(t)
	journal := &recovering{state: "inactive"}
	h.Units, h.Control = journal, silent{}
	write(t, h, "/pg/data/PG_VERSION", "17\n")
	write(t, h, "/pg/data/pg_wal/archive_status/000000010000000000000005.ready", "")
	r := Restore{Server: live.server, Name: "pg-test", Data: "/pg/data", Bin: "/usr/pgsql/bin", Config: "/pg/conf/pitr.conf", Stanza: "pg-meta", Request: "a", Set: "20300131-010000F",
		Foreign: true, Settings: []string{"shared_buffers=1MB"}, Timeline: 2, Beyond: 4}
	began := ""
	shell.Answer = func(c resource.Command) ([]byte, error) {
		if c.Args[0] == "systemd-run" {
			began = strings.Join(c.Args, " ")
			for _, name := range []string{"/pg/data/pg_wal/00000003.history", "/pg/data/pg_wal/00000004.history"} {
				if data, err := h.Files.Read(name); err != nil || string(data) != reserved {
					t.Errorf("%s: %q, %v", name, data, err)
				}
			}
			write(t, h, "/pg/data/pg_wal/00000004.history", "1\t0/3000000\tits own\n") // which the archive had
			journal.state = "active"
		}
		return nil, nil
	}
	if err := r.Apply(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(began, " -c archive_command= -c shared_buffers=1MB -c recovery_target_timeline=2") {
		t.Errorf("it recovers by %s", began)
	}
	if names, err := h.Files.List("/pg/data/pg_wal"); err != nil || strings.Join(names, " ") != "00000004.history archive_status" {
		t.Errorf("%v, %v", names, err)
	}
	r.Beyond = 0
	if got := r.foreign(); len(got) != 2 || len(r.reservations()) != 0 {
		t.Errorf("%q, %q", got, r.reservations())
	}
	r.Foreign = false
	if got := r.foreign(); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

// TestStanzaFormer upgrades a shared stanza that was this very cluster's, and no other.
func TestStanzaFormer(t *testing.T) {
	h, shell, system := backed(t)
	of := "8"
	shell.Answer = func(c resource.Command) ([]byte, error) {
		if c.Args[len(c.Args)-1] == "stanza-upgrade" {
			of = system
		}
		return fmt.Appendf(nil, `[{"name":"pg-test","db":[{"id":1,"system-id":%s,"version":"%d"}],"status":{"code":0}}]`, of, serverVersion(t, h)), nil
	}
	s := Stanza{Server: live.server, Name: "pg-test", Config: "/etc/pgbackrest.conf", Shared: true, Former: 7}
	if err := s.Apply(t.Context(), h); err == nil || !strings.Contains(err.Error(), "`pigsty pgsql-pitr -l pg-test --latest` restores what it had") {
		t.Error(err)
	}
	s.Former = 8
	reach(t, h, s, "change (it is of another database cluster) impact none note upgrades the stanza; the backups in it stay\ndb-system-id: \"8\" → \""+system+`"`)
	check := ArchiveCheck{Stanza: s, Restored: true}
	if c, err := check.Diff(t.Context(), h); err != nil || c.Action != resource.Run {
		t.Errorf("%s, %v", shown(c), err)
	}
	record := Progress{Cluster: "pg-test", Request: "a", Phase: PhaseBegun, Foreign: true, Former: 1<<63 + 1}
	if err := writeProgress(h, record); err != nil {
		t.Fatal(err)
	}
	if got, err := readProgress(h); err != nil || *got != record {
		t.Errorf("%+v, %v", got, err)
	}
}
