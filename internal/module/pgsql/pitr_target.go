package pgsql

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pigsty/internal/diag"
	"pigsty/internal/resource/postgres"
)

// clock is how moments are shown.
const clock = "2006-01-02 15:04:05Z07:00"

// timeLayouts are the ways to write a moment. Each has a zone: without one the
// operator's and the server's idea of it may be hours apart.
var timeLayouts = []string{"2006-01-02 15:04:05Z07", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z0700", "2006-01-02 15:04:05 MST"}

// parseTime reads a recovery target.
func parseTime(text string) (time.Time, error) {
	text = strings.Replace(strings.TrimSpace(text), "T", " ", 1)
	for _, layout := range timeLayouts {
		at, err := time.Parse(layout, text)
		if err == nil && (!strings.HasSuffix(layout, "MST") || strings.HasSuffix(text, "UTC") || strings.HasSuffix(text, "GMT")) {
			return at, nil
		}
	}
	if _, err := time.Parse(time.DateTime, text); err == nil {
		return time.Time{}, fmt.Errorf("%q has no time zone: write %s+00 if that is UTC, or with the offset of your own zone", text, text)
	}
	return time.Time{}, fmt.Errorf("%q is no time like 2030-01-31 12:00:00+00", text)
}

// parseLSN reads a position in the WAL, such as 16/B374D848.
func parseLSN(text string) (uint64, error) {
	high, low, ok := strings.Cut(text, "/")
	h, err := strconv.ParseUint(high, 16, 32)
	l, err2 := strconv.ParseUint(low, 16, 32)
	if !ok || err != nil || err2 != nil {
		return 0, fmt.Errorf("%q is no LSN like 16/B374D848", text)
	}
	return h<<32 | l, nil
}

// pick returns the backup to start from, and the timeline to follow: the newest
// backup that ended before the target and leads there. The error says why there
// is none, or why the target is out of reach.
func (t *PITR) pick(seen postgres.BackupsSeen) (postgres.BackupSet, postgres.Timeline, error) {
	fail := func(format string, args ...any) (postgres.BackupSet, postgres.Timeline, error) {
		return postgres.BackupSet{}, postgres.Timeline{}, fmt.Errorf(format, args...)
	}
	if seen.Problem != "" {
		return fail("its backups cannot be read: %s", seen.Problem)
	}
	sets := slices.DeleteFunc(slices.Clone(seen.Sets), func(s postgres.BackupSet) bool { return s.Failed })
	if len(sets) == 0 {
		return fail("its repository has no backup to start from")
	}
	line, err := t.follow(seen)
	if err != nil {
		return fail("%w", err)
	}
	usable, err := t.reach(line, seen)
	if err != nil {
		return fail("%w", err)
	}
	oldest := sets[0]
	before := slices.DeleteFunc(slices.Clone(sets), func(s postgres.BackupSet) bool { return !usable(s) })
	if len(before) == 0 {
		return fail("%s is before the end of the oldest backup, %s: nothing before %s (LSN %s) can be restored",
			t.Words(), oldest.Label, oldest.Stop.UTC().Format(clock), oldest.StopLSN)
	}
	if t.Set != "latest" && t.Set != "" {
		at := slices.IndexFunc(sets, func(s postgres.BackupSet) bool { return s.Label == t.Set })
		switch {
		case at < 0:
			return fail("%w", t.unknownSet(sets))
		case !usable(sets[at]):
			return fail("%s is before the end of backup %s, %s (LSN %s)", t.Words(), t.Set, sets[at].Stop.UTC().Format(clock), sets[at].StopLSN)
		}
		if why := apart(sets[at], line, seen); why != "" {
			return fail("timeline %d cannot be reached from backup %s: %s; leave --set out, or restore along its own timeline by --timeline %d", line.ID, t.Set, why, timelineOf(sets[at]))
		}
		return sets[at], line, nil
	}
	for _, s := range slices.Backward(before) {
		if apart(s, line, seen) == "" {
			return s, line, nil
		}
	}
	newest := before[len(before)-1]
	return fail("no backup before %s leads to timeline %d. The newest is %s: %s. --timeline %d restores along its own timeline; `pigsty pg backup` makes a backup for the next time",
		t.Words(), line.ID, newest.Label, apart(newest, line, seen), timelineOf(newest))
}

// unknownSet says that there is no backup with the label that is asked for.
func (t *PITR) unknownSet(sets []postgres.BackupSet) error {
	var labels []string
	for _, s := range sets {
		labels = append(labels, s.Label)
	}
	near := ""
	if n := diag.Nearest(t.Set, slices.Values(labels)); n != "" {
		near = fmt.Sprintf(" (did you mean %s?)", n)
	}
	return fmt.Errorf("there is no backup %s%s; there are %s", t.Set, near, strings.Join(labels, ", "))
}

// reach returns which backups ended before the target, or why it does not exist
// yet or any more.
func (t *PITR) reach(line postgres.Timeline, seen postgres.BackupsSeen) (func(postgres.BackupSet) bool, error) {
	server := seen.Server
	leads := server.Running && !server.Replica && server.Timeline == line.ID // so that its end is the timeline's
	switch {
	case t.Time != "":
		at, err := parseTime(t.Time)
		if err != nil {
			return nil, err
		}
		if at.After(seen.Now) {
			return nil, fmt.Errorf("%s is in the future: it is %s there", t.Time, seen.Now.UTC().Format(clock))
		}
		if err := t.abandoned(at, line, seen); err != nil {
			return nil, err
		}
		return func(s postgres.BackupSet) bool { return s.Stop.Before(at) }, nil
	case t.LSN != "":
		at, err := parseLSN(t.LSN)
		if err != nil {
			return nil, err
		}
		if now, err := parseLSN(server.LSN); err == nil && leads && at > now {
			return nil, fmt.Errorf("LSN %s is in the future: the server is at %s", t.LSN, server.LSN)
		}
		return func(s postgres.BackupSet) bool {
			stop, err := parseLSN(s.StopLSN)
			return err == nil && stop <= at
		}, nil
	case t.XID != nil && leads && uint64(*t.XID) >= server.NextXID:
		return nil, fmt.Errorf("transaction %d is in the future: the next one is %d", *t.XID, server.NextXID)
	}
	return func(postgres.BackupSet) bool { return true }, nil
}

// Lost says what a recovery gives up.
func (r *Recovery) Lost() string {
	if r.Foreign {
		return "everything that " + r.Cluster.Name + " has now"
	}
	if at, err := parseTime(r.Target.Time); err == nil {
		return fmt.Sprintf("everything committed after %s, the last %s", at.UTC().Format(clock), r.Seen.Now.Sub(at).Round(time.Second))
	}
	if at, err := parseLSN(r.Target.LSN); err == nil && r.Seen.Server.Running {
		if now, err := parseLSN(r.Seen.Server.LSN); err == nil {
			return fmt.Sprintf("everything committed after LSN %s, %d MB of WAL", r.Target.LSN, (now-at)>>20)
		}
	}
	switch {
	case r.Target.Type == "immediate":
		return "everything committed after " + r.Set.Stop.UTC().Format(clock)
	case len(r.Target.Targets()) == 0:
		return "nothing that was archived"
	}
	return "everything committed after " + r.Target.Words()
}
