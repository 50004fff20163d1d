package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"pigsty/internal/resource"
)

// Backups only observes: its Diff says which backups the host's repository has of
// a cluster, how far its archive of write-ahead log goes, and what the server
// beside it is at.
type Backups struct {
	Stanza
	Data string // data directory
}

// BackupsSeen is what Backups finds.
type BackupsSeen struct {
	Problem string      `json:"problem,omitempty"` // why the repository could not be read
	Sets    []BackupSet `json:"sets"`              // of the present database cluster, oldest first
	WALMin  string      `json:"wal_min,omitempty"` // the archive's oldest and newest segment
	WALMax  string      `json:"wal_max,omitempty"`

	Server   ServerSeen `json:"server"`
	Recovery *Progress  `json:"recovery,omitempty"` // a restore that is under way or was cut
	Now      time.Time  `json:"now"`                // the host's clock
}

// BackupSet is one backup.
type BackupSet struct {
	Label    string    `json:"label"`
	Type     string    `json:"type"` // full, diff, incr
	Start    time.Time `json:"start"`
	Stop     time.Time `json:"stop"` // the earliest moment that it can be recovered to
	StopLSN  string    `json:"stop_lsn"`
	StartWAL string    `json:"start_wal"` // the first segment that its recovery needs
	Size     int64     `json:"size"`      // bytes of the database
	Failed   bool      `json:"failed,omitempty"`
}

// ServerSeen is the server as it is now.
type ServerSeen struct {
	Running      bool      `json:"running"`
	Replica      bool      `json:"replica,omitempty"`
	Timeline     int       `json:"timeline,omitempty"`
	LSN          string    `json:"lsn,omitempty"`
	NextXID      uint64    `json:"next_xid,omitempty"`
	LastArchived time.Time `json:"last_archived,omitzero"` // when a segment was archived last
	LastFailed   time.Time `json:"last_failed,omitzero"`   // when archiving one failed last
	FailedWAL    string    `json:"failed_wal,omitempty"`
}

// ArchiveFails reports whether the newest attempt to archive a segment failed.
func (s ServerSeen) ArchiveFails() bool { return s.LastFailed.After(s.LastArchived) }

// Key returns "backups NAME".
func (b Backups) Key() string { return "backups " + b.Name }

// Requires returns nothing: it is observed alone.
func (b Backups) Requires() []string { return nil }

const serverQuery = `SELECT pg_is_in_recovery(),
  (SELECT timeline_id FROM pg_control_checkpoint()),
  CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_replay_lsn()::text, '') ELSE pg_current_wal_lsn()::text END,
  CASE WHEN pg_is_in_recovery() THEN 0 ELSE (pg_snapshot_xmax(pg_current_snapshot())::text::bigint & 4294967295) END,
  coalesce(last_archived_time, 'epoch'), coalesce(last_failed_time, 'epoch'), coalesce(last_failed_wal, '')
FROM pg_stat_archiver`

// Diff returns one attribute, which SeenBackups reads.
func (b Backups) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	seen := BackupsSeen{Sets: []BackupSet{}, Now: time.Now()}
	var err error
	if seen.Server, err = b.server(ctx, h); err != nil {
		return resource.Change{}, err
	}
	look, cancel := context.WithTimeout(ctx, stanzaLook)
	defer cancel()
	if out, err := b.run(look, h, "--output=json", "info"); err != nil {
		seen.Problem = err.Error()
	} else if err := seen.read(out, b.Name); err != nil {
		seen.Problem = err.Error()
	}
	if seen.Recovery, err = readProgress(h); err != nil {
		return resource.Change{}, err
	}
	data, err := json.Marshal(seen)
	if err != nil {
		return resource.Change{}, err
	}
	return resource.Change{Attrs: []resource.Attr{{Name: "backups", New: string(data)}}}, nil
}

// server asks the server about itself.
func (b Backups) server(ctx context.Context, h *resource.Host) (ServerSeen, error) {
	s := ServerSeen{Running: true}
	err := b.pass(h).with(ctx, maintenance, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, serverQuery).Scan(&s.Replica, &s.Timeline, &s.LSN, &s.NextXID, &s.LastArchived, &s.LastFailed, &s.FailedWAL)
	})
	if errors.Is(err, errNotRunning) {
		return ServerSeen{}, nil
	}
	for _, at := range []*time.Time{&s.LastArchived, &s.LastFailed} {
		if at.Unix() == 0 { // never
			*at = time.Time{}
		}
	}
	return s, serverError(err)
}

