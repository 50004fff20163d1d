package pgsql

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pigsty/internal/resource/postgres"
)

// follow returns the timeline that a recovery follows: the newest unless
// another is asked for. Its number is 0 where it is that of the backup.
func (t *PITR) follow(seen postgres.BackupsSeen) (postgres.Timeline, error) {
	if t.Timeline == "current" || t.Type == "immediate" {
		return postgres.Timeline{}, nil
	}
	newest := postgres.Timeline{ID: 1}
	known := []string{"1"}
	for _, l := range seen.Timelines {
		newest = l
		known = append(known, strconv.Itoa(l.ID))
	}
	n, ok := t.line()
	switch {
	case !ok:
		return newest, nil
	case n == 1:
		return postgres.Timeline{ID: 1}, nil
	}
	for _, l := range seen.Timelines {
		if l.ID == n {
			return l, nil
		}
	}
	return newest, fmt.Errorf("its archive has no timeline %d; there are %s", n, strings.Join(known, ", "))
}

// line returns the number of the timeline that is asked for, if one is.
func (t *PITR) line() (int, bool) {
	n, err := strconv.Atoi(t.Timeline)
	return n, err == nil
}

// timelineOf returns the timeline that a backup was made on.
func timelineOf(s postgres.BackupSet) int {
	id, err := strconv.ParseUint(s.StartWAL[:min(8, len(s.StartWAL))], 16, 32)
	if err != nil {
		return 0
	}
	return int(id)
}

// apart says why line cannot be reached from a backup; "" if it can. A history
// that the archive lacks is of a leader that archived elsewhere, and with it the
// WAL is missing.
func apart(s postgres.BackupSet, line postgres.Timeline, seen postgres.BackupsSeen) string {
	of := timelineOf(s)
	if line.ID == 0 || of == line.ID {
		return ""
	}
	at := slices.IndexFunc(line.Branches, func(b postgres.Branch) bool { return b.Timeline == of })
	if at < 0 {
		return fmt.Sprintf("it is of timeline %d, from which %d does not descend", of, line.ID)
	}
	end, err := parseLSN(line.Branches[at].End)
	stop, err2 := parseLSN(s.StopLSN)
	if err != nil || err2 != nil || stop > end {
		return fmt.Sprintf("it is of timeline %d after LSN %s, where %d branched off", of, line.Branches[at].End, child(line, at))
	}
	for i := at; i < len(line.Branches); i++ {
		id := child(line, i)
		if began(seen, id).IsZero() && id != seen.Server.Timeline {
			return fmt.Sprintf("it is of timeline %d, and the archive has nothing of timeline %d, which another member led", of, id)
		}
	}
	return ""
}

// child returns the timeline that began at a branch of line.
func child(line postgres.Timeline, branch int) int {
	if branch+1 < len(line.Branches) {
		return line.Branches[branch+1].Timeline
	}
	return line.ID
}

// began returns when a timeline began, zero if its history is not archived.
func began(seen postgres.BackupsSeen, id int) time.Time {
	for _, l := range seen.Timelines {
		if l.ID == id {
			return l.Began
		}
	}
	return time.Time{}
}

// abandoned reports a moment that is on no part of the timeline to follow: what
// was committed between the target of an earlier restore and its end went with
// the timeline that the restore left. Naming a timeline says which is meant.
func (t *PITR) abandoned(at time.Time, line postgres.Timeline, seen postgres.BackupsSeen) error {
	if n, named := t.line(); named {
		return t.over(at, n, seen)
	}
	for i, b := range line.Branches {
		next := child(line, i)
		until := began(seen, next)
		if until.IsZero() {
			until = seen.Now
		}
		from, certain := left(b, until, seen)
		if at.Before(from) || !at.Before(until) {
			continue
		}
		when := fmt.Sprintf("timeline %d, which was given up for %d at %s (LSN %s, %s)", b.Timeline, next, until.UTC().Format(clock), b.End, b.Reason)
		if certain {
			return fmt.Errorf("%s is on %s: --timeline %d restores it", t.Time, when, b.Timeline)
		}
		return fmt.Errorf("%s may be on %s: say which is meant, --timeline %d for what was there before that restore, --timeline %d for what was kept by it",
			t.Time, when, b.Timeline, line.ID)
	}
	return nil
}

// over reports a moment when the timeline that is named had ended already.
func (t *PITR) over(at time.Time, line int, seen postgres.BackupsSeen) error {
	if len(seen.Timelines) == 0 {
		return nil
	}
	newest := seen.Timelines[len(seen.Timelines)-1]
	for i, b := range newest.Branches {
		next := child(newest, i)
		if ended := began(seen, next); b.Timeline == line && !ended.IsZero() && !at.Before(ended) {
			return fmt.Errorf("%s is after the end of timeline %d, which was given up for %d at %s: leave --timeline out, or name a later one",
				t.Time, line, next, ended.UTC().Format(clock))
		}
	}
	return nil
}

// promotion is the reason of a branch at the end of all WAL: nothing was left.
const promotion = "no recovery target specified"

// left returns from which moment on a timeline that was left is abandoned: no
// later than until, when the next one began. The server notes the moment of a
// target that is one; of any other only the backups before it give an idea, and
// the moment is the earliest that it may be.
func left(b postgres.Branch, until time.Time, seen postgres.BackupsSeen) (from time.Time, certain bool) {
	if b.Reason == promotion {
		return until, true
	}
	_, moment, _ := strings.Cut(b.Reason, " ")
	if at, err := parseTime(moment); err == nil {
		return at, true
	}
	end, _ := parseLSN(b.End)
	for _, s := range seen.Sets {
		if stop, err := parseLSN(s.StopLSN); err == nil && stop <= end && s.Stop.Before(until) && s.Stop.After(from) {
			from = s.Stop
		}
	}
	return from, false
}

// Timeline says which timeline the recovery follows, and where it came from.
func (r *Recovery) Timeline() string {
	id := r.Line.ID
	if id == 0 {
		id = timelineOf(r.Set)
	}
	text := strconv.Itoa(id)
	if n := len(r.Line.Branches); n > 0 {
		b := r.Line.Branches[n-1]
		text += fmt.Sprintf(", which left %d at LSN %s (%s)", b.Timeline, b.End, b.Reason)
	}
	if now := r.Seen.Server.Timeline; now > 0 && now != id && !r.Foreign {
		text += fmt.Sprintf("; the server is on %d", now)
	}
	return text
}
