package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"pigsty/internal/resource"
)

// Stanza is the place of a cluster in a pgBackRest repository. Without it no
// segment of write-ahead log is archived.
//
// A stanza belongs to one database cluster, by its system identifier. That of
// another one, as a cluster leaves behind that was removed without its
// backups, is upgraded: the old backups stay beside the new ones.
type Stanza struct {
	Server
	Name   string
	Config string // pgBackRest's configuration file, which says where the repository is

	// Repository is the directory of a repository that is on this host and not
	// encrypted, so that looking at it needs no program. Empty asks pgBackRest.
	Repository string
	// Shared is a repository that other hosts use too. Only the leader cares for
	// its stanza there, and never takes over that of another database cluster,
	// which may be alive.
	Shared bool
	// Former is the system identifier that this very cluster had before it was
	// restored from elsewhere: a shared stanza that is still of that one is upgraded.
	// 0 if it was not restored.
	Former uint64
}

var _ resource.Requirer = Stanza{}

const (
	stanzaLook  = 20 * time.Second // what a repository may take to answer when a plan asks
	stanzaWait  = time.Minute      // for a push to let go of its lock
	stanzaBusy  = 50               // exit status of pgBackRest: another of its processes holds the lock
	stanzaQuery = `SELECT system_identifier, current_setting('server_version_num')::int / 10000, pg_is_in_recovery() FROM pg_control_system()`
)

// Key returns "stanza NAME".
func (s Stanza) Key() string { return "stanza " + s.Name }

// Requires puts the stanza after the configuration.
func (s Stanza) Requires() []string { return []string{"file " + s.Config} }

// identity is what tells one database cluster from another.
type identity struct {
	system  uint64
	version string // major
}

// live returns the identity of the server on h.
func (s Stanza) live(ctx context.Context, h *resource.Host) (identity, error) {
	var id identity
	var system int64
	var version int
	var recovery bool
	err := s.pass(h).with(ctx, maintenance, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, stanzaQuery).Scan(&system, &version, &recovery)
	})
	switch {
	case errors.Is(err, errNotRunning):
		return id, err
	case err != nil:
		return id, fmt.Errorf("reading the system identifier: %w", serverError(err))
	case s.Shared && recovery:
		return id, resource.ErrNotLeader
	}
	return identity{uint64(system), strconv.Itoa(version)}, nil
}

// Diff compares the stanza's system identifier with the server's.
func (s Stanza) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	c, err := s.diff(ctx, h)
	if errors.Is(err, errNotRunning) {
		return resource.Change{Unknown: notRunning}, nil
	}
	return c, err
}

func (s Stanza) diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	want, err := s.live(ctx, h)
	if err != nil {
		return resource.Change{}, err
	}
	if _, pending := h.Pending("file " + s.Config); pending && s.Repository == "" {
		return resource.Change{Unknown: "after " + s.Config + " is written"}, nil
	}
	have, missing, err := s.find(ctx, h)
	switch {
	case err != nil && s.Repository == "": // creating the stanza will say the same, and fails only itself
		return resource.Change{Action: resource.Run, Reason: "its repository cannot be read: " + err.Error()}, nil
	case err != nil:
		return resource.Change{}, err
	case missing != "":
		return resource.Change{Action: resource.Create, Reason: missing}, nil
	}
	var c resource.Change
	c.Differs("db-system-id", strconv.FormatUint(have.system, 10), strconv.FormatUint(want.system, 10))
	c.Differs("db-version", have.version, want.version)
	if !c.Empty() {
		c.Reason = "it is of another database cluster"
		if s.ours(have) {
			c.Note = "upgrades the stanza; the backups in it stay"
		}
	}
	return c, nil
}

// ours reports whether a stanza that is of another database cluster than the
// server's may be taken over.
func (s Stanza) ours(have identity) bool {
	return !s.Shared || s.Former != 0 && have.system == s.Former
}

// find returns whose stanza is in the repository, or what of it is missing.
func (s Stanza) find(ctx context.Context, h *resource.Host) (id identity, missing string, err error) {
	if s.Repository == "" {
		return s.ask(ctx, h)
	}
	var gone []string
	for _, name := range []string{"archive", "backup"} {
		at := path.Join(s.Repository, name, s.Name, name+".info")
		data, err := readInfo(h, at)
		if errors.Is(err, fs.ErrNotExist) {
			gone = append(gone, at)
			continue
		}
		if err != nil {
			return id, "", err
		}
		one, err := parseInfo(string(data))
		if err != nil {
			return id, "", fmt.Errorf("reading %s: %w", at, err)
		}
		if id.system == 0 || name == "archive" {
			id = one
		}
	}
	switch len(gone) {
	case 0:
		return id, "", nil
	case 1:
		return id, gone[0] + " is missing", nil
	}
	return id, "does not exist", nil
}

