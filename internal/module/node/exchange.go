package node

import (
	"path"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// nodesMarker ends our line in authorized_keys, and begins and ends ours in the
// settings of ssh.
const nodesMarker = "# pigsty nodes"

// exchange lets the administrator log in from node to node. Each node makes a key
// of its own, the deployment's CA vouches for it as that of the node, and nodes
// let in whom it vouches for as one of the inventory. So a node that is added to
// the others knows them and is known at once, whatever a run is limited to, and
// one that leaves the inventory is out with the next run on the others.
func exchange(b *plan.Builder, s *module.Site, h *module.Host) {
	p := module.Params[Params](h)
	user := p.NodeAdminUsername
	trust := module.Derive(s, trustedNodes)
	if len(trust) == 0 {
		return // offline, without a CA
	}
	b.Add(&resource.SSHCert{User: user, Principal: h.Name(), CA: s.CA})
	settings := []string{
		"Host *",
		"    StrictHostKeyChecking accept-new", // a key that changes is refused
	}
	ours(b, user, trust, settings)
}

// noExchange takes away what exchange gives.
func noExchange(b *plan.Builder, user, why string) {
	b.Add(&resource.Absent{Path: path.Join(sshDir(user), resource.SSHCertFile), Reason: why})
	ours(b, user, nil, nil)
}

// ours keeps our lines in the files of the administrator's SSH.
func ours(b *plan.Builder, user string, trust, settings []string) {
	owner := resource.Owner{User: user, Group: adminGroup}
	b.After(b.ID("ssh key "+user), b.ID("authorized keys "+user)).Add(
		&resource.Lines{Path: path.Join(sshDir(user), "authorized_keys"), Marker: nodesMarker, Lines: trust, Owner: owner, Mode: 0o600},
		&resource.Lines{Path: path.Join(sshDir(user), "config"), Marker: nodesMarker, Block: true, Lines: settings, Owner: owner, Mode: 0o600},
	)
}

func sshDir(user string) string { return path.Join("/home", user, ".ssh") }

// authorities are the lines of authorized_keys that let in the administrator of
// every node that takes part.
type authorities []string

func trustedNodes(s *module.Site) authorities {
	var names []string
	for _, h := range s.Hosts() {
		if p := module.Params[Params](h); p.NodeAdminEnabled && p.NodeAdminSSHExchange {
			names = append(names, h.Name())
		}
	}
	lines, err := resource.SSHAuthorities(s.CA, names)
	if err != nil {
		return nil
	}
	return lines
}
