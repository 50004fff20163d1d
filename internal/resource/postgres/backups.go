package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"pigsty/internal/resource"
)

// Backups only observes: its Diff says which backups the host's repository has of
// a cluster, how far its archive of write-ahead log goes, and what the server
// beside it is at.
type Backups struct {
	Stanza
	Data  string // data directory
	Bin   string // directory of pg_controldata
	Aside string // where a restore would set it aside

	From *Elsewhere // where the backups are; nil for the cluster's own place

	History  bool // whether to look at the timelines, too
	Timeline int  // one whose history is wanted beside the newest one's
}

// BackupsSeen is what Backups finds.
type BackupsSeen struct {
	Problem string      `json:"problem,omitempty"` // why the repository could not be read
	Sets    []BackupSet `json:"sets"`              // of the present database cluster, oldest first
	WALMin  string      `json:"wal_min,omitempty"` // the archive's oldest and newest segment
	WALMax  string      `json:"wal_max,omitempty"`
	System  uint64      `json:"system,string,omitempty"` // identifier of the database cluster that the backups are of
	Version string      `json:"version,omitempty"`       // its major version
	Own     *OwnSeen    `json:"own,omitempty"`           // the cluster's own place, where the backups are elsewhere

	Timelines   []Timeline `json:"timelines,omitempty"`   // by number, without the first
	Tablespaces []string   `json:"tablespaces,omitempty"` // where they are
	Aside       bool       `json:"aside,omitempty"`       // whether something is where the data directory would be set aside

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
	StartWAL string    `json:"start_wal"` // the first segment that its recovery needs; begins with the timeline
	Size     int64     `json:"size"`      // bytes of the database
	Failed   bool      `json:"failed,omitempty"`
}

// ServerSeen is the server as it is now.
type ServerSeen struct {
	Running      bool      `json:"running"`
	System       uint64    `json:"system,string,omitempty"` // its identifier; of one that does not run only where its history is asked for
	Replica      bool      `json:"replica,omitempty"`
	Timeline     int       `json:"timeline,omitempty"`
	LSN          string    `json:"lsn,omitempty"`
	NextXID      uint64    `json:"next_xid,omitempty"`
	LastArchived time.Time `json:"last_archived,omitzero"` // when a segment was archived last
	LastFailed   time.Time `json:"last_failed,omitzero"`   // when archiving one failed last
	FailedWAL    string    `json:"failed_wal,omitempty"`

	// What is certain to be archived: everything before this position, and
	// before this moment. Zero if nobody can tell.
	ArchivedTo    uint64    `json:"archived_to,omitempty"`
	ArchivedUntil time.Time `json:"archived_until,omitzero"`
}

// Other reports whether the backups are certainly of another database cluster
// than the one in the data directory.
func (s BackupsSeen) Other() bool {
	return s.System != 0 && s.Server.System != 0 && s.System != s.Server.System
}

// ArchiveFails reports whether the newest attempt to archive a segment failed.
func (s ServerSeen) ArchiveFails() bool { return s.LastFailed.After(s.LastArchived) }

// Key returns "backups NAME".
func (b Backups) Key() string { return "backups " + b.Name }

// Requires returns nothing: it is observed alone.
func (b Backups) Requires() []string { return nil }

// serverQuery asks for what ServerSeen holds. The control file of a server that
// was promoted has the timeline of before until its first checkpoint. A segment
// is last written to when it is full.
const serverQuery = `SELECT pg_is_in_recovery(),
  CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())
    ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END,
  CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_replay_lsn()::text, '') ELSE pg_current_wal_lsn()::text END,
  CASE WHEN pg_is_in_recovery() THEN 0 ELSE (pg_snapshot_xmax(pg_current_snapshot())::text::bigint & 4294967295) END,
  coalesce(last_archived_time, 'epoch'), coalesce(last_failed_time, 'epoch'), coalesce(last_failed_wal, ''),
  coalesce(last_archived_wal, ''), pg_size_bytes(current_setting('wal_segment_size')),
  coalesce((pg_stat_file('pg_wal/' || last_archived_wal, true)).modification, 'epoch'),
  (SELECT system_identifier FROM pg_control_system())
FROM pg_stat_archiver`

// Diff returns one attribute, which SeenBackups reads.
func (b Backups) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	seen := BackupsSeen{Sets: []BackupSet{}, Now: time.Now()}
	var err error
	if seen.Server, err = b.server(ctx, h); err != nil {
		return resource.Change{}, err
	}
	if b.History && !seen.Server.Running {
		if seen.Server.System, err = systemOf(ctx, h, b.Data, b.Bin, b.withDefaults().User); err != nil {
			return resource.Change{}, err
		}
	}
	if err := b.look(ctx, h, &seen); err != nil {
		seen.Problem = err.Error()
	}
	if seen.Tablespaces, err = tablespaces(h, b.Data); err != nil {
		return resource.Change{}, err
	}
	if b.Aside != "" {
		_, err := h.Files.Stat(b.Aside)
		seen.Aside = err == nil
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

// look adds what is in the repository.
func (b Backups) look(ctx context.Context, h *resource.Host, seen *BackupsSeen) error {
	ctx, cancel := context.WithTimeout(ctx, stanzaLook)
	defer cancel()
	own := b.Stanza
	if b.From != nil {
		there, done, err := b.From.open(h, own)
		if err != nil {
			return err
		}
		defer done()
		b.Stanza = there
	}
	out, err := b.run(ctx, h, "--output=json", "info")
	if err != nil {
		return err
	}
	archive, err := seen.read(out, b.Name)
	if err != nil {
		return err
	}
	if b.From != nil {
		seen.Own = own.seeOwn(ctx, h, seen.System)
	}
	if !b.History || archive == "" {
		return nil
	}
	server := seen.Server
	if b.From != nil || seen.Other() { // its timelines are not those of the archive
		server = ServerSeen{}
	}
	seen.Timelines, err = b.timelines(ctx, h, archive, server)
	return err
}

// server asks the server about itself.
func (b Backups) server(ctx context.Context, h *resource.Host) (ServerSeen, error) {
	s := ServerSeen{Running: true}
	archived, size, system := "", uint64(0), int64(0)
	err := b.pass(h).with(ctx, maintenance, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, serverQuery).Scan(&s.Replica, &s.Timeline, &s.LSN, &s.NextXID, &s.LastArchived, &s.LastFailed, &s.FailedWAL,
			&archived, &size, &s.ArchivedUntil, &system)
	})
	s.System = uint64(system)
	if errors.Is(err, errNotRunning) {
		return ServerSeen{}, nil
	}
	if s.ArchivedTo = segmentEnd(archived, size); s.ArchivedTo == 0 { // a history file
		s.ArchivedUntil = time.Time{}
	}
	for _, at := range []*time.Time{&s.LastArchived, &s.LastFailed, &s.ArchivedUntil} {
		if at.Unix() == 0 { // never
			*at = time.Time{}
		}
	}
	return s, serverError(err)
}

// segmentEnd returns the position right after a segment of WAL, of the given
// size in bytes; 0 if name is none.
func segmentEnd(name string, size uint64) uint64 {
	if len(name) != 24 {
		return 0
	}
	high, err := strconv.ParseUint(name[8:16], 16, 32)
	low, err2 := strconv.ParseUint(name[16:], 16, 32)
	if err != nil || err2 != nil {
		return 0
	}
	return high<<32 + (low+1)*size
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
