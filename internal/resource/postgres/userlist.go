package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"pigsty/internal/resource"
)

// UserList is PgBouncer's list of users with their password verifiers, as the
// server on the same host has them. A replica has them as well as a leader.
type UserList struct {
	Server
	Path  string
	Owner resource.Owner

	Users []string // who logs in by password
	Local []string // who logs in otherwise, such as by peer: listed without a password
}

var _ resource.Requirer = UserList{}

// replay is how long an apply waits for a replica to catch up with its leader.
const replay = 10 * time.Second

// Key returns "userlist " and the path.
func (u UserList) Key() string { return "userlist " + u.Path }

// Requires returns the directories above the file.
func (u UserList) Requires() []string {
	dir := u.Path[:max(strings.LastIndexByte(u.Path, '/'), 0)]
	return []string{"dir " + dir, "link " + dir, "user " + u.Owner.User}
}

// Diff names the users whose entries differ. Verifiers are never shown.
func (u UserList) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	stored, err := u.verifiers(ctx, h)
	if errors.Is(err, errNotRunning) {
		return resource.Change{Unknown: notRunning}, nil
	}
	if err != nil {
		return resource.Change{}, err
	}
	if missing := u.missing(stored); len(missing) > 0 {
		return resource.Change{Unknown: "after role " + strings.Join(missing, ", ") + " exists"}, nil
	}
	have, err := h.Files.Read(u.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return resource.Change{Action: resource.Create, Reason: "does not exist", Paths: []string{u.Path},
			Attrs: []resource.Attr{{Name: "users", New: strings.Join(u.all(), ", ")}}}, nil
	}
	if err != nil {
		return resource.Change{}, err
	}
	var c resource.Change
	old, want := entries(string(have)), entries(u.content(stored))
	for _, name := range u.known(old) {
		before, had := old[name]
		after, has := want[name]
		switch {
		case !has:
			c.Differs("user "+name, "listed", "")
		case !had:
			c.Differs("user "+name, "", "listed")
		case before != after:
			c.Differs("user "+name, "another password", "the server's")
		}
	}
	info, err := h.Files.Stat(u.Path)
	if err != nil {
		return resource.Change{}, err
	}
	if mode := info.Mode.Perm(); mode != 0o600 {
		c.Differs("mode", fmt.Sprintf("%04o", mode), "0600")
	}
	if info.Owner != u.Owner {
		c.Differs("owner", info.Owner.String(), u.Owner.String())
	}
	if c.Action == resource.None && string(have) != u.content(stored) {
		c.Action, c.Reason = resource.Update, "is written differently"
	}
	if c.Action != resource.None {
		c.Paths = []string{u.Path}
	}
	return c, nil
}

// Apply writes the file. On a replica that does not have a role or a password
// yet which its leader just got, it waits for the replica to catch up.
func (u UserList) Apply(ctx context.Context, h *resource.Host) error {
	deadline := time.Now().Add(replay)
	for {
		stored, err := u.verifiers(ctx, h)
		if err != nil {
			return err
		}
		missing := u.missing(stored)
		if len(missing) == 0 {
			return h.Files.Write(u.Path, []byte(u.content(stored)), 0o600, u.Owner)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the server does not have role %s after %s: is it a replica that does not replicate?",
				strings.Join(missing, ", "), replay)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// verifiers returns what pg_authid holds for the users, "" for one without a
// password. On a replica it first lets what has arrived be replayed.
func (u UserList) verifiers(ctx context.Context, h *resource.Host) (map[string]string, error) {
	p := u.pass(h)
	out := map[string]string{}
	err := p.with(ctx, maintenance, func(conn *pgx.Conn) error {
		if err := replayed(ctx, conn); err != nil {
			return err
		}
		rows, err := conn.Query(ctx, `SELECT rolname::text, coalesce(rolpassword, '') FROM pg_authid WHERE rolname = ANY($1)`, u.Users)
		if err != nil {
			return err
		}
		var name, verifier string
		_, err = pgx.ForEachRow(rows, []any{&name, &verifier}, func() error {
			out[name] = verifier
			return nil
		})
		return err
	})
	if err != nil && !errors.Is(err, errNotRunning) {
		return nil, fmt.Errorf("reading password verifiers: %w", serverError(err))
	}
	return out, err
}

// replayed waits, three seconds at most, until a replica has replayed what it
// received.
func replayed(ctx context.Context, conn *pgx.Conn) error {
	for range 30 {
		var done bool
		err := conn.QueryRow(ctx, `SELECT NOT pg_is_in_recovery()
			OR coalesce(pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn(), true)`).Scan(&done)
		if err != nil || done {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// missing returns the users that the server does not have, sorted.
func (u UserList) missing(stored map[string]string) []string {
	var out []string
	for _, name := range u.Users {
		if _, ok := stored[name]; !ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func (u UserList) all() []string {
	out := slices.Concat(u.Local, u.Users)
	slices.Sort(out)
	return slices.Compact(out)
}

// content returns the file, a user a line in the order of their names.
func (u UserList) content(stored map[string]string) string {
	var b strings.Builder
	for _, name := range u.all() {
		verifier := stored[name]
		if slices.Contains(u.Local, name) {
			verifier = ""
		}
		fmt.Fprintf(&b, "%s %s\n", quoteEntry(name), quoteEntry(verifier))
	}
	return b.String()
}

// quoteEntry quotes as PgBouncer's auth_file does: quotes are doubled.
func quoteEntry(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// entries reads a list of users into the rest of each one's line.
func entries(content string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(content) {
		line = strings.TrimSpace(line)
		rest, ok := strings.CutPrefix(line, `"`)
		if !ok {
			continue
		}
		end := closingQuote(rest)
		if end < 0 {
			continue
		}
		name := strings.ReplaceAll(rest[:end], `""`, `"`)
		out[name] = strings.TrimSpace(rest[end+1:])
	}
	return out
}

// closingQuote returns the index of the quote that ends a quoted text, -1 if
// there is none.
func closingQuote(s string) int {
	for i := 0; i < len(s); i++ {
		if s[i] != '"' {
			continue
		}
		if i+1 < len(s) && s[i+1] == '"' {
			i++
			continue
		}
		return i
	}
	return -1
}

// known returns the users of the file and of u, sorted.
func (u UserList) known(old map[string]string) []string {
	out := u.all()
	for name := range old {
		out = append(out, name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
