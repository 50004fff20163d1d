package cli

import (
	"slices"
	"strings"
)

// pathKinds are the kinds of resources that are named by a path.
var pathKinds = []string{"file", "cert", "link", "dir", "absent", "htpasswd", "userlist", "pg_file", "pg_hba", "lines"}

// passing are the kinds of resources that hold nothing: they wait for others,
// check them, or have them read what changed.
var passing = []string{
	"patroni ready ", "patroni leader ", "patroni restart ", "patroni standby", "etcd healthy ", "wait ", "original ",
	"postgres reload ", "archive check ", "outdated ", "prune ", "address ", "postgres settings drift",
}

// splitKey returns the kind of a resource that is named by a path or is a unit,
// and that name; the kind is "" for others, which are named by their key.
func splitKey(key string) (kind, name string) {
	kind, name, _ = strings.Cut(key, " ")
	if slices.Contains(pathKinds, kind) && strings.HasPrefix(name, "/") {
		name, _, _ = strings.Cut(name, " ")
		return "file", name
	}
	if kind == "unit" {
		return kind, strings.TrimPrefix(name, "absent ")
	}
	return "", key
}

// kindOf returns the kind of the effect on a resource, "" if it is none.
func kindOf(key string) string {
	kind, _ := splitKey(key)
	switch {
	case slices.ContainsFunc(passing, func(prefix string) bool { return strings.HasPrefix(key, prefix) }):
		return ""
	case strings.HasPrefix(key, "dir "):
		return "directory"
	case kind != "":
		return kind
	case strings.HasPrefix(key, "patroni config "):
		return "configuration"
	case key == "packages":
		return "packages"
	}
	return "object"
}

// general replaces the sample's names in a resource's name.
func (t *trial) general(name string) string {
	for _, h := range t.site.Hosts() {
		if l := label(h); l != h.Name() {
			name = strings.ReplaceAll(name, l, "INSTANCE")
		}
		name = strings.ReplaceAll(name, h.Name(), "ADDRESS")
	}
	return strings.ReplaceAll(name, sampleCluster, "CLUSTER")
}

// place says which hosts of the sample hosts are.
func (t *trial) place(hosts map[string]bool) string {
	if !hosts[""] {
		return "leader of the cluster"
	}
	members := 0
	for _, h := range t.site.Group(sampleCluster) {
		if hosts[h.Name()] {
			members++
		}
	}
	switch {
	case hosts[sampleAdmin] && members == 0:
		return t.admin
	case hosts[sampleAdmin]:
		return "every node"
	case members > 1:
		return "PostgreSQL nodes"
	case hosts[sampleReplica]:
		return "the instance's node"
	}
	return "the primary's node"
}

// below reports whether a path is one of list, or in a directory of it.
func below(p string, list []string) bool {
	return slices.ContainsFunc(list, func(on string) bool {
		return p == on || strings.HasSuffix(on, "/") && strings.HasPrefix(p, on)
	})
}
