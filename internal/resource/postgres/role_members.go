package postgres

import (
	"fmt"
	"strings"

	"pigsty/internal/resource"
)

// Membership is a role that another is to be a member of, or not.
type Membership struct {
	Name  string
	State string // grant (also the zero value), revoke or absent

	Admin Opt[bool] // may grant it further
	// Set and Inherit exist since PostgreSQL 16: the member may SET ROLE to it,
	// and has its privileges without doing so. Older servers ignore them.
	Set, Inherit Opt[bool]
}

func (m Membership) granted() bool { return m.State == "" || m.State == "grant" }

// memberEdits compares the declared memberships. Since PostgreSQL 16 several
// roles may have granted the same one: a member has an option if any grant
// has it, and loses the membership only when all grants are revoked.
func (r Role) memberEdits(cat *catalog, pending func(string) bool) (edits []edit, note string, err error) {
	options := cat.version >= 160000
	for _, m := range r.Roles {
		grants := cat.grants[r.Name][m.Name]
		if !m.granted() {
			if len(grants) > 0 {
				edits = append(edits, edit{
					attr: resource.Attr{Name: "role " + m.Name, Old: describe(grants, options)},
					sql:  revokes("", m.Name, r.Name, grants, options),
				})
			}
			continue
		}
		if cat.roles[m.Name] == nil && !pending(m.Name) {
			return nil, "", fmt.Errorf("role %s cannot be a member of %s: %w", r.Name, m.Name, cat.needRole(m.Name))
		}
		if !options && (m.Set.Set || m.Inherit.Set) {
			note = "options set and inherit of a membership need PostgreSQL 16"
		}
		want, have := m.wanted(grants, options), merged(grants)
		if len(grants) > 0 && want == have {
			continue
		}
		wanted := []grantRow{want}
		edits = append(edits, edit{
			attr: resource.Attr{Name: "role " + m.Name, Old: describe(grants, options), New: describe(wanted, options)},
			sql:  m.grant(r.Name, grants, want, options),
		})
	}
	return edits, note, nil
}

// merged returns the options that grants give together.
func merged(grants []grantRow) grantRow {
	var g grantRow
	for _, one := range grants {
		g.admin, g.set, g.inherit = g.admin || one.admin, g.set || one.set, g.inherit || one.inherit
	}
	return g
}

// wanted returns the options that m declares, on top of those there are.
func (m Membership) wanted(grants []grantRow, options bool) grantRow {
	want := merged(grants)
	if len(grants) == 0 {
		want = grantRow{set: true, inherit: true}
	}
	if m.Admin.Set {
		want.admin = m.Admin.Value
	}
	if options && m.Set.Set {
		want.set = m.Set.Value
	}
	if options && m.Inherit.Set {
		want.inherit = m.Inherit.Value
	}
	return want
}

// grant returns the statements that leave member with exactly the options of want.
func (m Membership) grant(member string, grants []grantRow, want grantRow, options bool) []string {
	have := merged(grants)
	var sql []string
	if have.admin && !want.admin {
		sql = append(sql, revokes("ADMIN OPTION FOR ", m.Name, member, grants, options)...)
	}
	if have.set && !want.set {
		sql = append(sql, revokes("SET OPTION FOR ", m.Name, member, grants, options)...)
	}
	if have.inherit && !want.inherit {
		sql = append(sql, revokes("INHERIT OPTION FOR ", m.Name, member, grants, options)...)
	}
	statement := "GRANT " + ident(m.Name) + " TO " + ident(member)
	switch {
	case options && (m.Admin.Set || m.Set.Set || m.Inherit.Set):
		var with []string
		for _, o := range []struct {
			name     string
			declared Opt[bool]
		}{{"ADMIN", m.Admin}, {"SET", m.Set}, {"INHERIT", m.Inherit}} {
			if o.declared.Set {
				with = append(with, o.name+" "+strings.ToUpper(fmt.Sprint(o.declared.Value)))
			}
		}
		statement += " WITH " + strings.Join(with, ", ")
	case !options && want.admin:
		statement += " WITH ADMIN OPTION"
	}
	return append(sql, statement)
}

// revokes takes an option, or with "" the whole membership, from every grant.
func revokes(option, role, member string, grants []grantRow, options bool) []string {
	if !options { // grants have one grantor, and REVOKE does not ask which
		return []string{"REVOKE " + option + ident(role) + " FROM " + ident(member) + " CASCADE"}
	}
	var sql []string
	for _, g := range grants {
		sql = append(sql, "REVOKE "+option+ident(role)+" FROM "+ident(member)+" GRANTED BY "+ident(g.grantor)+" CASCADE")
	}
	return sql
}

// describe says what grants give: "granted, admin, no inherit".
func describe(grants []grantRow, options bool) string {
	if len(grants) == 0 {
		return ""
	}
	g, text := merged(grants), "granted"
	if g.admin {
		text += ", admin"
	}
	if options && !g.set {
		text += ", no set"
	}
	if options && !g.inherit {
		text += ", no inherit"
	}
	return text
}
