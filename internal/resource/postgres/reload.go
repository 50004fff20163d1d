package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"pigsty/internal/resource"
)

// Reload makes the server of this host, leader or replica, read its
// configuration again when files are newer than what it has read. It refuses
// while pg_hba.conf or pg_ident.conf has an error: the server would go on with
// the old rules and say so only in its log.
type Reload struct {
	Server
	Name string   // of what is reloaded, unique on the host: "hba"
	On   []string // paths
}

var _ resource.Requirer = Reload{}

// Key returns "postgres reload NAME".
func (r Reload) Key() string { return "postgres reload " + r.Name }

// Requires puts the reload after its files.
func (r Reload) Requires() []string {
	var keys []string
	for _, path := range r.On {
		keys = append(keys, "file "+path, "pg_hba "+path, "pg_file "+path)
	}
	return keys
}

// pending reports whether a resource of this plan is about to write path.
func pending(h *resource.Host, path string) bool {
	for _, kind := range []string{"file ", "pg_hba ", "pg_file "} {
		if _, soon := h.Pending(kind + path); soon {
			return true
		}
	}
	return false
}

// Diff compares the files' modification times with pg_conf_load_time().
func (r Reload) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	var problems []string
	p := r.pass(h)
	loaded, err := p.loaded(ctx)
	if err == nil {
		err = p.with(ctx, maintenance, func(conn *pgx.Conn) (err error) {
			problems, err = ruleErrors(ctx, conn)
			return err
		})
	}
	if errors.Is(err, errNotRunning) {
		return resource.Change{Unknown: notRunning}, nil
	}
	if err != nil {
		return resource.Change{}, err
	}
	var reasons []string
	changing := false
	for _, path := range r.On {
		if pending(h, path) {
			reasons = append(reasons, path+" changes")
			changing = true
			continue
		}
		newer, err := r.unread(ctx, h, path, loaded)
		if errors.Is(err, errNotRunning) {
			return resource.Change{Unknown: notRunning}, nil
		}
		if err != nil {
			return resource.Change{}, err
		}
		if newer {
			reasons = append(reasons, path+" is newer than what postgres has read")
		}
	}
	if len(reasons) == 0 {
		return resource.Change{}, nil
	}
	if len(problems) > 0 && !changing { // what is about to change may be what is wrong
		return resource.Change{}, refused(problems)
	}
	return resource.Change{Action: resource.Reload, Reason: strings.Join(reasons, "; "), Impact: resource.ImpactReload}, nil
}

// unread reports whether path is newer than what the server read at the given
// time. A file that was only written again as it was at that reload, if it was
// ours, is not newer: Patroni does that to pg_hba.conf some time after it was told
// to reload. One that was written just now, and not by this run, may be about to be read.
func (r Reload) unread(ctx context.Context, h *resource.Host, path string, loaded time.Time) (bool, error) {
	info, err := h.Files.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading the time of %s: %w", path, err)
	}
	if !info.MTime.After(loaded) {
		return false, nil
	}
	sum, err := digest(h, path)
	if err != nil {
		return false, err
	}
	if have, _ := h.Manifest.Unit(r.Key()); have.Invocation == stamp(loaded) && have.Digests[path] == sum {
		return false, nil
	}
	if _, planned := h.Pending(r.Key()); planned {
		return true, nil
	}
	loaded, err = r.pass(h).settled(ctx, info.MTime, loaded)
	return info.MTime.After(loaded), err
}

