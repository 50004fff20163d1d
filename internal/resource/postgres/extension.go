package postgres

import (
	"context"
	"fmt"
	"slices"

	"pigsty/internal/resource"
)

// Extension is an extension in a database.
type Extension struct {
	Server
	DB      string
	Name    string
	Schema  string // empty: where the extension wants to be, or public
	Version string // empty: the default one when created, then left alone
	State   State  // Present or Absent

	// Packages are keys of resources that install extensions on this host. While
	// one of them is about to change, an extension that the server does not
	// have is not a mistake yet.
	Packages []string
}

var _ resource.Requirer = Extension{}

// preload are the extensions that work only when the server loaded a library
// at its start: each one's own documentation.
var preload = map[string]string{
	"timescaledb": "timescaledb", "citus": "citus", "pg_cron": "pg_cron", "pgaudit": "pgaudit",
	"pg_stat_statements": "pg_stat_statements", "pg_net": "pg_net", "pgsodium": "pgsodium", "anon": "anon",
	"pg_qualstats": "pg_qualstats", "pg_stat_monitor": "pg_stat_monitor", "pg_wait_sampling": "pg_wait_sampling",
	"supautils": "supautils", "pg_tde": "pg_tde", "orioledb": "orioledb", "documentdb": "pg_documentdb",
}

// Key returns "extension DB/NAME".
func (e Extension) Key() string { return "extension " + e.DB + "/" + e.Name }

// Requires puts an extension after its database, schema and packages.
func (e Extension) Requires() []string {
	keys := append([]string{databaseKey(e.DB)}, e.Packages...)
	if e.Schema != "" {
		keys = append(keys, schemaKey(e.DB, e.Schema))
	}
	return keys
}

// Diff compares with pg_extension, and checks that the server has the extension.
func (e Extension) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	return e.within(ctx, h, e.DB, func(p *pass, _ *catalog, db *dbSnapshot) (resource.Change, error) {
		row := db.extensions[e.Name]
		if e.State == Absent {
			if row == nil {
				return resource.Change{}, nil
			}
			return resource.Change{Action: resource.Remove, Reason: "declared absent", Impact: resource.ImpactDataLoss,
				Note: "with everything that depends on it"}, nil
		}
		if row != nil {
			edits, note := e.edits(row)
			c := differences(edits)
			c.Note = note
			return c, nil
		}
		for _, key := range e.Packages {
			if _, pending := h.Pending(key); pending {
				return resource.Change{Unknown: "after " + key}, nil
			}
		}
		note, err := e.check(ctx, p)
		if err != nil {
			return resource.Change{}, err
		}
		c := resource.Change{Action: resource.Create, Reason: "does not exist", Note: note}
		c.Differs("schema", "", e.Schema)
		c.Differs("version", "", e.Version)
		return c, nil
	})
}

// edits compares what can be altered. note says what cannot.
func (e Extension) edits(row *extensionRow) (edits []edit, note string) {
	alter := "ALTER EXTENSION " + ident(e.Name) + " "
	if e.Version != "" && e.Version != row.version {
		edits = append(edits, edit{attr: resource.Attr{Name: "version", Old: row.version, New: e.Version},
			sql: []string{alter + "UPDATE TO " + literal(e.Version)}})
	}
	if e.Schema != "" && e.Schema != row.schema {
		if row.relocatable {
			edits = append(edits, edit{attr: resource.Attr{Name: "schema", Old: row.schema, New: e.Schema},
				sql: []string{alter + "SET SCHEMA " + ident(e.Schema)}})
		} else {
			note = fmt.Sprintf("schema is %s, not %s: the extension cannot be moved; drop and create it to change that", row.schema, e.Schema)
		}
	}
	return edits, note
}

// check fails if the server does not have the extension's files. note says that
// its library is not loaded.
func (e Extension) check(ctx context.Context, p *pass) (note string, err error) {
	have, err := p.extensions(ctx, e)
	switch {
	case err != nil:
		return "", fmt.Errorf("reading the available extensions: %w", serverError(err))
	case have[e.Name] == nil:
		return "", fmt.Errorf("extension %s is not installed on this server%s", e.Name, didYouMean(e.Name, names(have)))
	case !have.offers(e):
		return "", fmt.Errorf("extension %s has no version %s on this server", e.Name, e.Version)
	}
	library := preload[e.Name]
	if library == "" {
		return "", nil
	}
	if loaded, err := p.preloaded(ctx, e.DB); err != nil {
		return "", fmt.Errorf("reading the loaded libraries: %w", serverError(err))
	} else if !slices.Contains(loaded, library) {
		note = fmt.Sprintf("needs %s in shared_preload_libraries and a restart of postgres", library)
	}
	return note, nil
}

// Apply creates, alters or drops the extension; creating includes the extensions
// that it needs, dropping all that depends on it.
func (e Extension) Apply(ctx context.Context, h *resource.Host) error {
	return e.convergeWithin(ctx, h, e.DB, func(p *pass, _ *catalog, db *dbSnapshot) error {
		row := db.extensions[e.Name]
		var sql []string
		switch {
		case e.State == Absent:
			sql = []string{"DROP EXTENSION IF EXISTS " + ident(e.Name) + " CASCADE"}
		case row == nil:
			note, err := e.check(ctx, p)
			if err != nil {
				return err
			}
			// pg_stat_statements can be created before it is loaded; of the others most refuse.
			if note != "" && e.Name != "pg_stat_statements" {
				return fmt.Errorf("extension %s in database %s %s", e.Name, e.DB, note)
			}
			create := "CREATE EXTENSION IF NOT EXISTS " + ident(e.Name)
			if e.Schema != "" {
				create += " SCHEMA " + ident(e.Schema)
			}
			if e.Version != "" {
				create += " VERSION " + literal(e.Version)
			}
			// Without SCHEMA it goes to the first schema of search_path.
			sql = []string{"SET LOCAL search_path = public", create + " CASCADE"}
		default:
			edits, _ := e.edits(row)
			var err error
			if sql, err = statements(edits); err != nil || len(sql) == 0 {
				return err
			}
		}
		if preload[e.Name] != "" {
			// Some refuse to be created in a session that has done other work
			// (timescaledb), and leave hooks in theirs.
			p.disconnect(e.DB)
			defer p.disconnect(e.DB)
		}
		if err := p.transact(ctx, e.DB, sql); err != nil {
			return fmt.Errorf("extension %s in database %s: %w", e.Name, e.DB, err)
		}
		return nil
	})
}
