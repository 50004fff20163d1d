package postgres

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
)

// available is what the server could create: to list it the server reads a file
// for each extension, so that it is asked for once.
type available map[string][]string // extension → versions

func (a available) offers(e Extension) bool {
	versions, ok := a[e.Name]
	return ok && (e.Version == "" || slices.Contains(versions, e.Version))
}

// extensions returns what the server could create. What was read before does if
// it has e: a package may have brought e since.
func (p *pass) extensions(ctx context.Context, e Extension) (available, error) {
	p.catMu.Lock()
	have := p.available
	p.catMu.Unlock()
	if have != nil && have.offers(e) {
		return have, nil
	}
	have = available{}
	err := p.with(ctx, e.DB, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `SELECT name::text, version FROM pg_available_extension_versions`)
		if err != nil {
			return err
		}
		var name, version string
		_, err = pgx.ForEachRow(rows, []any{&name, &version}, func() error {
			have[name] = append(have[name], version)
			return nil
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	p.catMu.Lock()
	p.available = have
	p.catMu.Unlock()
	return have, nil
}

// preloaded returns the libraries that the server loaded at its start.
func (p *pass) preloaded(ctx context.Context, db string) (libraries []string, err error) {
	err = p.with(ctx, db, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `SELECT string_to_array(translate(current_setting('shared_preload_libraries'), '" ', ''), ',')`).Scan(&libraries)
	})
	return libraries, err
}