// Apply reloads and waits until the server has read its files.
func (r Reload) Apply(ctx context.Context, h *resource.Host) error {
	p := r.pass(h)
	defer p.forget()
	return p.with(ctx, maintenance, func(conn *pgx.Conn) error {
		problems, err := ruleErrors(ctx, conn)
		if err != nil {
			return err
		}
		if len(problems) > 0 {
			return refused(problems)
		}
		sums := map[string]string{}
		for _, path := range r.On {
			if sums[path], err = digest(h, path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if err := reloadConf(ctx, conn); err != nil {
			return err
		}
		loaded, err := p.loaded(ctx)
		if err == nil {
			h.Manifest.SetUnit(r.Key(), resource.Loaded{Invocation: stamp(loaded), Digests: sums})
		}
		return err
	})
}

// loaded returns when the server last read its files. It takes a session of its
// own: one that is open already only knows when it did so itself, which is at
// its next statement.
func (p *pass) loaded(ctx context.Context) (time.Time, error) {
	conn, err := p.connect(ctx, maintenance)
	if err != nil {
		return time.Time{}, err
	}
	defer closeConn(conn)
	return loadTime(ctx, conn)
}

// settled gives whoever wrote a file a moment to reload the server, and returns
// when that last read its files: Patroni, told to reload, writes pg_hba.conf up to
// ten seconds later, and only then starts the command that reloads the server.
func (p *pass) settled(ctx context.Context, written, loaded time.Time) (time.Time, error) {
	const moment = 3 * time.Second
	end := written.Add(moment)
	if last := time.Now().Add(moment); end.After(last) { // the clock was set back since
		end = last
	}
	for !loaded.After(written) && time.Now().Before(end) {
		select {
		case <-ctx.Done():
			return loaded, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
		var err error
		if loaded, err = p.loaded(ctx); err != nil {
			return loaded, err
		}
	}
	return loaded, nil
}

// stamp names a reload by its time.
func stamp(loaded time.Time) string { return loaded.UTC().Format(time.RFC3339Nano) }

func digest(h *resource.Host, path string) (string, error) {
	data, err := h.Files.Read(path)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

func refused(problems []string) error {
	return fmt.Errorf("postgres is not reloaded, its access rules have errors: %s", strings.Join(problems, "; "))
}

func loadTime(ctx context.Context, conn *pgx.Conn) (t time.Time, err error) {
	if err = conn.QueryRow(ctx, `SELECT pg_conf_load_time()`).Scan(&t); err != nil {
		err = fmt.Errorf("reading the time of the last reload: %w", serverError(err))
	}
	return t, err
}

// reloadConf reloads and waits until this very session has read the files, which it
// does between two statements; the postmaster signals sessions after itself.
func reloadConf(ctx context.Context, conn *pgx.Conn) error {
	before, err := loadTime(ctx, conn)
	if err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, `SELECT pg_reload_conf()`); err != nil {
		return fmt.Errorf("reloading postgres: %w", serverError(err))
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		now, err := loadTime(ctx, conn)
		if err != nil || now.After(before) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return errors.New("postgres was told to reload, but has not done so after 10 s; see its log")
}

// ruleErrors returns what is wrong in the access rules on disk: "pg_hba.conf
// line 12: …". pg_ident_file_mappings exists since PostgreSQL 15.
func ruleErrors(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	type view struct{ relation, file string }
	views := []view{{"pg_hba_file_rules", "pg_hba.conf"}}
	var version int
	if err := conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int`).Scan(&version); err != nil {
		return nil, serverError(err)
	}
	if version >= 150000 {
		views = append(views, view{"pg_ident_file_mappings", "pg_ident.conf"})
	}
	var problems []string
	for _, v := range views {
		rows, err := conn.Query(ctx, `SELECT line_number, error FROM `+v.relation+` WHERE error IS NOT NULL ORDER BY 1`)
		if err != nil {
			return nil, fmt.Errorf("checking %s: %w", v.file, serverError(err))
		}
		var line *int
		var text string
		if _, err := pgx.ForEachRow(rows, []any{&line, &text}, func() error {
			where := v.file
			if line != nil {
				where += fmt.Sprintf(" line %d", *line)
			}
			problems = append(problems, where+": "+text)
			return nil
		}); err != nil {
			return nil, fmt.Errorf("checking %s: %w", v.file, serverError(err))
		}
	}
	return problems, nil
}
