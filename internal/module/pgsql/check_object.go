package pgsql

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"pigsty/internal/diag"
)

// checkRoles checks that the roles which users are members of exist, and that
// no role is a member of itself by way of others.
func (m *Member) checkRoles(l *diag.List) {
	roles := m.Params.roles()
	known := roleNames(roles)
	for _, u := range roles {
		for _, g := range u.Roles {
			if g.State != "" && g.State != "grant" || builtin(g.Name) || slices.Contains(known, g.Name) {
				continue
			}
			unknownRole(l, diag.Error, cmp.Or(g.Pos, u.Pos), known, fmt.Sprintf("user %s is to be a member of %s, a role", u.Name, g.Name), g.Name)
		}
	}
	if circle := memberCircle(roles); circle != nil {
		at := roles[slices.IndexFunc(roles, func(u User) bool { return u.Name == circle[0] })].Pos
		l.Add(diag.Diagnostic{
			Code: "circular-roles", Pos: at,
			Message: "roles are members of each other: " + strings.Join(circle, " → "), Advice: "remove one of these memberships",
		})
	}
	for _, u := range m.Params.PgUsers {
		m.checkUser(u, l)
		if (u.PoolMode != "" || u.PoolConnLimit != nil) && !poolName.MatchString(u.Name) {
			l.Add(diag.Diagnostic{
				Severity: diag.Warning, Code: "not-poolable", Pos: u.Pos,
				Message: "PgBouncer has no options for user " + u.Name + ": in its configuration a name has only letters, digits and _ . -",
				Advice:  "remove pool_mode and pool_connlimit",
			})
		}
		if u.State == "absent" && slices.Contains(m.Params.systemUsers(), u.Name) {
			l.Add(diag.Diagnostic{
				Code: "system-user", Pos: u.Pos, Message: "user " + u.Name + " belongs to the system and cannot be absent", Advice: "remove state",
			})
		}
	}
}

// roleNames returns the names of the roles that are to exist.
func roleNames(roles []User) []string {
	var out []string
	for _, u := range roles {
		if u.State != "absent" {
			out = append(out, u.Name)
		}
	}
	return out
}

// builtin reports whether PostgreSQL itself has the role.
func builtin(role string) bool { return strings.HasPrefix(role, "pg_") }

// unknownRole says that what names a role that the inventory does not declare.
func unknownRole(l *diag.List, severity diag.Severity, at diag.Pos, known []string, what, name string) {
	advice := "add it to pg_users, or correct the name"
	if near := diag.Nearest(name, slices.Values(known)); near != "" {
		advice = "write " + near + ", or add it to pg_users"
	}
	l.Add(diag.Diagnostic{Severity: severity, Code: "unknown-role", Pos: at, Message: what + " that is not declared", Advice: advice})
}

// memberCircle returns roles each of which is a member of the next, the last
// being the first again; nil if there are none.
func memberCircle(roles []User) []string {
	up := map[string][]string{}
	for _, u := range roles {
		for _, g := range u.Roles {
			if g.State == "" || g.State == "grant" {
				up[u.Name] = append(up[u.Name], g.Name)
			}
		}
	}
	done := map[string]bool{}
	var visit func(name string, path []string) []string
	visit = func(name string, path []string) []string {
		if i := slices.Index(path, name); i >= 0 {
			return append(slices.Clone(path[i:]), name)
		}
		if done[name] {
			return nil
		}
		for _, next := range up[name] {
			if circle := visit(next, append(path, name)); circle != nil {
				return circle
			}
		}
		done[name] = true
		return nil
	}
	for _, u := range roles {
		if circle := visit(u.Name, nil); circle != nil {
			return circle
		}
	}
	return nil
}
