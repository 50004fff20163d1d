package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"pigsty/internal/resource"
)

// Extra only observes: its Diff names what is in the cluster and not declared,
// one attribute each, with the kind as its name: "user", "database", and of
// declared databases "schema" and "extension", which are shown as DB.NAME.
// What PostgreSQL itself has, and what an extension brought, does not count.
type Extra struct {
	Server
	Cluster   string
	Roles     []string
	Databases map[string]Contents
}

// Contents are what is declared of a database.
type Contents struct{ Schemas, Extensions []string }

// Key returns "extra CLUSTER".
func (e Extra) Key() string { return "extra " + e.Cluster }

// Diff compares the names in the catalogs with the declared ones.
func (e Extra) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	return e.observe(ctx, h, func(p *pass, cat *catalog) (resource.Change, error) {
		var c resource.Change
		add := func(kind, name string) { c.Attrs = append(c.Attrs, resource.Attr{Name: kind, New: name}) }
		for _, name := range slices.Sorted(maps.Keys(cat.roles)) {
			if !strings.HasPrefix(name, "pg_") && name != p.server.User && !slices.Contains(e.Roles, name) {
				add("user", name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(cat.databases)) {
			if _, declared := e.Databases[name]; !declared && !slices.Contains(initial, name) {
				add("database", name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(e.Databases)) {
			if row := cat.databases[name]; row == nil || !row.allow {
				continue
			}
			if err := e.within(ctx, p, name, add); err != nil {
				return c, fmt.Errorf("reading database %s: %w", name, serverError(err))
			}
		}
		return c, nil
	})
}

// initial are the databases that initdb makes.
var initial = []string{"postgres", "template0", "template1"}

// within adds the schemas and extensions of one database.
func (e Extra) within(ctx context.Context, p *pass, db string, add func(kind, name string)) error {
	declared := e.Databases[db]
	return p.with(ctx, db, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `
			SELECT 'schema', nspname::text FROM pg_namespace n
			WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public') AND NOT nspname = ANY ($1::text[])
				AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e')
			UNION ALL
			SELECT 'extension', extname::text FROM pg_extension x
			WHERE extname <> 'plpgsql' AND NOT extname = ANY ($2::text[])
				AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_extension by ON by.oid = d.objid
					WHERE d.classid = 'pg_extension'::regclass AND d.refclassid = 'pg_extension'::regclass
						AND d.refobjid = x.oid AND by.extname = ANY ($2::text[]))
			ORDER BY 1 DESC, 2`, declared.Schemas, declared.Extensions)
		if err != nil {
			return err
		}
		var kind, name string
		_, err = pgx.ForEachRow(rows, []any{&kind, &name}, func() error {
			add(kind, db+"."+name)
			return nil
		})
		return err
	})
}

// Apply does nothing.
func (e Extra) Apply(context.Context, *resource.Host) error { return nil }
