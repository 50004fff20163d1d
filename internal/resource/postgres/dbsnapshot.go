package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"

	"pigsty/internal/resource"
)

// dbSnapshot is a snapshot of one database's own catalogs.
type dbSnapshot struct {
	once sync.Once
	err  error

	schemas    map[string]*schemaRow
	extensions map[string]*extensionRow
	defaults   map[defaultKey]acl // a key that is absent has the built-in default
}

type schemaRow struct {
	owner string
	used  bool // objects live in it
	acl   acl
}

type extensionRow struct {
	schema, version string
	relocatable     bool
}

// defaultKey names a row of pg_default_acl. kind is defaclobjtype.
type defaultKey struct{ grantor, schema, kind string }

// errUnconnectable is a database with allow_connections off.
var errUnconnectable = errors.New("the database does not allow connections")

// database returns the snapshot of the database called name, which cat has.
// Several databases may be read at the same time, as many as there are slots.
func (p *pass) database(ctx context.Context, cat *catalog, name string) (*dbSnapshot, error) {
	if !cat.databases[name].allow {
		return nil, errUnconnectable
	}
	p.catMu.Lock()
	s := p.dbs[name]
	if s == nil {
		s = &dbSnapshot{}
		p.dbs[name] = s
	}
	p.catMu.Unlock()
	s.once.Do(func() {
		s.err = p.with(ctx, name, func(conn *pgx.Conn) error { return s.read(ctx, conn) })
	})
	if s.err != nil { // not kept: it may be passing
		p.catMu.Lock()
		if p.dbs[name] == s {
			delete(p.dbs, name)
		}
		p.catMu.Unlock()
		return nil, fmt.Errorf("reading database %s: %w", name, serverError(s.err))
	}
	return s, nil
}

// within is observe for what lives in a database.
func (s Server) within(ctx context.Context, h *resource.Host, db string, fn func(*pass, *catalog, *dbSnapshot) (resource.Change, error)) (resource.Change, error) {
	return s.observe(ctx, h, func(p *pass, cat *catalog) (resource.Change, error) {
		if cat.databases[db] == nil {
			if _, pending := h.Pending(databaseKey(db)); pending {
				return resource.Change{Unknown: "after database " + db + " is created"}, nil
			}
			return resource.Change{}, cat.needDatabase(db)
		}
		snapshot, err := p.database(ctx, cat, db)
		if errors.Is(err, errUnconnectable) {
			return resource.Change{Skipped: "database " + db + " does not allow connections"}, nil
		}
		if err != nil {
			return resource.Change{}, err
		}
		return fn(p, cat, snapshot)
	})
}

// convergeWithin is converge for what lives in a database, and changes nothing
// but that.
func (s Server) convergeWithin(ctx context.Context, h *resource.Host, db string, fn func(*pass, *catalog, *dbSnapshot) error) error {
	p := s.pass(h)
	cat, err := p.catalog(ctx)
	if err != nil {
		return err
	}
	if err := cat.needDatabase(db); err != nil {
		return err
	}
	snapshot, err := p.database(ctx, cat, db)
	if err != nil {
		return err
	}
	defer p.forgetDB(db)
	return fn(p, cat, snapshot)
}

func (c *catalog) needDatabase(name string) error {
	if c.databases[name] != nil {
		return nil
	}
	return fmt.Errorf("database %s does not exist%s", name, didYouMean(name, names(c.databases)))
}

func (s *dbSnapshot) read(ctx context.Context, conn *pgx.Conn) error {
	s.schemas, s.extensions, s.defaults = map[string]*schemaRow{}, map[string]*extensionRow{}, map[defaultKey]acl{}
	// What lives in a schema depends on it (pg_depend); members of an extension
	// with a schema of its own depend on the extension too.
	rows, err := conn.Query(ctx, `SELECT nspname::text, pg_get_userbyid(nspowner)::text,
			EXISTS (SELECT FROM pg_depend WHERE refclassid = 'pg_namespace'::regclass AND refobjid = n.oid AND deptype = 'n'),
			coalesce(r.rolname::text, ''), coalesce(privilege_type, ''), coalesce(is_grantable, false)
		FROM pg_namespace n LEFT JOIN LATERAL aclexplode(coalesce(nspacl, acldefault('n', nspowner))) a ON true
			LEFT JOIN pg_authid r ON r.oid = grantee
		WHERE nspname !~ '^pg_(toast|temp)'`)
	if err != nil {
		return err
	}
	var name, grantee, privilege string
	var grantable bool
	var row schemaRow
	_, err = pgx.ForEachRow(rows, []any{&name, &row.owner, &row.used, &grantee, &privilege, &grantable}, func() error {
		if s.schemas[name] == nil {
			s.schemas[name] = &schemaRow{owner: row.owner, used: row.used, acl: acl{}}
		}
		if privilege != "" {
			s.schemas[name].acl.add(grantee, privilege, grantable)
		}
		return nil
	})
	if err != nil {
		return err
	}
	rows, err = conn.Query(ctx, `SELECT extname::text, nspname::text, extversion, extrelocatable
		FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace`)
	if err != nil {
		return err
	}
	var e extensionRow
	_, err = pgx.ForEachRow(rows, []any{&name, &e.schema, &e.version, &e.relocatable}, func() error {
		row := e
		s.extensions[name] = &row
		return nil
	})
	if err != nil {
		return err
	}
	rows, err = conn.Query(ctx, `SELECT pg_get_userbyid(defaclrole)::text, coalesce(nspname::text, ''), defaclobjtype::text,
			coalesce(r.rolname::text, ''), coalesce(privilege_type, ''), coalesce(is_grantable, false)
		FROM pg_default_acl LEFT JOIN pg_namespace n ON n.oid = defaclnamespace
			LEFT JOIN LATERAL aclexplode(defaclacl) ON true LEFT JOIN pg_authid r ON r.oid = grantee`)
	if err != nil {
		return err
	}
	var key defaultKey
	_, err = pgx.ForEachRow(rows, []any{&key.grantor, &key.schema, &key.kind, &grantee, &privilege, &grantable}, func() error {
		if s.defaults[key] == nil {
			s.defaults[key] = acl{}
		}
		if privilege != "" {
			s.defaults[key].add(grantee, privilege, grantable)
		}
		return nil
	})
	return err
}