// readInfo reads an info file, or the copy that pgBackRest keeps of it.
func readInfo(h *resource.Host, at string) ([]byte, error) {
	data, err := h.Files.Read(at)
	if errors.Is(err, fs.ErrNotExist) {
		if kept, err := h.Files.Read(at + ".copy"); err == nil {
			return kept, nil
		}
	}
	return data, err
}

// parseInfo reads the section [db] of an info file: the database cluster that
// the stanza is of now.
func parseInfo(text string) (identity, error) {
	var id identity
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = line
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if section != "[db]" || !ok {
			continue
		}
		switch name {
		case "db-system-id":
			n, err := strconv.ParseUint(value, 10, 64)
			if err != nil {
				return id, fmt.Errorf("db-system-id: %w", err)
			}
			id.system = n
		case "db-version":
			id.version = strings.Trim(value, `"`)
		}
	}
	if id.system == 0 {
		return id, errors.New("it has no db-system-id")
	}
	return id, nil
}

// ask has pgBackRest look.
func (s Stanza) ask(ctx context.Context, h *resource.Host) (id identity, missing string, err error) {
	ctx, cancel := context.WithTimeout(ctx, stanzaLook)
	defer cancel()
	out, err := s.run(ctx, h, "--output=json", "info")
	if err != nil {
		return id, "", err
	}
	return parseAnswer(out, s.Name)
}

// parseAnswer reads what "pgbackrest --output=json info" printed.
func parseAnswer(out []byte, name string) (id identity, missing string, err error) {
	st, ok, err := parseAnswers(out, name)
	if err != nil || !ok || st.current() == 0 {
		return id, "does not exist", err
	}
	for _, db := range st.DB {
		if db.ID == st.current() {
			id = identity{db.System, db.Version}
		}
	}
	return id, "", nil
}

// run runs pgBackRest on the stanza as the superuser.
func (s Stanza) run(ctx context.Context, h *resource.Host, args ...string) ([]byte, error) {
	return h.Commands.Run(ctx, resource.Command{
		Args: append([]string{"pgbackrest", "--config=" + s.Config, "--stanza=" + s.Name}, args...),
		User: s.withDefaults().User, Dir: "/",
	})
}

// Apply creates the stanza, or upgrades it. It reads the identity from the
// server's files, so a replica can do it too.
func (s Stanza) Apply(ctx context.Context, h *resource.Host) error {
	want, err := s.live(ctx, h)
	if err != nil {
		return err
	}
	have, missing, err := s.find(ctx, h)
	if err != nil && s.Repository != "" {
		return err
	}
	verb := "stanza-create"
	if err == nil && missing == "" && have != want {
		if !s.ours(have) {
			return fmt.Errorf("stanza %s is of another database cluster (system identifier %d, this one has %d): if that one is gone for good, "+
				"`pigsty pgsql-pitr -l %s --latest` restores what it had, and to begin anew beside its backups, "+
				"run as %s `pgbackrest --stanza=%s --no-online stanza-upgrade`; if not, give one of them another pg_cluster or repository path",
				s.Name, have.system, want.system, s.Name, s.withDefaults().User, s.Name)
		}
		verb = "stanza-upgrade"
	}
	if err := s.patiently(ctx, h, "--no-online", verb); err != nil {
		return err
	}
	return s.freePush(ctx, h)
}

// patiently is run, again for a while if another pgBackRest holds the lock.
func (s Stanza) patiently(ctx context.Context, h *resource.Host, args ...string) error {
	for deadline := time.Now().Add(stanzaWait); ; {
		_, err := s.run(ctx, h, args...)
		var failed *resource.CommandError
		if err == nil || !errors.As(err, &failed) || failed.Code != stanzaBusy || time.Now().After(deadline) {
			return err
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// await waits for a stanza on this host that another step makes: each member
// makes its own, and one that has just taken over may not have got to it.
func (s Stanza) await(ctx context.Context, h *resource.Host) error {
	for deadline := time.Now().Add(stanzaWait); ; {
		_, missing, err := s.find(ctx, h)
		switch {
		case err != nil || missing == "":
			return err
		case time.Now().After(deadline):
			return fmt.Errorf("stanza %s: %s", s.Name, missing)
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// pause waits a second, or until ctx ends.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Second):
		return nil
	}
}
