package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"pigsty/internal/resource"
)

// option is one option of CREATE DATABASE.
type option struct {
	name  string // as in the inventory
	word  string // as in SQL
	value string
	quote func(string) string
	since int // server_version_num
}

func (d Database) options() []option {
	return []option{
		{"owner", "OWNER", d.Owner, ident, 0},
		{"template", "TEMPLATE", d.Template, ident, 0},
		{"encoding", "ENCODING", d.Encoding, literal, 0},
		{"locale", "LOCALE", d.Locale, literal, 130000},
		{"lc_collate", "LC_COLLATE", d.LCCollate, literal, 0},
		{"lc_ctype", "LC_CTYPE", d.LCCtype, literal, 0},
		{"tablespace", "TABLESPACE", d.Tablespace, ident, 0},
		{"locale_provider", "LOCALE_PROVIDER", strings.ToLower(d.LocaleProvider), ident, 150000},
		{"icu_locale", "ICU_LOCALE", d.ICULocale, literal, 150000},
		{"icu_rules", "ICU_RULES", d.ICURules, literal, 160000},
		{"builtin_locale", "BUILTIN_LOCALE", d.BuiltinLocale, literal, 170000},
		{"strategy", "STRATEGY", d.Strategy, ident, 150000},
	}
}

// diffCreate plans the creation of the database.
func (d Database) diffCreate(h *resource.Host, cat *catalog) (resource.Change, error) {
	c := resource.Change{Action: resource.Create, Reason: "does not exist"}
	missing := func(key string) bool { _, pending := h.Pending(key); return !pending }
	if d.Owner != "" && cat.roles[d.Owner] == nil && missing(roleKey(d.Owner)) {
		return c, fmt.Errorf("database %s: %w", d.Name, cat.needRole(d.Owner))
	}
	if d.Template != "" && cat.databases[d.Template] == nil && missing(databaseKey(d.Template)) {
		return c, fmt.Errorf("database %s: template %w", d.Name, cat.needDatabase(d.Template))
	}
	for _, o := range d.options() {
		if o.value == "" {
			continue
		}
		if o.since > cat.version {
			return c, fmt.Errorf("database %s: %s needs PostgreSQL %d, this is %d", d.Name, o.name, o.since/10000, cat.version/10000)
		}
		c.Attrs = append(c.Attrs, resource.Attr{Name: o.name, New: o.value})
	}
	fresh := &databaseRow{owner: d.Owner, tablespace: d.Tablespace, allow: true, limit: -1}
	for _, e := range d.edits(cat, fresh) {
		c.Attrs = append(c.Attrs, e.attr)
	}
	return c, nil
}

// create creates the database with the options that cannot be altered later.
func (d Database) create(ctx context.Context, p *pass, cat *catalog) error {
	sql := "CREATE DATABASE " + ident(d.Name)
	for _, o := range d.options() {
		switch {
		case o.value == "":
		case o.since > cat.version:
			return fmt.Errorf("database %s: %s needs PostgreSQL %d, this is %d", d.Name, o.name, o.since/10000, cat.version/10000)
		default:
			sql += " " + o.word + " " + o.quote(o.value)
		}
	}
	via := maintenance
	template := d.Template
	if template == "" {
		template = "template1"
	}
	// Nobody may be connected to the template while it is copied.
	var before []string
	switch template {
	case "template0", "template1":
	case maintenance:
		via = "template1"
		before = []string{endSessions(template)}
	default:
		before = []string{endSessions(template)}
	}
	if err := p.alone(ctx, template, via, append(before, sql)...); err != nil {
		return fmt.Errorf("creating database %s: %w", d.Name, err)
	}
	p.disconnect("template1")
	return nil
}

// busy is how long a database that must have no sessions may get new ones
// before that is a failure.
const busy = 30 * time.Second

// alone runs statements that need db to have no sessions, and again while there
// are some. The server itself waits 5 s for them to end. That is too short for
// a pool that connects again, and for a background worker of timescaledb, which
// looks into each database and waits there for the transactions that wait for it.
func (p *pass) alone(ctx context.Context, db, via string, statements ...string) error {
	for end := time.Now().Add(busy); ; {
		p.disconnect(db)
		err := p.run(ctx, via, statements...)
		var pg *pgconn.PgError
		inUse := errors.As(err, &pg) && pg.Code == "55006" // object_in_use
		if !inUse || time.Now().After(end) {
			return err
		}
	}
}

// drop drops the database, ending its sessions.
func (d Database) drop(ctx context.Context, p *pass, cat *catalog, row *databaseRow) error {
	if err := d.droppable(); err != nil {
		return err
	}
	p.disconnect(d.Name)
	var sql []string
	if row.template {
		sql = append(sql, "ALTER DATABASE "+ident(d.Name)+" IS_TEMPLATE false")
	}
	drop := "DROP DATABASE IF EXISTS " + ident(d.Name)
	if cat.version >= 130000 {
		drop += " WITH (FORCE)"
	} else {
		sql = append(sql, endSessions(d.Name))
	}
	if err := p.run(ctx, maintenance, append(sql, drop)...); err != nil {
		return fmt.Errorf("dropping database %s: %w", d.Name, err)
	}
	return nil
}

// fixed names the declared attributes that differ and can only be had by
// dumping and recreating the database.
func (d Database) fixed(row *databaseRow) string {
	var differ []string
	check := func(name, want, have string, same func(a, b string) bool) {
		if want != "" && !same(want, have) {
			differ = append(differ, fmt.Sprintf("%s is %s, not %s", name, orNone(have), want))
		}
	}
	collate, ctype := d.LCCollate, d.LCCtype
	if collate == "" {
		collate = d.Locale
	}
	if ctype == "" {
		ctype = d.Locale
	}
	if row.provider != "libc" && d.LCCollate == "" && d.LCCtype == "" && sameLocale(d.Locale, row.locale) {
		collate, ctype = "", "" // LOCALE named the provider's own locale
	}
	check("encoding", d.Encoding, row.encoding, sameEncoding)
	check("lc_collate", collate, row.collate, sameLocale)
	check("lc_ctype", ctype, row.ctype, sameLocale)
	check("locale_provider", d.LocaleProvider, row.provider, strings.EqualFold)
	if row.provider == "icu" || d.LocaleProvider == "icu" {
		check("icu_locale", d.ICULocale, row.locale, sameLocale)
		check("icu_rules", d.ICURules, row.rules, func(a, b string) bool { return a == b })
	}
	if row.provider == "builtin" || d.LocaleProvider == "builtin" {
		check("builtin_locale", d.BuiltinLocale, row.locale, sameLocale)
	}
	if len(differ) == 0 {
		return ""
	}
	return strings.Join(differ, "; ") + ": fixed when a database is created; dump it and create it anew to change that"
}

func orNone(s string) string {
	if s == "" {
		return "not set"
	}
	return s
}

// sameEncoding compares names as the server does: case and punctuation do not
// count (clean_encoding_name in encnames.c), and UNICODE is UTF8.
func sameEncoding(a, b string) bool {
	clean := func(s string) string {
		s = strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, strings.ToLower(s))
		if s == "unicode" {
			return "utf8"
		}
		return s
	}
	return clean(a) == clean(b)
}

// sameLocale takes en_US.UTF-8 and en_US.utf8 as one, as the C library does, and
// POSIX as C.
func sameLocale(a, b string) bool {
	clean := func(s string) string {
		name, charset, _ := strings.Cut(s, ".")
		if name == "POSIX" {
			name = "C"
		}
		return strings.ToLower(name + "." + strings.ReplaceAll(charset, "-", ""))
	}
	return clean(a) == clean(b)
}
