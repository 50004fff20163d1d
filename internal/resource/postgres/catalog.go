package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"pigsty/internal/resource"
)

// catalog is a snapshot of the catalogs that all databases share.
type catalog struct {
	taken     time.Time
	version   int // server_version_num: 170005
	roles     map[string]*roleRow
	grants    map[string]map[string][]grantRow // member → role → by whom
	settings  map[[2]string]map[string]string  // {database, role} → setting → value; "" is all
	databases map[string]*databaseRow
}

// roleRow is a row of pg_authid.
type roleRow struct {
	attrs    map[string]bool // by the name in roleFlags
	limit    int
	expires  string // as the server prints it in its own time zone, "infinity", or "" for never
	left     *time.Duration
	verifier string
	comment  string
}

// grantRow is a row of pg_auth_members. Before PostgreSQL 16 there is one for a
// member and role, set is always true and inherit is the member's.
type grantRow struct {
	grantor             string
	admin, set, inherit bool
}

// databaseRow is a row of pg_database.
type databaseRow struct {
	owner, encoding, tablespace, comment string
	collate, ctype                       string
	provider                             string // libc, icu, builtin
	locale, rules                        string // of icu or builtin
	template, allow                      bool
	limit                                int
	acl                                  acl
}

// acl is what is granted: grantee ("" is PUBLIC) → privilege → with grant option.
type acl map[string]map[string]bool

func (a acl) add(grantee, privilege string, grantable bool) {
	if a[grantee] == nil {
		a[grantee] = map[string]bool{}
	}
	a[grantee][privilege] = a[grantee][privilege] || grantable
}

// has reports whether grantee was granted privilege, with the grant option if asked.
func (a acl) has(grantee, privilege string, grantable bool) bool {
	option, ok := a[grantee][privilege]
	return ok && (option || !grantable)
}

func (c *catalog) roleNames() []string { return names(c.roles) }

func names[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for n := range m {
		out = append(out, n)
	}
	return out
}

// role returns an error naming the nearest role when there is none called name.
func (c *catalog) needRole(name string) error {
	if c.roles[name] != nil {
		return nil
	}
	return fmt.Errorf("role %s does not exist%s", name, didYouMean(name, c.roleNames()))
}

// catalog returns the snapshot, reading it if there is none or it is old.
// It returns resource.ErrNotLeader on a server in recovery.
func (p *pass) catalog(ctx context.Context) (*catalog, error) {
	p.catMu.Lock()
	defer p.catMu.Unlock()
	if p.cat != nil && time.Since(p.cat.taken) < snapshotOK {
		return p.cat, nil
	}
	clear(p.dbs)
	p.cat = nil
	var c *catalog
	err := p.with(ctx, maintenance, func(conn *pgx.Conn) (err error) {
		c, err = readCatalog(ctx, conn)
		return err
	})
	if err != nil {
		return nil, err
	}
	p.cat = c
	return c, nil
}

func readCatalog(ctx context.Context, conn *pgx.Conn) (*catalog, error) {
	c := &catalog{
		taken: time.Now(), roles: map[string]*roleRow{}, grants: map[string]map[string][]grantRow{},
		settings: map[[2]string]map[string]string{}, databases: map[string]*databaseRow{},
	}
	var replica bool
	err := conn.QueryRow(ctx, `SELECT pg_is_in_recovery(), current_setting('server_version_num')::int`).Scan(&replica, &c.version)
	if err != nil {
		return nil, fmt.Errorf("reading the server's version: %w", serverError(err))
	}
	if replica {
		return nil, resource.ErrNotLeader
	}
	for _, read := range []struct {
		what string
		fn   func(context.Context, *pgx.Conn) error
	}{
		{"roles", c.readRoles}, {"memberships", c.readGrants}, {"settings", c.readSettings},
		{"databases", c.readDatabases}, {"privileges of databases", c.readACLs},
	} {
		if err := read.fn(ctx, conn); err != nil {
			return nil, fmt.Errorf("reading the %s: %w", read.what, serverError(err))
		}
	}
	return c, nil
}