// Apply does nothing.
func (b Backups) Apply(context.Context, *resource.Host) error { return nil }

// SeenBackups returns what the Diff of a Backups was about.
func SeenBackups(c resource.Change) (BackupsSeen, error) {
	var out BackupsSeen
	if len(c.Attrs) == 0 {
		return out, errors.New("nothing was seen of the backups")
	}
	if err := json.Unmarshal([]byte(c.Attrs[0].New), &out); err != nil {
		return out, fmt.Errorf("read what was seen of the backups: %w", err)
	}
	return out, nil
}

// infoAnswer is what "pgbackrest --output=json info" prints, one of these a stanza.
// https://pgbackrest.org/command.html#command-info
type infoAnswer struct {
	Name string `json:"name"`
	DB   []struct {
		ID      int    `json:"id"`
		System  uint64 `json:"system-id"`
		Version string `json:"version"`
	} `json:"db"`
	Archive []struct {
		Database struct {
			ID int `json:"id"`
		} `json:"database"`
		Min string `json:"min"`
		Max string `json:"max"`
	} `json:"archive"`
	Backup []struct {
		Label    string `json:"label"`
		Type     string `json:"type"`
		Error    bool   `json:"error"`
		Database struct {
			ID int `json:"id"`
		} `json:"database"`
		Archive struct {
			Start string `json:"start"`
		} `json:"archive"`
		LSN struct {
			Stop string `json:"stop"`
		} `json:"lsn"`
		Timestamp struct {
			Start int64 `json:"start"`
			Stop  int64 `json:"stop"`
		} `json:"timestamp"`
		Info struct {
			Size int64 `json:"size"`
		} `json:"info"`
	} `json:"backup"`
	Status struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Lock    struct {
			Backup struct {
				Held bool  `json:"held"`
				Size int64 `json:"size"`
				Done int64 `json:"size-cplt"`
			} `json:"backup"`
		} `json:"lock"`
	} `json:"status"`
}

// statusOther is the code of a stanza that pgBackRest could not look at.
const statusOther = 99

// parseAnswers reads what "pgbackrest --output=json info" printed of the stanza
// called name; ok is whether there is one.
func parseAnswers(out []byte, name string) (answer infoAnswer, ok bool, err error) {
	var stanzas []infoAnswer
	if err := json.Unmarshal(out, &stanzas); err != nil {
		return answer, false, fmt.Errorf("pgbackrest info: %w", err)
	}
	for _, st := range stanzas {
		if st.Name != name {
			continue
		}
		if st.Status.Code == statusOther {
			return answer, false, errors.New(st.Status.Message)
		}
		return st, true, nil
	}
	return answer, false, nil
}

// current returns the number by which the stanza knows the database cluster that
// it is of now, 0 if it is of none yet.
func (a infoAnswer) current() int {
	last := 0
	for _, db := range a.DB {
		last = max(last, db.ID)
	}
	return last
}

// read takes pgBackRest's answer.
func (s *BackupsSeen) read(out []byte, name string) error {
	answer, _, err := parseAnswers(out, name)
	if err != nil {
		return err
	}
	now := answer.current()
	for _, a := range answer.Archive {
		if a.Database.ID == now {
			s.WALMin, s.WALMax = a.Min, a.Max
		}
	}
	for _, b := range answer.Backup {
		if b.Database.ID != now {
			continue
		}
		s.Sets = append(s.Sets, BackupSet{
			Label: b.Label, Type: b.Type, Start: time.Unix(b.Timestamp.Start, 0), Stop: time.Unix(b.Timestamp.Stop, 0),
			StopLSN: b.LSN.Stop, StartWAL: b.Archive.Start, Size: b.Info.Size, Failed: b.Error,
		})
	}
	slices.SortStableFunc(s.Sets, func(a, b BackupSet) int { return a.Stop.Compare(b.Stop) })
	return nil
}
