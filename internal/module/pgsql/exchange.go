package pgsql

import (
	"path"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// membersMarker ends our line in the superuser's authorized_keys, and begins and
// ends ours in the settings of its ssh.
const membersMarker = "# pigsty members"

// addExchange lets the superuser log in from member to member. Each member makes
// a key of its own, the deployment's CA vouches for it as that of the member, and
// members let in whom it vouches for as one of the cluster: whoever joins is known
// at once, and who leaves the inventory is out with the next run on the others.
func (m *Member) addExchange(b *plan.Builder, s *module.Site) {
	b = b.Tag("pg_dbsu", "pg_ssh")
	p := m.Params
	if !p.PgDbsuSSHExchange {
		m.removeExchange(b, "pg_dbsu_ssh_exchange is off")
		return
	}
	var names []string
	for _, other := range m.Cluster.Members {
		if other.Params.PgDbsuSSHExchange {
			names = append(names, other.principal())
		}
	}
	trust, err := resource.SSHAuthorities(s.CA, names)
	if err != nil {
		return // offline, without a CA
	}
	b.Add(&resource.SSHKey{User: p.PgDbsu}, &resource.SSHCert{User: p.PgDbsu, Principal: m.principal(), CA: s.CA})
	m.addLogin(b, trust, []string{
		"Host *",
		"    StrictHostKeyChecking accept-new", // a key that changes is refused
	})
}

// principal is what the CA vouches for in the superuser's key on m. It is never
// that of a node's administrator, who may do more.
func (m *Member) principal() string { return path.Join("pgsql", m.Cluster.Name, m.Name()) }

// removeExchange takes away what addExchange gives.
func (m *Member) removeExchange(b *plan.Builder, why string) {
	b.Add(&resource.Absent{Path: path.Join(m.sshDir(), resource.SSHCertFile), Reason: why})
	m.addLogin(b, nil, nil)
}

// addLogin keeps our lines in the files of the superuser's SSH.
func (m *Member) addLogin(b *plan.Builder, trust, settings []string) {
	b.After(b.ID("ssh key "+m.Params.PgDbsu)).Add(
		&resource.Lines{Path: path.Join(m.sshDir(), "authorized_keys"), Marker: membersMarker, Lines: trust, Owner: m.owner(), Mode: 0o600},
		&resource.Lines{Path: path.Join(m.sshDir(), "config"), Marker: membersMarker, Block: true, Lines: settings, Owner: m.owner(), Mode: 0o600},
	)
}

func (m *Member) sshDir() string { return path.Join(m.Params.PgDbsuHome, ".ssh") }