func (c *catalog) readRoles(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `SELECT rolname::text, rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolinherit,
			rolreplication, rolbypassrls, rolconnlimit, coalesce(rolvaliduntil::text, ''),
			CASE WHEN isfinite(rolvaliduntil) THEN extract(epoch FROM rolvaliduntil - now())::float8 END,
			coalesce(rolpassword, ''), coalesce(shobj_description(oid, 'pg_authid'), '')
		FROM pg_authid`)
	if err != nil {
		return err
	}
	var name string
	var login, super, createDB, createRole, inherit, replication, bypass bool
	var r roleRow
	var left *float64
	_, err = pgx.ForEachRow(rows, []any{&name, &login, &super, &createDB, &createRole, &inherit, &replication, &bypass,
		&r.limit, &r.expires, &left, &r.verifier, &r.comment}, func() error {
		row := r
		row.attrs = map[string]bool{"login": login, "superuser": super, "createdb": createDB, "createrole": createRole,
			"inherit": inherit, "replication": replication, "bypassrls": bypass}
		if left != nil {
			d := time.Duration(*left * float64(time.Second))
			row.left = &d
		}
		c.roles[name] = &row
		return nil
	})
	return err
}

func (c *catalog) readGrants(ctx context.Context, conn *pgx.Conn) error {
	options := `true, m.rolinherit`
	if c.version >= 160000 {
		options = `a.set_option, a.inherit_option`
	}
	rows, err := conn.Query(ctx, `SELECT m.rolname::text, r.rolname::text, coalesce(g.rolname::text, ''), a.admin_option, `+options+`
		FROM pg_auth_members a JOIN pg_authid m ON m.oid = a.member JOIN pg_authid r ON r.oid = a.roleid
		LEFT JOIN pg_authid g ON g.oid = a.grantor`)
	if err != nil {
		return err
	}
	var member, role string
	var g grantRow
	_, err = pgx.ForEachRow(rows, []any{&member, &role, &g.grantor, &g.admin, &g.set, &g.inherit}, func() error {
		if c.grants[member] == nil {
			c.grants[member] = map[string][]grantRow{}
		}
		c.grants[member][role] = append(c.grants[member][role], g)
		return nil
	})
	return err
}

func (c *catalog) readSettings(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `SELECT coalesce(d.datname::text, ''), coalesce(r.rolname::text, ''),
			lower(split_part(s, '=', 1)), substr(s, strpos(s, '=') + 1)
		FROM pg_db_role_setting LEFT JOIN pg_database d ON d.oid = setdatabase LEFT JOIN pg_authid r ON r.oid = setrole,
			unnest(setconfig) s`)
	if err != nil {
		return err
	}
	var db, role, name, value string
	_, err = pgx.ForEachRow(rows, []any{&db, &role, &name, &value}, func() error {
		key := [2]string{db, role}
		if c.settings[key] == nil {
			c.settings[key] = map[string]string{}
		}
		c.settings[key][name] = value
		return nil
	})
	return err
}

func (c *catalog) readDatabases(ctx context.Context, conn *pgx.Conn) error {
	provider, locale, rules := `'c'`, `NULL`, `NULL`
	if c.version >= 150000 {
		provider, locale = `datlocprovider::text`, `daticulocale`
	}
	if c.version >= 160000 {
		rules = `daticurules`
	}
	if c.version >= 170000 {
		locale = `datlocale`
	}
	rows, err := conn.Query(ctx, `SELECT datname::text, pg_get_userbyid(datdba)::text, pg_encoding_to_char(encoding)::text,
			coalesce(spcname::text, ''), coalesce(shobj_description(d.oid, 'pg_database'), ''), datcollate::text, datctype::text,
			CASE `+provider+` WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
			coalesce(`+locale+`::text, ''), coalesce(`+rules+`::text, ''), datistemplate, datallowconn, datconnlimit
		FROM pg_database d LEFT JOIN pg_tablespace t ON t.oid = dattablespace`)
	if err != nil {
		return err
	}
	var name string
	var d databaseRow
	_, err = pgx.ForEachRow(rows, []any{&name, &d.owner, &d.encoding, &d.tablespace, &d.comment, &d.collate, &d.ctype,
		&d.provider, &d.locale, &d.rules, &d.template, &d.allow, &d.limit}, func() error {
		row := d
		row.acl = acl{}
		c.databases[name] = &row
		return nil
	})
	return err
}

func (c *catalog) readACLs(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `SELECT datname::text, coalesce(r.rolname::text, ''), privilege_type, is_grantable
		FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) LEFT JOIN pg_authid r ON r.oid = grantee`)
	if err != nil {
		return err
	}
	var db, grantee, privilege string
	var grantable bool
	_, err = pgx.ForEachRow(rows, []any{&db, &grantee, &privilege, &grantable}, func() error {
		if d := c.databases[db]; d != nil {
			d.acl.add(grantee, privilege, grantable)
		}
		return nil
	})
	return err
}
