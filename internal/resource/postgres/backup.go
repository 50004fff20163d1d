package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"pigsty/internal/resource"
)

// Backup is a cluster with a backup, made on its leader by pgBackRest.
type Backup struct {
	Stanza
	Type string // full, diff or incr

	// After asks for one that is newer than the backup with this label, "none"
	// for any at all. If it is empty, only a cluster that was never failed over
	// (its first timeline) gets one, and only while it has none: what a new
	// leader's own repository lacks is left to the schedule, so that a failover
	// is not followed by a copy of all data.
	After string
}

// NoBackup is what Backup.After says of a repository without backups.
const NoBackup = "none"

var _ resource.Requirer = Backup{}

// Key returns "backup NAME".
func (b Backup) Key() string { return "backup " + b.Name }

// Requires puts it after the stanza and the check that segments arrive there.
func (b Backup) Requires() []string {
	return []string{b.Stanza.Key(), ArchiveCheck{Stanza: b.Stanza}.Key()}
}

// Diff is a run if the backup is missing.
func (b Backup) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	var recovery bool
	var timeline int
	err := b.pass(h).with(ctx, maintenance, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT pg_is_in_recovery(), timeline_id FROM pg_control_checkpoint()").Scan(&recovery, &timeline)
	})
	switch {
	case errors.Is(err, errNotRunning):
		return resource.Change{Unknown: notRunning}, nil
	case err != nil:
		return resource.Change{}, fmt.Errorf("reading the timeline: %w", serverError(err))
	case recovery:
		return resource.Change{}, resource.ErrNotLeader
	case b.After == "" && timeline > 1:
		return b.since(ctx, h), nil
	}
	if _, pending := h.Pending(b.Stanza.Key()); pending {
		return resource.Change{Action: resource.Run, Reason: "a new cluster has no backup"}, nil
	}
	newest, err := b.newest(ctx, h)
	switch {
	case err != nil: // making one will say the same, and fails only itself
		return resource.Change{Action: resource.Run, Reason: "its repository cannot be read: " + err.Error()}, nil
	case b.After != "" && newest == b.After:
		return resource.Change{Action: resource.Run, Reason: "asked for", Attrs: []resource.Attr{{Name: "type", New: b.Type}},
			Note: "interrupts nothing; it reads the whole data directory"}, nil
	case b.After == "" && newest == NoBackup:
		return resource.Change{Action: resource.Run, Reason: "a new cluster has no backup"}, nil
	}
	return resource.Change{}, nil
}

// since has a word about the repository of a leader that took over, if that is
// its own and has no backup.
func (b Backup) since(ctx context.Context, h *resource.Host) resource.Change {
	if b.Shared {
		return resource.Change{}
	}
	if newest, err := b.newest(ctx, h); err != nil || newest != NoBackup {
		return resource.Change{}
	}
	return resource.Change{Note: "the leader that took over has no backup in its own repository: `pigsty pg backup " + b.Name + "` makes one"}
}

// newest returns the label of the newest backup, NoBackup if there is none.
func (b Backup) newest(ctx context.Context, h *resource.Host) (string, error) {
	if b.Repository != "" && b.After == "" { // whether there is any can be seen without starting a program
		data, err := readInfo(h, path.Join(b.Repository, "backup", b.Name, "backup.info"))
		if errors.Is(err, fs.ErrNotExist) {
			return NoBackup, nil
		}
		if label, ok := lastBackup(string(data)); err != nil || ok {
			return label, err
		}
		return NoBackup, nil
	}
	ctx, cancel := context.WithTimeout(ctx, stanzaLook)
	defer cancel()
	out, err := b.run(ctx, h, "--output=json", "info")
	var seen BackupsSeen
	if err == nil {
		_, err = seen.read(out, b.Name)
	}
	if err != nil || len(seen.Sets) == 0 {
		return NoBackup, err
	}
	return seen.Sets[len(seen.Sets)-1].Label, nil
}

// lastBackup reads the section [backup:current] of an info file.
func lastBackup(text string) (label string, ok bool) {
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = line
		} else if name, _, found := strings.Cut(line, "="); found && section == "[backup:current]" {
			label, ok = name, true
		}
	}
	return label, ok
}

