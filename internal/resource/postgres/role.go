package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pigsty/internal/resource"
	"pigsty/internal/secret"
)

// Role is a role of the cluster, which may log in (a user) or not (a group).
// A role that is created logs in unless Login says otherwise, as CREATE USER does.
type Role struct {
	Server
	Name  string
	State State // Present or Absent

	// Password is plain, or a verifier: md5… or SCRAM-SHA-256$…. Empty leaves
	// the role's password alone. A plain password matches a stored md5 or
	// SCRAM verifier that was made from it.
	Password secret.Value
	MD5      bool // a new verifier is an md5 one, for clients that know no SCRAM

	Login, Superuser, CreateDB, CreateRole, Inherit, Replication, BypassRLS Opt[bool]

	ConnLimit Opt[int] // connections at the same time; -1 no limit
	ExpireAt  string   // date, timestamp or infinity; empty leaves it alone
	ExpireIn  int      // days; see expiry; wins over ExpireAt; 0 is not declared

	Roles      []Membership
	Parameters map[string]string // settings of the role's sessions; DEFAULT removes one
	Comment    string            // empty leaves it alone

	// Protected refuses to drop the role: the database superuser, and the
	// replication, admin and monitoring users.
	Protected bool
}

var _ resource.Requirer = Role{}

// Key returns "role NAME".
func (r Role) Key() string { return roleKey(r.Name) }

func roleKey(name string) string { return "role " + name }

// Requires puts a role after those it becomes a member of.
func (r Role) Requires() []string {
	var keys []string
	for _, m := range r.Roles {
		if m.granted() {
			keys = append(keys, roleKey(m.Name))
		}
	}
	return keys
}

// Diff compares the declared attributes with pg_authid, pg_auth_members and
// pg_db_role_setting.
func (r Role) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	return r.observe(ctx, h, func(p *pass, cat *catalog) (resource.Change, error) {
		row := cat.roles[r.Name]
		if r.State == Absent {
			return r.diffAbsent(p, row)
		}
		pending := func(role string) bool { _, ok := h.Pending(roleKey(role)); return ok }
		edits, note, err := r.edits(cat, pending)
		if err != nil {
			return resource.Change{}, err
		}
		c := differences(edits)
		c.Note = note
		if row == nil {
			c.Action, c.Reason = resource.Create, "does not exist"
		}
		return c, nil
	})
}

// Apply creates or changes the role in one transaction, or drops it.
func (r Role) Apply(ctx context.Context, h *resource.Host) error {
	return r.converge(ctx, h, func(p *pass, cat *catalog) error {
		if r.State == Absent {
			return r.drop(ctx, p, cat)
		}
		edits, _, err := r.edits(cat, func(string) bool { return false })
		if err != nil {
			return err
		}
		sql := slices.Clone(quiet)
		if cat.roles[r.Name] == nil {
			sql = append(sql, "CREATE ROLE "+ident(r.Name)+" LOGIN")
		}
		changes, err := statements(edits)
		if err != nil {
			return err
		}
		if err := p.transact(ctx, maintenance, append(sql, changes...)); err != nil {
			if errors.Is(err, resource.ErrNotLeader) {
				return err
			}
			return fmt.Errorf("role %s: %w", r.Name, err)
		}
		return nil
	})
}

// quiet keeps verifiers out of the server's log and statistics: an md5 verifier
// is as good as the password, a SCRAM one can be guessed at offline.
var quiet = []string{
	"SET LOCAL log_statement = 'none'", "SET LOCAL log_min_duration_statement = -1",
	"SET LOCAL log_min_error_statement = 'panic'", "SET LOCAL log_duration = off",
	"SET LOCAL pg_stat_statements.track_utility = off",
}

// newRole is what CREATE ROLE … LOGIN makes.
var newRole = roleRow{attrs: map[string]bool{"login": true, "inherit": true}, limit: -1}

// edits compares the declared attributes with cat. pending tells which roles
// are about to be created.
func (r Role) edits(cat *catalog, pending func(string) bool) ([]edit, string, error) {
	row := cat.roles[r.Name]
	if row == nil {
		row = &newRole
	}
	alter := "ALTER ROLE " + ident(r.Name) + " "
	var edits []edit
	for _, f := range []struct {
		name string
		want Opt[bool]
	}{
		{"login", r.Login}, {"superuser", r.Superuser}, {"createdb", r.CreateDB}, {"createrole", r.CreateRole},
		{"inherit", r.Inherit}, {"replication", r.Replication}, {"bypassrls", r.BypassRLS},
	} {
		if !f.want.Set || f.want.Value == row.attrs[f.name] {
			continue
		}
		word := strings.ToUpper(f.name)
		if !f.want.Value {
			word = "NO" + word
		}
		edits = append(edits, edit{
			attr: resource.Attr{Name: f.name, Old: strconv.FormatBool(row.attrs[f.name]), New: strconv.FormatBool(f.want.Value)},
			sql:  []string{alter + word},
		})
	}
	if r.ConnLimit.Set && r.ConnLimit.Value != row.limit {
		edits = append(edits, edit{
			attr: resource.Attr{Name: "connlimit", Old: strconv.Itoa(row.limit), New: strconv.Itoa(r.ConnLimit.Value)},
			sql:  []string{alter + "CONNECTION LIMIT " + strconv.Itoa(r.ConnLimit.Value)},
		})
	}
	if until, differs := r.expiry(row); differs {
		edits = append(edits, edit{
			attr: resource.Attr{Name: "expire_at", Old: row.expires, New: until},
			sql:  []string{alter + "VALID UNTIL " + literal(until)},
		})
	}
	if !r.Password.IsEmpty() && !matches(r.Name, r.Password.Reveal(), row.verifier) {
		old := ""
		if row.verifier != "" {
			old = secret.Mask
		}
		edits = append(edits, edit{
			attr: resource.Attr{Name: "password", Old: old, New: secret.Mask},
			lazy: func() (string, error) {
				v, err := verifier(r.Name, r.Password.Reveal(), r.MD5)
				return alter + "PASSWORD " + literal(v), err
			},
		})
	}
	members, note, err := r.memberEdits(cat, pending)
	if err != nil {
		return nil, "", err
	}
	edits = append(edits, members...)
	edits = append(edits, settingEdits("ROLE "+ident(r.Name), cat.settings[[2]string{"", r.Name}], r.Parameters)...)
	if r.Comment != "" && r.Comment != row.comment {
		edits = append(edits, edit{
			attr: resource.Attr{Name: "comment", Old: row.comment, New: r.Comment},
			sql:  []string{"COMMENT ON ROLE " + ident(r.Name) + " IS " + literal(r.Comment)},
		})
	}
	return edits, note, nil
}
