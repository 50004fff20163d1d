package postgres

import (
	"fmt"
	"strings"
	"testing"

	"pigsty/internal/resource"
	"pigsty/internal/resource/patroni"
	"pigsty/internal/resource/resourcetest"
)

// TestReport asks a server that runs without Patroni, and whose repository has
// no backup.
func TestReport(t *testing.T) {
	h, _, system := backed(t)
	fake := resourcetest.New()
	h.Units, h.Manifest = fake.Units, fake.Manifest
	stanza := Stanza{Server: live.server, Name: "pg-test", Config: "/etc/pgbackrest.conf", Repository: "/pg/backup"}
	r := &Report{Patroni: patroni.Report{Member: "pg-test-1"}, Unit: "postgres.service", Server: live.server, Backup: &Backup{Stanza: stanza}}
	look := func() string {
		c, err := r.Diff(t.Context(), h)
		if err != nil || !c.Empty() {
			t.Errorf("%s, %v", shown(c), err)
		}
		var out []string
		for _, a := range c.Attrs {
			out = append(out, a.Name+": "+a.New)
		}
		return strings.Join(out, ", ")
	}
	if got := look(); got != "state: patroni does not answer" {
		t.Errorf("with Patroni: %s", got)
	}
	h.Manifest.SetUnit("postgres.service", resource.Loaded{})
	if got := look(); got != "role: leader, state: running, backup: none here, `pigsty pg backup pg-test` makes one, timeline: 1, patroni: taken away" {
		t.Error(got)
	}
	write(t, h, "/pg/backup/backup/pg-test/backup.info", fmt.Sprintf(info, system, 17))
	if got := look(); got != "role: leader, state: running, timeline: 1, patroni: taken away" {
		t.Error(got)
	}
	r.Server.Socket = "/nowhere"
	if got := look(); got != "state: postgres does not answer" {
		t.Error(got)
	}
}

// TestBackupSince has a word about the leader that took over.
func TestBackupSince(t *testing.T) {
	h, _, system := backed(t)
	b := Backup{Stanza: Stanza{Server: live.server, Name: "pg-test", Config: "/etc/pgbackrest.conf", Repository: "/pg/backup"}, Type: "full"}
	if c := b.since(t.Context(), h); !c.Empty() || c.Note != "the leader that took over has no backup in its own repository: `pigsty pg backup pg-test` makes one" {
		t.Errorf("%s", shown(c))
	}
	write(t, h, "/pg/backup/backup/pg-test/backup.info", fmt.Sprintf(info, system, 17))
	shared := b
	shared.Shared, shared.Repository = true, ""
	for _, one := range []Backup{b, shared} {
		if c := one.since(t.Context(), h); !c.Empty() || c.Note != "" {
			t.Errorf("%s", shown(c))
		}
	}
}

// TestHanded takes a server from Patroni: once that is remembered, it is so.
func TestHanded(t *testing.T) {
	fake := resourcetest.New()
	h := fake.Host
	o := Handed{Name: "pg-test-2", Data: "/pg/data", Unit: "postgres.service"}
	if err := o.Apply(t.Context(), h); err == nil || !strings.Contains(err.Error(), "pg-test-2 has no data in /pg/data, and its cluster runs without Patroni") {
		t.Error(err)
	}
	joins := o
	joins.New = true
	fails(t, h, joins, "copy it with pg_basebackup, or write patroni_mode: pause until it has joined")
	write(t, h, "/pg/data/PG_VERSION", "17\n")
	follows := o
	follows.Replica = true
	fails(t, h, follows, "pg-test-2 is a leader, and a replica by the inventory")
	write(t, h, "/pg/data/standby.signal", "")
	fails(t, h, o, "pg-test-2 is a replica, and a leader by the inventory")
	if err := o.Apply(t.Context(), h); err == nil || !strings.Contains(err.Error(), "`pigsty pg switchover` first") {
		t.Error(err)
	}
	o = follows
	reach(t, h, o, "run (Patroni still has the server) impact none note from here on postgres.service runs it")
	if m, err := resource.LoadManifest(h.Files); err != nil || len(m.Units()) != 1 {
		t.Errorf("a host that loses power now forgets it: %v, %v", m.Units(), err)
	}
	write(t, h, "/etc/systemd/system/postgres.service", "[Service]\n")
	reach(t, h, Returned{Name: "pg-test-2", Unit: "postgres.service"},
		"run (postgres.service has the server) impact none note Patroni takes it over as it runs; nothing is interrupted")
	if _, err := h.Files.Stat("/etc/systemd/system/postgres.service"); err == nil {
		t.Error("its file is still there")
	}
}
