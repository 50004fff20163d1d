package postgres

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"pigsty/internal/memo"
	"pigsty/internal/resource"
)

// DefaultPrivileges are what roles grant on the objects that they create in a
// database, on top of what is granted already.
type DefaultPrivileges struct {
	Server
	DB       string
	Grantors []string // the roles whose future objects are meant
	// Grants are such as "GRANT SELECT ON TABLES TO dbrole_readonly", optionally
	// with "IN SCHEMA x" in front, and "REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC".
	Grants []string
}

var _ resource.Requirer = DefaultPrivileges{}

// Key returns "default privileges DB/GRANTOR,…".
func (d DefaultPrivileges) Key() string {
	return "default privileges " + d.DB + "/" + strings.Join(d.Grantors, ",")
}

// Requires puts default privileges after their database and roles.
func (d DefaultPrivileges) Requires() []string {
	keys := []string{databaseKey(d.DB)}
	for _, g := range d.Grantors {
		keys = append(keys, roleKey(g))
	}
	for _, text := range d.Grants {
		if e := parsedDefaults.Of(text, parseDefault); e.err == nil {
			for _, g := range e.grantees {
				if g != "" {
					keys = append(keys, roleKey(g))
				}
			}
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// defaultEntry is one parsed entry of Grants.
type defaultEntry struct {
	schema     string
	revoke     bool
	privileges []string // upper case; nil is all
	objects    string   // upper case: TABLES
	grantees   []string // "" is PUBLIC
	option     bool
	err        error // why the text cannot be understood
}

// parsedDefaults are entries of Grants, which most databases have alike.
var parsedDefaults memo.Table[string, defaultEntry]

// objectKinds maps the words of ALTER DEFAULT PRIVILEGES to defaclobjtype and
// the privileges that ALL stands for.
var objectKinds = map[string]struct {
	kind string
	all  []string
}{
	"TABLES":        {"r", []string{"INSERT", "SELECT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"}},
	"SEQUENCES":     {"S", []string{"USAGE", "SELECT", "UPDATE"}},
	"FUNCTIONS":     {"f", []string{"EXECUTE"}},
	"ROUTINES":      {"f", []string{"EXECUTE"}},
	"TYPES":         {"T", []string{"USAGE"}},
	"SCHEMAS":       {"n", []string{"USAGE", "CREATE"}},
	"LARGE OBJECTS": {"L", []string{"SELECT", "UPDATE"}},
}

var defaultSyntax = regexp.MustCompile(`(?is)^\s*(?:IN\s+SCHEMA\s+(\S+)\s+)?(GRANT|REVOKE)\s+(.+?)\s+ON\s+(TABLES|SEQUENCES|FUNCTIONS|ROUTINES|TYPES|SCHEMAS|LARGE\s+OBJECTS)\s+(TO|FROM)\s+(.+?)(\s+WITH\s+GRANT\s+OPTION)?\s*;?\s*$`)

func parseDefault(text string) defaultEntry {
	bad := func(why string) defaultEntry {
		return defaultEntry{err: fmt.Errorf("default privilege %q %s; write it like: GRANT SELECT ON TABLES TO dbrole_readonly", text, why)}
	}
	m := defaultSyntax.FindStringSubmatch(text)
	if m == nil {
		return bad("is not understood")
	}
	e := defaultEntry{schema: unquote(m[1]), revoke: strings.EqualFold(m[2], "REVOKE"), option: m[7] != "",
		objects: strings.Join(strings.Fields(strings.ToUpper(m[4])), " ")}
	if e.revoke != strings.EqualFold(m[5], "FROM") {
		return bad("mixes GRANT … TO and REVOKE … FROM")
	}
	known := objectKinds[e.objects].all
	for _, word := range strings.Split(m[3], ",") {
		word = strings.Join(strings.Fields(strings.ToUpper(word)), " ")
		if word == "ALL" || word == "ALL PRIVILEGES" {
			e.privileges = nil
			break
		}
		if !slices.Contains(known, word) && !(e.objects == "TABLES" && word == "MAINTAIN") {
			return bad("has the privilege " + word + ", which " + strings.ToLower(e.objects) + " do not have")
		}
		e.privileges = append(e.privileges, word)
	}
	for _, name := range strings.Split(m[6], ",") {
		name = strings.TrimSpace(name)
		if strings.EqualFold(name, "PUBLIC") {
			e.grantees = append(e.grantees, "")
		} else {
			e.grantees = append(e.grantees, unquote(name))
		}
	}
	return e
}

// unquote reads an identifier as SQL does: folded to lower case unless quoted.
func unquote(name string) string {
	if len(name) > 1 && name[0] == '"' && name[len(name)-1] == '"' {
		return strings.ReplaceAll(name[1:len(name)-1], `""`, `"`)
	}
	return strings.ToLower(name)
}

// current returns what a grantor's default privileges are. Without a row in
// pg_default_acl they are the built-in ones (acldefault in acl.c): the grantor
// has all, PUBLIC may call functions and use types. Those of a schema only
// add to the global ones.
func (s *dbSnapshot) current(key defaultKey) acl {
	if a, ok := s.defaults[key]; ok || key.schema != "" {
		return a
	}
	builtin := acl{}
	for _, o := range objectKinds {
		if o.kind == key.kind {
			for _, privilege := range append(slices.Clone(o.all), "MAINTAIN") {
				builtin.add(key.grantor, privilege, true)
			}
		}
	}
	switch key.kind {
	case "f":
		builtin.add("", "EXECUTE", false)
	case "T":
		builtin.add("", "USAGE", false)
	}
	return builtin
}

// edits compares the declared entries with pg_default_acl.
func (d DefaultPrivileges) edits(h *resource.Host, cat *catalog, db *dbSnapshot) ([]edit, error) {
	need := func(role string) error {
		if _, pending := h.Pending(roleKey(role)); pending {
			return nil
		}
		return cat.needRole(role)
	}
	var edits []edit
	for _, text := range d.Grants {
		e := parsedDefaults.Of(text, parseDefault)
		if e.err != nil {
			return nil, e.err
		}
		kind := objectKinds[e.objects]
		wanted := e.privileges
		if wanted == nil {
			wanted = kind.all
			if e.objects == "TABLES" && cat.version >= 170000 {
				wanted = append(slices.Clone(wanted), "MAINTAIN")
			}
		}
		for _, grantee := range e.grantees {
			if grantee != "" && !e.revoke {
				if err := need(grantee); err != nil {
					return nil, fmt.Errorf("default privilege %q: %w", text, err)
				}
			}
			for _, grantor := range d.Grantors {
				if err := need(grantor); err != nil {
					return nil, fmt.Errorf("default privileges for role %s: %w", grantor, err)
				}
				have := db.current(defaultKey{grantor, e.schema, kind.kind})
				differ := slices.DeleteFunc(slices.Clone(wanted), func(p string) bool {
					return have.has(grantee, p, e.option && !e.revoke) != e.revoke
				})
				if len(differ) > 0 {
					edits = append(edits, e.edit(grantor, grantee, differ))
				}
			}
		}
	}
	return edits, nil
}

// edit grants or revokes privileges.
func (e defaultEntry) edit(grantor, grantee string, privileges []string) edit {
	list := strings.Join(privileges, ", ")
	sql := "ALTER DEFAULT PRIVILEGES FOR ROLE " + ident(grantor)
	name := "of " + grantor + " on " + strings.ToLower(e.objects)
	if e.schema != "" {
		sql += " IN SCHEMA " + ident(e.schema)
		name += " in " + e.schema
	}
	who := grantee
	if who == "" {
		who = "PUBLIC"
	}
	if e.revoke {
		return edit{attr: resource.Attr{Name: name + " from " + who, Old: list},
			sql: []string{sql + " REVOKE " + list + " ON " + e.objects + " FROM " + roleIdent(grantee)}}
	}
	sql += " GRANT " + list + " ON " + e.objects + " TO " + roleIdent(grantee)
	if e.option {
		sql, list = sql+" WITH GRANT OPTION", list+" with grant option"
	}
	return edit{attr: resource.Attr{Name: name + " to " + who, New: list}, sql: []string{sql}}
}

// Diff compares with pg_default_acl, one privilege at a time.
func (d DefaultPrivileges) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	return d.within(ctx, h, d.DB, func(_ *pass, cat *catalog, db *dbSnapshot) (resource.Change, error) {
		edits, err := d.edits(h, cat, db)
		return differences(edits), err
	})
}

// Apply grants and revokes what differs in one transaction.
func (d DefaultPrivileges) Apply(ctx context.Context, h *resource.Host) error {
	return d.convergeWithin(ctx, h, d.DB, func(p *pass, cat *catalog, db *dbSnapshot) error {
		edits, err := d.edits(h, cat, db)
		if err != nil {
			return err
		}
		sql, err := statements(edits)
		if err != nil {
			return err
		}
		if err := p.transact(ctx, d.DB, sql); err != nil {
			return fmt.Errorf("default privileges in database %s: %w", d.DB, err)
		}
		return nil
	})
}
