package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"pigsty/internal/resource"
)

// DatabasePrivileges are who may connect to a database and create in it. The
// owner has everything, PUBLIC may create nothing in the database or its
// schema public, and the admin role may.
type DatabasePrivileges struct {
	Server
	DB    string
	Owner string // empty: nobody is granted everything
	Admin string // may create schemas, and objects in schema public; empty: nobody

	// RevokeConnect true takes CONNECT from PUBLIC and grants it to Connect,
	// and to ConnectGrant and the owner with grant option; false gives it to PUBLIC.
	RevokeConnect Opt[bool]
	Connect       []string // the replication and monitoring users
	ConnectGrant  []string // the admin user
}

var _ resource.Requirer = DatabasePrivileges{}

// Key returns "privileges DB".
func (d DatabasePrivileges) Key() string { return "privileges " + d.DB }

// Requires puts privileges after their database and roles.
func (d DatabasePrivileges) Requires() []string {
	keys := []string{databaseKey(d.DB)}
	for _, role := range d.roles() {
		keys = append(keys, roleKey(role))
	}
	return keys
}

func (d DatabasePrivileges) roles() []string {
	roles := append([]string{d.Owner, d.Admin}, slices.Concat(d.Connect, d.ConnectGrant)...)
	slices.Sort(roles)
	return slices.DeleteFunc(slices.Compact(roles), func(s string) bool { return s == "" })
}

// edits compares with datacl, and nspacl of schema public.
func (d DatabasePrivileges) edits(cat *catalog, db *dbSnapshot) []edit {
	var edits []edit
	grant := func(object string, have acl, role string, option bool, privileges ...string) {
		missing := slices.DeleteFunc(privileges, func(p string) bool { return have.has(role, p, option) })
		if len(missing) == 0 {
			return
		}
		list := strings.Join(missing, ", ")
		sql, shown := "GRANT "+list+" ON "+object+" TO "+roleIdent(role), list
		if option {
			sql, shown = sql+" WITH GRANT OPTION", shown+" with grant option"
		}
		edits = append(edits, edit{attr: resource.Attr{Name: "on " + strings.ToLower(object) + " to " + granteeName(role), New: shown}, sql: []string{sql}})
	}
	revoke := func(object string, have acl, privilege string) {
		if have.has("", privilege, false) {
			edits = append(edits, edit{attr: resource.Attr{Name: "on " + strings.ToLower(object) + " from PUBLIC", Old: privilege},
				sql: []string{"REVOKE " + privilege + " ON " + object + " FROM PUBLIC"}})
		}
	}
	database, have := "DATABASE "+ident(d.DB), cat.databases[d.DB].acl
	if d.Owner != "" {
		grant(database, have, d.Owner, false, "CREATE", "CONNECT", "TEMPORARY")
	}
	revoke(database, have, "CREATE")
	if d.Admin != "" {
		grant(database, have, d.Admin, false, "CREATE")
	}
	if public := db.schemas["public"]; public != nil {
		revoke(`SCHEMA "public"`, public.acl, "CREATE")
		if d.Admin != "" {
			grant(`SCHEMA "public"`, public.acl, d.Admin, false, "CREATE")
		}
	}
	switch {
	case d.RevokeConnect.Set && d.RevokeConnect.Value:
		revoke(database, have, "CONNECT")
		for _, role := range d.Connect {
			grant(database, have, role, false, "CONNECT")
		}
		for _, role := range d.ConnectGrant {
			grant(database, have, role, true, "CONNECT")
		}
		// An owner always holds the grant option, which datacl does not show.
		if d.Owner != "" && d.Owner != cat.databases[d.DB].owner {
			grant(database, have, d.Owner, true, "CONNECT")
		}
	case d.RevokeConnect.Set:
		grant(database, have, "", false, "CONNECT")
	}
	return edits
}

func granteeName(role string) string {
	if role == "" {
		return "PUBLIC"
	}
	return role
}

// Diff compares with the catalogs, one privilege at a time.
func (d DatabasePrivileges) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	return d.within(ctx, h, d.DB, func(_ *pass, cat *catalog, db *dbSnapshot) (resource.Change, error) {
		for _, role := range d.roles() {
			if _, pending := h.Pending(roleKey(role)); !pending && cat.roles[role] == nil {
				return resource.Change{}, fmt.Errorf("privileges on database %s: %w", d.DB, cat.needRole(role))
			}
		}
		return differences(d.edits(cat, db)), nil
	})
}

// Apply grants and revokes what differs in one transaction.
func (d DatabasePrivileges) Apply(ctx context.Context, h *resource.Host) error {
	return d.convergeWithin(ctx, h, d.DB, func(p *pass, cat *catalog, db *dbSnapshot) error {
		sql, err := statements(d.edits(cat, db))
		if err != nil {
			return err
		}
		defer p.forget() // who may connect is in a shared catalog
		if err := p.transact(ctx, d.DB, sql); err != nil {
			return fmt.Errorf("privileges on database %s: %w", d.DB, err)
		}
		return nil
	})
}
