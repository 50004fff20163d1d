package node

import (
	"slices"
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// adminGroup is the group of the people who run the node.
const adminGroup = "admin"

// administrator adds the administrators' group and account, what they may run
// as root, and the keys that they log in with. Keys that others authorized stay.
func administrator(b *plan.Builder, s *module.Site, h *module.Host) {
	p := module.Params[Params](h)
	b = b.Tag("node_admin")
	b.Add(&resource.Group{Name: adminGroup, GID: p.NodeAdminUID})
	if !p.NodeAdminEnabled {
		return
	}
	user := p.NodeAdminUsername
	b.Add(
		&resource.User{Name: user, UID: p.NodeAdminUID, Group: adminGroup, Home: "/home/" + user, Shell: "/bin/bash"},
		&resource.SSHKey{User: user},
	)
	if login := h.Facts.User; login != "" && login != "root" && login != user {
		joins := &resource.Membership{User: login, Group: adminGroup}
		if h.Facts.Home == "" { // of a directory such as LDAP, say
			b.Add(&resource.Impossible{Name: joins.Key(), Why: login + " is no account of the host's own"})
		} else {
			b.Add(joins)
		}
	}

	path := sudoersFile(user)
	if p.NodeAdminSudo == "none" {
		b.Add(&resource.Absent{Path: path, Reason: "node_admin_sudo is none"})
	} else {
		b.Add(resource.NewFile(path, render("sudoers.tmpl", p.NodeAdminSudo),
			resource.Mode(0o440), resource.CheckedBy("visudo", "-c", "-q", "-f", "%s")))
	}

	keys := slices.Clone(p.NodeAdminPkList)
	tags := []string{"node_admin_pk_list"}
	if p.NodeAdminPkCurrent {
		keys, tags = append(keys, s.Keys...), append(tags, "node_admin_pk_current")
	}
	if len(keys) > 0 {
		b.Tag(tags...).Add(&resource.AuthorizedKeys{User: user, Keys: keys})
	}
	if p.NodeAdminSSHExchange {
		exchange(b, s, h)
	} else {
		noExchange(b, user, "node_admin_ssh_exchange is off")
	}
}

// sudoersFile is where user's rules are. sudo passes over names with a dot.
func sudoersFile(user string) string {
	return "/etc/sudoers.d/" + strings.ReplaceAll(user, ".", "_")
}
