package pgsql

import (
	"slices"

	"pigsty/internal/plan"
	"pigsty/internal/resource/postgres"
	"pigsty/internal/secret"
)

// roles returns every role that the inventory declares: the default ones, each
// replaced by the user of the same name if there is one, then the other users.
// The system's own users exist whatever the lists say.
func (p *Params) roles() []User {
	declared := make(map[string]*User, len(p.PgUsers))
	for i := range p.PgUsers {
		declared[p.PgUsers[i].Name] = &p.PgUsers[i]
	}
	out := make([]User, 0, len(p.PgDefaultRoles)+4+len(p.PgUsers))
	seen := map[string]bool{}
	add := func(u User) {
		if !seen[u.Name] {
			seen[u.Name] = true
			out = append(out, u)
		}
	}
	for _, u := range p.PgDefaultRoles {
		if own, ok := declared[u.Name]; ok {
			u = *own
		}
		add(u)
	}
	yes := true
	for _, u := range []User{
		{Name: p.PgDbsu, Superuser: &yes},
		{Name: p.PgReplicationUsername, Replication: &yes, Roles: []RoleGrant{{Name: "pg_monitor"}}},
		{Name: p.PgAdminUsername, Superuser: &yes, PgBouncer: true, PoolMode: "session"},
		{Name: p.PgMonitorUsername, Roles: []RoleGrant{{Name: "pg_monitor"}}, PgBouncer: true, PoolMode: "session"},
	} {
		if own, ok := declared[u.Name]; ok {
			u = *own
		}
		add(u)
	}
	for _, u := range p.PgUsers {
		add(u)
	}
	return out
}

// password returns the password of u: that of a system user is a parameter.
func (p *Params) password(u User) secret.Value {
	switch u.Name {
	case p.PgDbsu:
		return p.PgDbsuPassword
	case p.PgReplicationUsername:
		return p.PgReplicationPassword
	case p.PgAdminUsername:
		return p.PgAdminPassword
	case p.PgMonitorUsername:
		return p.PgMonitorPassword
	}
	return u.Password
}

// role returns the resource for u on the leader.
func (m *Member) role(u User) postgres.Role {
	p := m.Params
	// Powers that nobody declared are taken away again when somebody grants them
	// by hand. A superuser has them all anyway, and initdb's also by name.
	power := func(declared *bool) postgres.Opt[bool] {
		if declared == nil && (u.Superuser == nil || !*u.Superuser) {
			return postgres.Some(false)
		}
		return postgres.Maybe(declared)
	}
	r := postgres.Role{
		Server: m.server(), Name: u.Name, State: postgres.State(u.State),
		Password: p.password(u), MD5: p.PgPwdEnc == "md5",
		Login: postgres.Maybe(u.Login), Superuser: power(u.Superuser),
		CreateDB: power(u.CreateDB), CreateRole: power(u.CreateRole),
		Inherit: postgres.Maybe(u.Inherit), Replication: power(u.Replication),
		BypassRLS: power(u.BypassRLS), ConnLimit: postgres.Maybe(u.ConnLimit),
		ExpireAt: u.ExpireAt, Parameters: u.Parameters, Comment: u.Comment,
		Protected: slices.Contains(p.systemUsers(), u.Name),
	}
	if u.ExpireIn != nil && *u.ExpireIn > 0 { // counted from today, it goes before a date
		r.ExpireIn, r.ExpireAt = *u.ExpireIn, ""
	}
	for _, g := range u.Roles {
		r.Roles = append(r.Roles, postgres.Membership{
			Name: g.Name, State: g.State,
			Admin: postgres.Maybe(g.Admin), Set: postgres.Maybe(g.Set), Inherit: postgres.Maybe(g.Inherit),
		})
	}
	return r
}

// addRoles adds those roles of c that want picks, on the leader, and returns
// the IDs of their steps. Roles come after those they are members of by
// themselves.
func (c *Cluster) addRoles(b *plan.Builder, want func(User) bool) []string {
	m := c.first()
	var ids []string
	for _, u := range m.Params.roles() {
		if want(u) {
			ids = append(ids, b.AddOnLeader(c.Name, c.addresses(), m.role(u)))
		}
	}
	return ids
}

// addReplicationGrants lets the replication user take backups and rewind.
func (c *Cluster) addReplicationGrants(b *plan.Builder) {
	m := c.first()
	b.AddOnLeader(c.Name, c.addresses(), postgres.ReplicationGrants{Server: m.server(), Role: m.Params.PgReplicationUsername})
}