// archivePatience is how long, in seconds, the repository is watched for a
// segment. A push that meets the lock of the stanza's creation gives up after a
// minute and is tried again then.
const archivePatience = "--archive-timeout=90"

// progressEvery is how often a backup or restore that runs says how far it is.
const progressEvery = 3 * time.Second

// Apply makes the backup.
func (b Backup) Apply(ctx context.Context, h *resource.Host) error {
	// Until its first checkpoint the control file of a server that was promoted
	// has the timeline of before, which pgBackRest refuses.
	if err := b.pass(h).run(ctx, maintenance, "CHECKPOINT"); err != nil {
		return fmt.Errorf("backup of %s: checkpoint: %w", b.Name, err)
	}
	done := make(chan struct{})
	defer close(done)
	go b.watch(ctx, h, done)
	_, err := b.run(ctx, h, "--type="+b.Type, archivePatience, "backup")
	var failed *resource.CommandError
	if errors.As(err, &failed) && failed.Code == stanzaBusy {
		return fmt.Errorf("another backup of %s runs, or its stanza is changed now: try again when it is done: %w", b.Name, err)
	}
	return err
}

// watch logs how far a backup is until done is closed.
func (b Backup) watch(ctx context.Context, h *resource.Host, done <-chan struct{}) {
	if h.Control == nil {
		return
	}
	for {
		select {
		case <-done:
			return
		case <-ctx.Done():
			return
		case <-time.After(progressEvery):
		}
		out, err := b.run(ctx, h, "--output=json", "info")
		if err != nil {
			continue
		}
		if answer, ok, err := parseAnswers(out, b.Name); err == nil && ok && answer.Status.Lock.Backup.Size > 0 {
			lock := answer.Status.Lock.Backup
			h.Control.Log(ctx, fmt.Sprintf("%d%% of %d MB copied", 100*lock.Done/lock.Size, lock.Size>>20))
		}
	}
}

// ArchiveCheck is a cluster whose leader's segments of write-ahead log arrive in
// the repository.
type ArchiveCheck struct {
	Stanza
	First bool // also before the first segment: no backup follows that would show it

	Restored bool // the server was just restored from elsewhere: that it archives is to be seen
}

var _ resource.Requirer = ArchiveCheck{}

// Key returns "archive check NAME".
func (a ArchiveCheck) Key() string { return "archive check " + a.Name }

// Requires puts it after the stanza.
func (a ArchiveCheck) Requires() []string { return []string{a.Stanza.Key()} }

// Diff is a run where the stanza is new, or the newest attempt to archive failed.
func (a ArchiveCheck) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	server, err := Backups{Stanza: a.Stanza}.server(ctx, h)
	_, pending := h.Pending(a.Stanza.Key())
	switch {
	case err != nil:
		return resource.Change{}, err
	case !server.Running:
		return resource.Change{Unknown: notRunning}, nil
	case server.Replica:
		return resource.Change{}, resource.ErrNotLeader
	case pending:
		return resource.Change{Action: resource.Run, Reason: "its stanza changes"}, nil
	case a.Restored:
		return resource.Change{Action: resource.Run, Reason: "what was restored has archived nothing yet"}, nil
	case a.First && server.Timeline == 1 && !server.LastArchived.After(time.Unix(0, 0)):
		return resource.Change{Action: resource.Run, Reason: "nothing was archived yet"}, nil
	case server.ArchiveFails():
		return resource.Change{Action: resource.Run, Reason: fmt.Sprintf("archiving %s failed at %s", server.FailedWAL, server.LastFailed.UTC().Format(time.DateTime+"Z07:00"))}, nil
	}
	return resource.Change{}, nil
}

// Apply has the server begin a new segment and waits until the old one arrives.
func (a ArchiveCheck) Apply(ctx context.Context, h *resource.Host) error {
	if err := a.await(ctx, h); err != nil {
		return err
	}
	_, err := a.run(ctx, h, archivePatience, "check")
	return err
}
