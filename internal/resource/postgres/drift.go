package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"pigsty/internal/resource"
	"pigsty/internal/secret"
)

// SettingsDrift undoes what ALTER SYSTEM set, on this host's server, for
// settings that are declared elsewhere: an entry of postgresql.auto.conf wins
// over the declared value, now or when that changes. Entries for other settings
// are left alone.
type SettingsDrift struct {
	Server
	Declared map[string]string // setting → declared value, shown in the plan
}

// Key returns "postgres settings drift".
func (SettingsDrift) Key() string { return "postgres settings drift" }

// autoSettings returns the entries of postgresql.auto.conf, and which of them
// take effect only at a restart.
func autoSettings(ctx context.Context, conn *pgx.Conn) (values map[string]string, restart map[string]bool, err error) {
	rows, err := conn.Query(ctx, `SELECT lower(f.name), coalesce(f.setting, ''), coalesce(s.context = 'postmaster', false)
		FROM pg_file_settings f LEFT JOIN pg_settings s ON lower(s.name) = lower(f.name)
		WHERE f.sourcefile LIKE '%/postgresql.auto.conf' AND f.name IS NOT NULL ORDER BY f.seqno`)
	if err != nil {
		return nil, nil, err
	}
	values, restart = map[string]string{}, map[string]bool{}
	var name, value string
	var postmaster bool
	_, err = pgx.ForEachRow(rows, []any{&name, &value, &postmaster}, func() error {
		values[name], restart[name] = value, postmaster
		return nil
	})
	return values, restart, err
}

// overridden returns the declared names that have an entry, sorted.
func (s SettingsDrift) overridden(values map[string]string) []string {
	var out []string
	for name := range maps.Keys(s.Declared) {
		if _, ok := values[strings.ToLower(name)]; ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// Diff reads pg_file_settings.
func (s SettingsDrift) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	var values map[string]string
	var restart map[string]bool
	err := s.pass(h).with(ctx, maintenance, func(conn *pgx.Conn) (err error) {
		values, restart, err = autoSettings(ctx, conn)
		return err
	})
	if errors.Is(err, errNotRunning) {
		return resource.Change{Unknown: notRunning}, nil
	}
	if err != nil {
		return resource.Change{}, fmt.Errorf("reading postgresql.auto.conf: %w", serverError(err))
	}
	var c resource.Change
	var late []string
	for _, name := range s.overridden(values) {
		old, declared := values[strings.ToLower(name)], s.Declared[name]
		if strings.Contains(strings.ToLower(name), "conninfo") {
			old, declared = secret.Mask, secret.Mask
		}
		c.Attrs = append(c.Attrs, resource.Attr{Name: name, Old: old + " (by ALTER SYSTEM)", New: declared})
		c.Action, c.Reason, c.Impact = resource.Update, "set by ALTER SYSTEM; reset", resource.ImpactReload
		if restart[strings.ToLower(name)] {
			late = append(late, name)
		}
	}
	if len(late) > 0 {
		c.Note = strings.Join(late, ", ") + " takes effect at the next restart"
	}
	return c, nil
}

// Apply resets the entries and reloads.
func (s SettingsDrift) Apply(ctx context.Context, h *resource.Host) error {
	return s.pass(h).with(ctx, maintenance, func(conn *pgx.Conn) error {
		values, _, err := autoSettings(ctx, conn)
		if err != nil {
			return fmt.Errorf("reading postgresql.auto.conf: %w", serverError(err))
		}
		for _, name := range s.overridden(values) {
			if _, err := conn.PgConn().Exec(ctx, "ALTER SYSTEM RESET "+settingIdent(strings.ToLower(name))).ReadAll(); err != nil {
				return fmt.Errorf("resetting %s: %w", name, serverError(err))
			}
		}
		return reloadConf(ctx, conn)
	})
}
