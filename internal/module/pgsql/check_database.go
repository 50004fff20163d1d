package pgsql

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pigsty/internal/diag"
)

// mostName is how many bytes a name in PostgreSQL can have; it cuts the rest off.
const mostName = 63

// encodings are those that a database can have, as they are compared: in lower
// case, without what is neither letter nor digit.
var encodings = strings.Fields(`utf8 unicode sqlascii latin1 latin2 latin3 latin4 latin5 latin6 latin7 latin8 latin9 latin10
	euccn eucjp euckr euctw eucjis2004 iso88591 iso88592 iso88593 iso88594 iso88595 iso88596 iso88597 iso88598 iso88599 iso885910
	iso885913 iso885914 iso885915 iso885916 koi8r koi8u koi8 muleinternal win866 win874 win1250 win1251 win1252 win1253 win1254
	win1255 win1256 win1257 win1258 windows866 windows874 windows1250 windows1251 windows1252 windows1253 windows1254 windows1255
	windows1256 windows1257 windows1258 abc alt tcvn tcvn5712 vscii win`)

// checkDatabases checks what databases need: owners, templates, extensions and
// their libraries, and what their PostgreSQL can do.
func (m *Member) checkDatabases(l *diag.List) {
	p := m.Params
	known := roleNames(p.roles())
	names := []string{"template0", "template1", "postgres"}
	for _, d := range p.PgDatabases {
		if d.State != "absent" {
			names = append(names, d.Name)
		}
	}
	for _, d := range p.PgDatabases {
		at := func(fields ...string) diag.Pos { return m.Field("pg_databases", d.Pos, fields...) }
		m.checkName(d, at, l)
		if d.State == "absent" {
			continue
		}
		if d.PgBouncer && p.PgbouncerEnabled && !poolName.MatchString(d.Name) {
			l.Warn(d.Pos, "not-poolable",
				"PgBouncer cannot offer database "+d.Name+": in its configuration a name has only letters, digits and _ . -", "set pgbouncer: false for it")
		}
		if d.Template != "" && (d.Template == d.Name || !slices.Contains(names, d.Template)) {
			advice := "declare it in pg_databases, or remove template"
			if near := diag.Nearest(d.Template, slices.Values(names)); near != "" && near != d.Name {
				advice = "write " + near + ", or " + advice
			}
			l.Fail(at("template"), "unknown-database", "database "+d.Name+" is to be a copy of "+d.Template+", which is not declared", advice)
		}
		m.checkOwners(d, known, l)
		m.checkLocale(d, at, l)
		for _, e := range d.Extensions {
			m.checkExtension(e, d, l)
		}
		for _, name := range slices.Sorted(maps.Keys(d.Parameters)) {
			m.checkSetting(name, "database "+d.Name, at("parameters"), l)
		}
	}
}

// checkName finds names that PostgreSQL or PgBouncer keep for themselves.
func (m *Member) checkName(d Database, at func(...string) diag.Pos, l *diag.List) {
	switch {
	case d.Name == "template0", d.Name == "pgbouncer" && d.PgBouncer && m.Params.PgbouncerEnabled:
		l.Fail(at("name"), "reserved-name", "a database cannot be called "+d.Name, "give it another name")
	case slices.Contains(baseDatabases, d.Name) && d.State != "create":
		l.Fail(at("state"), "system-database", "database "+d.Name+" belongs to the system and cannot be "+d.State, "remove state")
	case slices.Contains([]string{"all", "sameuser", "samerole", "samegroup", "replication"}, d.Name):
		l.Warn(at("name"), "reserved-name", "in access rules "+d.Name+" does not mean the database of that name", "give it another name")
	case len(d.Name) > mostName:
		l.Fail(at("name"), "invalid-format", fmt.Sprintf("the name of database %s is longer than %d bytes", d.Name, mostName), "shorten it")
	}
}

// checkOwners checks that those exist whom a database, its schemas and its pool
// belong to. A standby cluster has its users from elsewhere, and a baseline may
// make some before schemas are.
func (m *Member) checkOwners(d Database, known []string, l *diag.List) {
	if !m.Cluster.writable() {
		return
	}
	check := func(owner, of string, at diag.Pos, severity diag.Severity) {
		if owner != "" && !builtin(owner) && !slices.Contains(known, owner) {
			unknownRole(l, severity, at, known, fmt.Sprintf("%s is to belong to %s, a user", of, owner), owner)
		}
	}
	later := diag.Error
	if d.Baseline != "" {
		later = diag.Warning
	}
	check(d.Owner, "database "+d.Name, m.Field("pg_databases", d.Pos, "owner"), diag.Error)
	check(d.PoolAuthUser, "the pool of database "+d.Name, m.Field("pg_databases", d.Pos, "pool_auth_user"), later)
	for _, s := range d.Schemas {
		check(s.Owner, "schema "+s.Name+" of database "+d.Name, m.Field("pg_databases", s.Pos, "owner"), later)
	}
}

