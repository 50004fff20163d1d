package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"pigsty/internal/resource"
)

// Timeline is one of a cluster's timelines: each promotion begins one.
type Timeline struct {
	ID       int       `json:"id"`
	Began    time.Time `json:"began,omitzero"`     // when its history was archived; zero if it is not
	Branches []Branch  `json:"branches,omitempty"` // what it descends from, oldest first; of those that were read
}

// Branch is the end of the part that a timeline shares with one it descends from.
type Branch struct {
	Timeline int    `json:"timeline"`
	End      string `json:"end"`    // LSN at which the next timeline begins
	Reason   string `json:"reason"` // in the server's words: "before 2030-01-31 12:00:00+00", "no recovery target specified"
}

// parseHistory reads a history file: a line for each ancestor.
// https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-TIMELINES
func parseHistory(text string) ([]Branch, error) {
	var out []Branch
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.SplitN(line, "\t", 3)
		id, err := strconv.Atoi(fields[0])
		if err != nil || len(fields) < 2 {
			return nil, fmt.Errorf("%q is no line of a timeline's history", line)
		}
		out = append(out, Branch{Timeline: id, End: fields[1], Reason: strings.Join(fields[2:], "")})
	}
	return out, nil
}

// history is the name of a timeline's history file.
func history(timeline int) string { return fmt.Sprintf("%08X.history", timeline) }

// timelines returns the timelines of which the archive has a history, and the
// server's own, by number. The first has no history. Only that of the newest
// and of the one called b.Timeline are read.
func (b Backups) timelines(ctx context.Context, h *resource.Host, archive string, server ServerSeen) ([]Timeline, error) {
	dir := path.Join("archive", b.Name, archive)
	out, err := b.run(ctx, h, "--output=json", "--filter=[.]history$", "repo-ls", dir)
	if err != nil {
		return nil, err
	}
	var files map[string]struct {
		Time int64 `json:"time"`
	}
	if err := json.Unmarshal(out, &files); err != nil {
		return nil, fmt.Errorf("pgbackrest repo-ls: %w", err)
	}
	var found []Timeline
	for name, file := range files {
		number, ok := strings.CutSuffix(name, ".history")
		if id, err := strconv.ParseUint(number, 16, 32); ok && err == nil {
			found = append(found, Timeline{ID: int(id), Began: time.Unix(file.Time, 0)})
		}
	}
	if server.Timeline > 1 && !slices.ContainsFunc(found, func(t Timeline) bool { return t.ID == server.Timeline }) {
		found = append(found, Timeline{ID: server.Timeline})
	}
	slices.SortFunc(found, func(a, b Timeline) int { return a.ID - b.ID })
	for i := range found {
		if i < len(found)-1 && found[i].ID != b.Timeline {
			continue
		}
		if found[i].Branches, err = b.branches(ctx, h, dir, found[i]); err != nil {
			return nil, fmt.Errorf("history of timeline %d: %w", found[i].ID, err)
		}
	}
	return found, nil
}

// branches reads a timeline's history, from the archive if it is there.
func (b Backups) branches(ctx context.Context, h *resource.Host, dir string, t Timeline) ([]Branch, error) {
	var data []byte
	var err error
	if t.Began.IsZero() {
		data, err = h.Files.Read(path.Join(b.Data, "pg_wal", history(t.ID)))
	} else {
		data, err = b.run(ctx, h, "repo-get", path.Join(dir, history(t.ID)))
	}
	if err != nil {
		return nil, err
	}
	return parseHistory(string(data))
}

// tablespaces returns where the tablespaces of a data directory are that lie
// outside of it.
func tablespaces(h *resource.Host, data string) ([]string, error) {
	dir := path.Join(data, "pg_tblspc")
	names, err := h.Files.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, name := range names {
		if info, err := h.Files.Stat(path.Join(dir, name)); err == nil && info.Mode&fs.ModeSymlink != 0 {
			out = append(out, info.Target)
		}
	}
	return out, nil
}
