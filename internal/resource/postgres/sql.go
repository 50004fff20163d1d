package postgres

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"pigsty/internal/resource"
)

// edit is one attribute that differs together with the statements that change it,
// so that what a plan shows is what an apply does.
type edit struct {
	attr resource.Attr
	sql  []string
	lazy func() (string, error) // a last statement that is costly to make, or secret
}

// ident quotes an identifier.
func ident(name string) string { return pgx.Identifier{name}.Sanitize() }

// roleIdent quotes a role's name as a grantee; "" is PUBLIC.
func roleIdent(name string) string {
	if name == "" {
		return "PUBLIC"
	}
	return ident(name)
}

// literal quotes a string. A backslash makes it an escape string, which means the same
// whatever standard_conforming_strings is.
func literal(s string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\x00", ""), "'", "''")
	if strings.Contains(s, `\`) {
		return " E'" + strings.ReplaceAll(s, `\`, `\\`) + "'"
	}
	return "'" + s + "'"
}

// listSettings are the settings whose value is a list of names, each quoted on
// its own: GUC_LIST_QUOTE in guc_tables.c.
var listSettings = map[string]bool{
	"search_path": true, "temp_tablespaces": true, "local_preload_libraries": true,
	"session_preload_libraries": true, "shared_preload_libraries": true, "unix_socket_directories": true,
}

// splitNames splits a list setting's value into its names, unquoted.
func splitNames(value string) []string {
	var names []string
	var b strings.Builder
	quoted, kept := false, false
	flush := func() {
		name := b.String()
		if !kept {
			name = strings.TrimSpace(name)
		}
		if name != "" || kept {
			names = append(names, name)
		}
		b.Reset()
		kept = false
	}
	for _, r := range value {
		switch {
		case r == '"':
			quoted = !quoted
			if quoted && strings.TrimSpace(b.String()) == "" {
				b.Reset()
			}
			kept = true
		case r == ',' && !quoted:
			flush()
		case kept && !quoted && r == ' ': // after the closing quote
		default:
			b.WriteRune(r)
		}
	}
	flush()
	return names
}

// sameSetting reports whether two values of the setting mean the same. What
// ALTER … SET stores is the text it was given, except that lists are respaced.
func sameSetting(name, a, b string) bool {
	if listSettings[name] {
		return slices.Equal(splitNames(a), splitNames(b))
	}
	return a == b
}

// settingEdits compares the settings that ALTER ROLE and ALTER DATABASE keep;
// target is such as `ROLE "x"`. The value DEFAULT removes the setting.
func settingEdits(target string, have, want map[string]string) []edit {
	var edits []edit
	for _, name := range slices.Sorted(maps.Keys(want)) {
		value, key := want[name], strings.ToLower(name)
		old, set := have[key]
		attr := resource.Attr{Name: "parameter " + key, Old: old, New: value}
		switch {
		case strings.EqualFold(value, "DEFAULT"):
			if set {
				attr.New = ""
				edits = append(edits, edit{attr: attr, sql: []string{"ALTER " + target + " RESET " + settingIdent(key)}})
			}
		case !set || !sameSetting(key, old, value):
			edits = append(edits, edit{attr: attr,
				sql: []string{"ALTER " + target + " SET " + settingIdent(key) + " TO " + settingValue(key, value)}})
		}
	}
	return edits
}

// settingIdent quotes a setting's name, which may have a prefix: "a"."b".
func settingIdent(name string) string {
	return pgx.Identifier(strings.Split(name, ".")).Sanitize()
}

func settingValue(name, value string) string {
	if !listSettings[name] {
		return literal(value)
	}
	names := splitNames(value)
	if len(names) == 0 {
		return "''"
	}
	for i := range names {
		names[i] = literal(names[i])
	}
	return strings.Join(names, ", ")
}

// serverError adds the server's detail and hint to its message: they usually
// say what to do. The statement itself is not part of it.
func serverError(err error) error {
	var pg *pgconn.PgError
	if err == nil || !errors.As(err, &pg) {
		return err
	}
	text := pg.Message
	if pg.Detail != "" {
		text += " (" + strings.TrimSuffix(pg.Detail, ".") + ")"
	}
	if pg.Hint != "" {
		text += "; " + strings.TrimSuffix(pg.Hint, ".")
	}
	return &Error{Text: text, cause: pg}
}

// Error is what the server said of a statement that failed.
type Error struct {
	Text  string // its message, detail and hint
	cause *pgconn.PgError
}

// Error returns the text with the SQLSTATE.
func (e *Error) Error() string { return fmt.Sprintf("%s [%s]", e.Text, e.cause.Code) }

// Unwrap returns the *pgconn.PgError.
func (e *Error) Unwrap() error { return e.cause }

// differences returns the attributes of edits, as a change to an object that exists.
func differences(edits []edit) resource.Change {
	var c resource.Change
	for _, e := range edits {
		c.Attrs = append(c.Attrs, e.attr)
	}
	if len(edits) > 0 {
		c.Action, c.Reason = resource.Update, "differs"
	}
	return c
}

// statements returns the SQL of edits in order.
func statements(edits []edit) ([]string, error) {
	var out []string
	for _, e := range edits {
		out = append(out, e.sql...)
		if e.lazy != nil {
			sql, err := e.lazy()
			if err != nil {
				return nil, err
			}
			out = append(out, sql)
		}
	}
	return out, nil
}
