package postgres

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

// third is the history file of a timeline, as PostgreSQL 17 writes it.
const third = "1\t0/701E7D0\tbefore 2030-01-31 15:10:37.864313+00\n\n\n2\t0/A027658\tat restore point \"before the mistake\"\n"

func TestTimelines(t *testing.T) {
	fake := resourcetest.New()
	b := Backups{Stanza: Stanza{Name: "pg-test", Config: "/etc/pgbackrest.conf"}, Data: "/pg/data", Timeline: 2}
	fake.Shell.Answer = func(c resource.Command) ([]byte, error) {
		switch at := c.Args[len(c.Args)-1]; at {
		case "archive/pg-test/17-2":
			return []byte(`{"00000002.history":{"type":"file","size":50,"time":1895878800},"0000000A.history":{"type":"file","size":101,"time":1895879400}}`), nil
		case "archive/pg-test/17-2/0000000A.history":
			return []byte(third), nil
		case "archive/pg-test/17-2/00000002.history":
			return []byte("1\t0/701E7D0\tno recovery target specified\n"), nil
		default:
			return nil, fmt.Errorf("asked for %s", at)
		}
	}
	asked := Timeline{ID: 2, Began: time.Unix(1895878800, 0), Branches: []Branch{{1, "0/701E7D0", "no recovery target specified"}}}
	newest := Timeline{ID: 10, Began: time.Unix(1895879400, 0), Branches: []Branch{
		{1, "0/701E7D0", "before 2030-01-31 15:10:37.864313+00"}, {2, "0/A027658", `at restore point "before the mistake"`}}}
	got, err := b.timelines(t.Context(), fake.Host, "17-2", ServerSeen{Timeline: 10})
	if want := []Timeline{asked, newest}; err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v\n%s", err, cmp.Diff(want, got))
	}

	// The server was promoted just now. Only what is asked for and the newest is read.
	write(t, fake.Host, "/pg/data/pg_wal/0000000B.history", third)
	b.Timeline = 0
	got, err = b.timelines(t.Context(), fake.Host, "17-2", ServerSeen{Timeline: 11})
	asked.Branches, newest.ID = nil, 11
	later := newest
	newest.ID, newest.Branches, later.Began = 10, nil, time.Time{}
	if want := []Timeline{asked, newest, later}; err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v\n%s", err, cmp.Diff(want, got))
	}
	if _, err := b.timelines(t.Context(), fake.Host, "17-2", ServerSeen{Timeline: 12}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "history of timeline 12") {
		t.Error(err)
	}
	if _, err := parseHistory("one\t0/1\n"); err == nil {
		t.Error("a line without a number is taken")
	}
}

// TestServerSeen asks the live server, which archives nothing.
func TestServerSeen(t *testing.T) {
	h := host(t)
	seen, err := Backups{Stanza: Stanza{Server: live.server}}.server(t.Context(), h)
	if err != nil || !seen.Running || seen.Timeline != 1 || seen.ArchivedTo != 0 || !seen.ArchivedUntil.IsZero() || seen.ArchiveFails() {
		t.Errorf("%+v, %v", seen, err)
	}
	for name, want := range map[string]uint64{
		"0000000300000002000000FF": 0x300000000, "00000001000000000000000A": 0xB000000,
		"00000003.history": 0, "00000003000000000000000C.00000028.backup": 0, "": 0,
	} {
		if got := segmentEnd(name, 16<<20); got != want {
			t.Errorf("%s ends at %X, not %X", name, got, want)
		}
	}
}
