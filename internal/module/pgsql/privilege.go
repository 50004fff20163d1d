package pgsql

import (
	"slices"

	"pigsty/internal/resource/postgres"
)

// privileges returns who may connect to d and create in it. connect says
// whether the inventory decides about connecting, as it does for the
// databases that it declares.
func (m *Member) privileges(d Database, connect bool) postgres.DatabasePrivileges {
	p := m.Params
	out := postgres.DatabasePrivileges{Server: m.server(), DB: d.Name, Owner: d.Owner, Admin: p.grantable(adminRole)}
	if connect {
		out.RevokeConnect = postgres.Some(d.RevokeConn)
		out.Connect = []string{p.PgReplicationUsername, p.PgMonitorUsername}
		out.ConnectGrant = []string{p.PgAdminUsername}
	}
	return out
}

// defaultPrivileges returns what those who create objects in db grant on them.
// The owner of the database is one of them, the others are in every database.
func (m *Member) defaultPrivileges(db, owner string) postgres.DefaultPrivileges {
	p := m.Params
	grantors := []string{p.PgDbsu, p.PgAdminUsername}
	for _, name := range []string{p.grantable(adminRole), owner} {
		if name != "" && !slices.Contains(grantors, name) {
			grantors = append(grantors, name)
		}
	}
	return postgres.DefaultPrivileges{Server: m.server(), DB: db, Grantors: grantors, Grants: p.PgDefaultPrivileges}
}

// grantable returns name if the inventory declares such a role, else "".
func (p *Params) grantable(name string) string {
	for _, u := range p.roles() {
		if u.Name == name && u.State != "absent" {
			return name
		}
	}
	return ""
}
