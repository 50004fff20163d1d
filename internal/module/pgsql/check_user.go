package pgsql

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"pigsty/internal/diag"
)

// Forms of a password that is not in clear: PostgreSQL takes what looks like
// one of them but is not as the password itself.
var (
	md5Hash   = regexp.MustCompile(`^md5[0-9a-f]{32}$`)
	scramHash = regexp.MustCompile(`^SCRAM-SHA-256\$[0-9]+:[A-Za-z0-9+/]+=*\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$`)
)

// checkUser checks what is about one user alone.
func (m *Member) checkUser(u User, l *diag.List) {
	at := func(field string) diag.Pos { return m.Field("pg_users", u.Pos, field) }
	if builtin(u.Name) || u.Name == "public" || u.Name == "none" {
		l.Fail(at("name"), "reserved-name", "PostgreSQL keeps the name "+u.Name+" for itself", "give the user another name")
	}
	if !validDate(u.ExpireAt) {
		l.Fail(at("expire_at"), "invalid-format", "expire_at of user "+u.Name+" is a day that does not exist: "+u.ExpireAt, "write it like 2030-12-31")
	}
	switch password := u.Password.Reveal(); {
	case strings.HasPrefix(password, "SCRAM-SHA-256$") && !scramHash.MatchString(password):
		l.Fail(at("password"), "invalid-password",
			"the password of user "+u.Name+" begins like a SCRAM hash but is none, so it would be taken as it is written",
			"copy the whole hash from rolpassword of pg_authid, in single quotes")
	case md5Hash.MatchString(password) && m.Params.PgPwdEnc != "md5":
		l.Warn(at("password"), "unusable-password",
			"user "+u.Name+" has an md5 password, which the access rules refuse: they demand SCRAM", "write the password in clear or as a SCRAM hash, or set pg_pwd_enc: md5")
	}
	for _, name := range slices.Sorted(maps.Keys(u.Parameters)) {
		m.checkSetting(name, "user "+u.Name, at("parameters"), l)
	}
}

// validDate reports whether text begins with a day of the calendar. What has
// another form altogether is reported as such.
func validDate(text string) bool {
	if len(text) < len(time.DateOnly) || text[0] < '0' || text[0] > '9' {
		return true
	}
	_, err := time.Parse(time.DateOnly, text[:len(time.DateOnly)])
	return err == nil
}

// checkSetting warns of a server parameter that PostgreSQL does not have but
// that is close to one that it has. Other kernels have parameters of their own.
func (m *Member) checkSetting(name, of string, at diag.Pos, l *diag.List) {
	lower := strings.ToLower(name)
	if _, known := knownSettings()[lower]; known || strings.Contains(name, ".") {
		return
	}
	if near := nearestIn(knownSettings(), lower); near != "" {
		l.Warn(at, "unknown-setting", "PostgreSQL has no parameter "+name+", which "+of+" sets", "write "+near+" if that was meant")
	}
}

// checkParameters checks the names in pg_parameters.
func (m *Member) checkParameters(l *diag.List) {
	v, _ := m.Vars.Get("pg_parameters")
	for _, p := range v.Value.Pairs {
		m.checkSetting(p.Key, "pg_parameters", p.KeyPos, l)
	}
}
