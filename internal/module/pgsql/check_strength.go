package pgsql

import (
	"strings"

	"pigsty/internal/diag"
)

// checkStrength reports passwords in clear that the module passwordcheck would
// refuse, where pg_libs has the server load it. The server cannot: it is only
// sent what passwords are verified by.
func (m *Member) checkStrength(l *diag.List) {
	p := m.Params
	if !preloads(p.libraries(), "passwordcheck") {
		return
	}
	for _, u := range p.roles() {
		fault := weakness(u.Name, p.password(u).Reveal())
		if fault == "" || u.State == "absent" {
			continue
		}
		at := m.Field("pg_users", u.Pos, "password")
		for name, user := range map[string]string{
			"pg_dbsu_password": p.PgDbsu, "pg_replication_password": p.PgReplicationUsername,
			"pg_admin_password": p.PgAdminUsername, "pg_monitor_password": p.PgMonitorUsername,
		} {
			if user == u.Name {
				at = m.At(name)
			}
		}
		l.Fail(at, "invalid-password", "the password of user "+u.Name+" "+fault+", which passwordcheck in pg_libs forbids", "choose another")
	}
}

// weakness returns what passwordcheck would say of a user's password, "" if it
// has nothing against it: check_password in passwordcheck.c.
func weakness(user, password string) string {
	if password == "" || md5Hash.MatchString(password) || scramHash.MatchString(password) {
		return ""
	}
	letter := func(c rune) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
	other := func(c rune) bool { return !letter(c) }
	switch {
	case len(password) < 8:
		return "is shorter than 8 characters"
	case strings.Contains(password, user):
		return "contains the user's name"
	case !strings.ContainsFunc(password, letter) || !strings.ContainsFunc(password, other):
		return "does not have both letters and other characters"
	}
	return ""
}
