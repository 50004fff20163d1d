package pgsql

import (
	"fmt"
	"strings"
)

// kept reports what would be lost beyond what is asked for: WAL that no archive
// has, and what is set aside with the data directory and yet overwritten.
func (r *Recovery) kept() error {
	server := r.Seen.Server
	switch {
	case r.Target.Backup && r.Seen.Aside:
		return fmt.Errorf("%s is there already, from an earlier restore: remove it or move it away", r.Member.aside())
	case r.Target.Backup && len(r.Seen.Tablespaces) > 0:
		return fmt.Errorf("backup: true of pg_pitr keeps the data directory alone, and a restore writes over its tablespaces, which are elsewhere (%s): "+
			"copy them yourself, and restore without it", strings.Join(r.Seen.Tablespaces, ", "))
	case r.Foreign || !server.Running || server.Replica || !server.ArchiveFails():
		return nil
	case !r.inArchive():
		return fmt.Errorf("archiving fails since %s, at segment %s, so that what is asked for may be in no archive: mend the archive first; `pigsty pg status %s` shows when it works",
			server.LastFailed.UTC().Format(clock), server.FailedWAL, r.Cluster.Name)
	case !r.Target.Backup:
		return fmt.Errorf("archiving fails since %s, and WAL from segment %s on is in no archive: the restore would destroy it. Mend the archive first, or keep the data directory by backup: true in pg_pitr",
			server.LastFailed.UTC().Format(clock), server.FailedWAL)
	}
	return nil
}

// inArchive reports whether all that leads to the target is certain to be in the
// archive, whatever becomes of the newest WAL.
func (r *Recovery) inArchive() bool {
	if r.record != nil && r.record.Request == r.request() {
		return r.record.InArchive
	}
	if r.Foreign {
		return false // nobody who is asked writes there
	}
	server, t := r.Seen.Server, r.Target
	if r.Line.ID > 0 && r.Line.ID < server.Timeline {
		return true // what is written now is no part of it
	}
	if at, err := parseLSN(t.LSN); err == nil {
		return at <= server.ArchivedTo
	}
	if at, err := parseTime(t.Time); err == nil {
		return at.Before(server.ArchivedUntil)
	}
	return t.Type == "immediate"
}

// complete reports whether the repository has all that was committed: that of the
// member which archives does, once it has stopped.
func (r *Recovery) complete() bool {
	if r.record != nil {
		return r.record.Whole
	}
	server := r.Seen.Server
	return server.Running && !server.Replica && !server.ArchiveFails()
}

// whole reports whether the repository has all that was committed on the timeline
// that is followed.
func (r *Recovery) whole() bool {
	newest := r.Seen.Server.Timeline
	if n := len(r.Seen.Timelines); n > 0 {
		newest = r.Seen.Timelines[n-1].ID
	}
	return !r.Foreign && r.complete() && r.Line.ID == max(newest, 1)
}
