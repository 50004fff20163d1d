package pgsql

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pigsty/internal/resource/postgres"
)

// restored is backups after a restore to 10 o'clock: timeline 2 began at 11, and
// what the backup of 10:30 has was given up. reason is how the server says it.
func restored(reason string) postgres.BackupsSeen {
	seen := backups()
	at := func(clock string) time.Time {
		t, err := time.Parse(time.DateTime, "2030-01-31 "+clock)
		if err != nil {
			panic(err)
		}
		return t
	}
	seen.Sets = append(seen.Sets[:2],
		postgres.BackupSet{Label: "20300131-102900F", Stop: at("10:30:00"), StopLSN: "0/B000100", StartWAL: "00000001000000000000000B"},
		postgres.BackupSet{Label: "20300131-110900F", Stop: at("11:10:00"), StopLSN: "0/A800100", StartWAL: "00000002000000000000000A"})
	seen.Timelines = []postgres.Timeline{{ID: 2, Began: at("11:00:00"), Branches: []postgres.Branch{{Timeline: 1, End: "0/A000000", Reason: reason}}}}
	seen.Server.Timeline = 2
	return seen
}

// TestRecoveryTimeline restores after an earlier restore: along the timeline
// that is meant, from a backup that leads to it.
func TestRecoveryTimeline(t *testing.T) {
	const toTime, toName = "before 2030-01-31 10:00:00.5+00", `at restore point "x"`
	without := func(seen postgres.BackupsSeen, label string) postgres.BackupsSeen {
		seen.Sets = slices.DeleteFunc(seen.Sets, func(s postgres.BackupSet) bool { return s.Label == label })
		return seen
	}
	elsewhere := without(restored(toTime), "20300131-110900F") // timeline 2 was another member's, which archived elsewhere
	elsewhere.Timelines = []postgres.Timeline{{ID: 3, Began: elsewhere.Timelines[0].Began, Branches: []postgres.Branch{
		{Timeline: 1, End: "0/A000000", Reason: "no recovery target specified"}, {Timeline: 2, End: "0/A800000", Reason: "no recovery target specified"}}}}
	elsewhere.Server.Timeline = 3
	for _, tt := range []struct {
		name   string
		target PITR
		seen   postgres.BackupsSeen
		want   string // label of the backup, the timeline and how it came to be; or the end of the error
	}{
		{"after the restore", PITR{Time: "2030-01-31 11:30:00+00"}, restored(toTime), "20300131-110900F 2, which left 1 at LSN 0/A000000 (" + toTime + ")"},
		{"before the restore's target", PITR{Time: "2030-01-31 09:59:00+00"}, restored(toTime), "20300131-010000F_20300131-090000I 2, which left 1 at LSN 0/A000000 (" + toTime + ")"},
		{"what was given up", PITR{Time: "2030-01-31 10:45:00+00"}, restored(toTime),
			"2030-01-31 10:45:00+00 is on timeline 1, which was given up for 2 at 2030-01-31 11:00:00Z (LSN 0/A000000, " + toTime + "): --timeline 1 restores it"},
		{"what was given up, by its timeline", PITR{Time: "2030-01-31 10:45:00+00", Timeline: "1"}, restored(toTime), "20300131-102900F 1; the server is on 2"},
		{"after a timeline's end", PITR{Time: "2030-01-31 11:30:00+00", Timeline: "1"}, restored(toTime),
			"2030-01-31 11:30:00+00 is after the end of timeline 1, which was given up for 2 at 2030-01-31 11:00:00Z: leave --timeline out, or name a later one"},
		{"it is not known what was given up", PITR{Time: "2030-01-31 09:30:00+00"}, restored(toName),
			"2030-01-31 09:30:00+00 may be on timeline 1, which was given up for 2 at 2030-01-31 11:00:00Z (LSN 0/A000000, " + toName + "): say which is meant, --timeline 1 for what was there before that restore, --timeline 2 for what was kept by it"},
		{"it is said what is meant", PITR{Time: "2030-01-31 09:30:00+00", Timeline: "2"}, restored(toName), "20300131-010000F_20300131-090000I 2, which left 1 at LSN 0/A000000 (" + toName + ")"},
		{"before any doubt", PITR{Time: "2030-01-31 09:04:00+00"}, restored(toName), "20300131-010000F 2, which left 1 at LSN 0/A000000 (" + toName + ")"},
		{"a promotion gives up nothing", PITR{Time: "2030-01-31 10:45:00+00"}, restored("no recovery target specified"), "20300131-010000F_20300131-090000I 2, which left 1 at LSN 0/A000000 (no recovery target specified)"},
		{"the newest backup leads elsewhere", PITR{}, without(restored(toTime), "20300131-110900F"), "20300131-010000F_20300131-090000I 2, which left 1 at LSN 0/A000000 (" + toTime + ")"},
		{"a backup that leads elsewhere", PITR{Set: "20300131-102900F"}, restored(toTime),
			"timeline 2 cannot be reached from backup 20300131-102900F: it is of timeline 1 after LSN 0/A000000, where 2 branched off; leave --set out, or restore along its own timeline by --timeline 1"},
		{"a backup and its own timeline", PITR{Set: "20300131-102900F", Timeline: "current"}, restored(toTime), "20300131-102900F 1; the server is on 2"},
		{"a backup alone", PITR{Type: "immediate"}, restored(toTime), "20300131-110900F 2"},
		{"unknown timeline", PITR{Timeline: "3"}, restored(toTime), "its archive has no timeline 3; there are 1, 2"},
		{"position beyond the server's, on another timeline", PITR{LSN: "0/D000000", Timeline: "1"}, restored(toTime), "20300131-102900F 1; the server is on 2"},
		{"a leader that archived elsewhere", PITR{}, elsewhere,
			"no backup before the end of the archive leads to timeline 3. The newest is 20300131-102900F: it is of timeline 1 after LSN 0/A000000, where 2 branched off. --timeline 1 restores along its own timeline; `pigsty pg backup` makes a backup for the next time"},
		{"WAL that is elsewhere", PITR{Set: "20300131-010000F"}, elsewhere,
			"timeline 3 cannot be reached from backup 20300131-010000F: it is of timeline 1, and the archive has nothing of timeline 2, which another member led; leave --set out, or restore along its own timeline by --timeline 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := Recovery{Target: &tt.target, Seen: tt.seen}
			var err error
			r.Set, r.Line, err = tt.target.pick(tt.seen)
			got := r.Set.Label + " " + r.Timeline()
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestRecoveryKeepsWAL refuses, before anything stops, to restore less than is
// asked for, or to destroy what no archive has.
func TestRecoveryKeepsWAL(t *testing.T) {
	failing := func(server *postgres.ServerSeen) {
		server.FailedWAL = "00000001000000000000000C"
		server.LastFailed = backups().Now
		server.ArchivedTo, server.ArchivedUntil = 0xC000000, backups().Now.Add(-90*time.Minute) // 10:30
	}
	for _, tt := range []struct {
		name, target, want string
		seen               func(*postgres.BackupsSeen)
	}{
		{"archiving works", `{"time": "2030-01-31 11:00:00+00"}`, "", func(*postgres.BackupsSeen) {}},
		{"it fails", `{"time": "2030-01-31 11:00:00+00", "backup": true}`, "pg-test-2: archiving fails since 2030-01-31 12:00:00Z, at segment 00000001000000000000000C, so that what is asked for may be in no archive: mend the archive first",
			func(s *postgres.BackupsSeen) { failing(&s.Server) }},
		{"everything", `{"backup": true}`, "may be in no archive", func(s *postgres.BackupsSeen) { failing(&s.Server) }},
		{"a target in the archive", `{"time": "2030-01-31 10:29:59+00", "backup": true}`, "", func(s *postgres.BackupsSeen) { failing(&s.Server) }},
		{"a position in the archive", `{"lsn": "0/C000000", "backup": true}`, "", func(s *postgres.BackupsSeen) { failing(&s.Server) }},
		{"the rest would go", `{"lsn": "0/C000000"}`, "WAL from segment 00000001000000000000000C on is in no archive: the restore would destroy it", func(s *postgres.BackupsSeen) { failing(&s.Server) }},
		{"what an earlier restore kept", `{"backup": true}`, "/pg/data-backup is there already, from an earlier restore", func(s *postgres.BackupsSeen) { s.Aside = true }},
		{"tablespaces", `{"backup": true}`, "a restore writes over its tablespaces, which are elsewhere (/data/fast)", func(s *postgres.BackupsSeen) { s.Tablespaces = []string{"/data/fast"} }},
	} {
		r, err := recoveryOf(t, tt.target, func(seen map[*Member]postgres.BackupsSeen) {
			for m, s := range seen {
				tt.seen(&s)
				seen[m] = s
			}
		})
		switch {
		case (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want):
			t.Errorf("%s: %v", tt.name, err)
		case err == nil && r.whole() != (tt.name == "archiving works"):
			t.Errorf("%s: whole is %v", tt.name, r.whole())
		}
	}
}