// checkLocale checks that encoding and locale are ones that PostgreSQL has, and
// that a copy of its template can have them.
func (m *Member) checkLocale(d Database, at func(...string) diag.Pos, l *diag.List) {
	p := m.Params
	since := func(field, value string, version int) {
		if value != "" && p.PgVersion < version {
			l.Fail(at(field), "too-old", fmt.Sprintf("%s of database %s needs PostgreSQL %d, and pg_version is %d", field, d.Name, version, p.PgVersion), "remove "+field+", or raise pg_version")
		}
	}
	since("locale_provider", d.LocaleProvider, 15)
	since("icu_locale", d.ICULocale, 15)
	since("icu_rules", d.ICURules, 16)
	since("builtin_locale", d.BuiltinLocale, 17)
	since("strategy", d.Strategy, 15)
	if d.LocaleProvider == "builtin" {
		since("locale_provider", d.LocaleProvider, 17)
	}
	fits := func(field, value, provider string) {
		if value != "" && d.LocaleProvider != provider {
			l.Fail(at(field), "contradiction", fmt.Sprintf("%s of database %s has no meaning without locale_provider: %s", field, d.Name, provider), "write locale_provider: "+provider+", or remove "+field)
		}
	}
	fits("icu_locale", d.ICULocale, "icu")
	fits("icu_rules", d.ICURules, "icu")
	fits("builtin_locale", d.BuiltinLocale, "builtin")
	if d.LocaleProvider == "icu" && d.ICULocale == "" && d.Locale == "" {
		l.Fail(at("locale_provider"), "missing-field", "database "+d.Name+" has the locale_provider icu and no icu_locale", "add icu_locale, such as und or en-US")
	}
	if d.Encoding != "" && !slices.Contains(encodings, folded(d.Encoding)) {
		advice := "write UTF8, or another encoding that PostgreSQL has"
		if near := diag.Nearest(folded(d.Encoding), slices.Values(encodings)); near != "" {
			advice = "write " + strings.ToUpper(near)
		}
		l.Fail(at("encoding"), "unknown-encoding", "database "+d.Name+" has the encoding "+d.Encoding+", which PostgreSQL does not have", advice)
		return
	}
	if d.Template != "" && d.Template != "template1" && d.Template != "postgres" {
		return // template0 fits everything; what another copy has is said where it is declared
	}
	copied := func(field, value, template string) {
		if value != "" && folded(value) != folded(template) {
			l.Fail(at(field), "needs-template0", fmt.Sprintf("database %s has the %s %s and is a copy of a template that has %s", d.Name, field, value, template), "add template: template0")
		}
	}
	copied("encoding", d.Encoding, p.PgEncoding)
	copied("lc_collate", d.LcCollate, p.PgLcCollate)
	copied("lc_ctype", d.LcCtype, p.PgLcCtype)
	if d.LocaleProvider == "icu" {
		copied("locale_provider", d.LocaleProvider, "another")
	}
}

// folded is a name as encodings and locales are compared.
func folded(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			return c
		}
		return -1
	}, name)
}

// checkExtension warns of an extension that must have been meant for another,
// and of one whose library is not loaded when the server starts.
func (m *Member) checkExtension(e Extension, d Database, l *diag.List) {
	p := m.Params
	if e.State == "absent" || strings.HasPrefix(e.Name, "omni_") || strings.HasPrefix(e.Name, "hunspell_") {
		return
	}
	at := m.Field("pg_databases", e.Pos, "name")
	library, known := knownExtensions()[e.Name]
	if !known {
		if near := nearestIn(knownExtensions(), e.Name); near != "" {
			l.Warn(at, "unknown-extension", "database "+d.Name+" is to have the extension "+e.Name+", which nobody packages", "write "+near+" if that was meant")
		}
		return
	}
	libraries := p.libraries()
	if library == "" || preloads(libraries, library) || library == "citus" && m.sharded() {
		return
	}
	l.Warn(at, "missing-library",
		fmt.Sprintf("extension %s of database %s works only with %s in pg_libs", e.Name, d.Name, library),
		"write pg_libs: '"+library+", "+libraries+"'")
}
