package infra

import (
	"path"

	"pigsty/internal/module"
	"pigsty/internal/module/node"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// groupName is the group of all who run infra services, and of administrators.
const groupName = "infra"

// home is where an infra node has its metrics, rules and targets, a link to infra_data.
const home = "/infra"

// accounts adds the users that services run as. Those that packages made
// before only join the group.
func (i *instance) accounts(b *plan.Builder) {
	b = b.Tag("infra_user")
	early := b.Early() // packages find the users that they would make otherwise
	early.Add(everybody())
	for _, name := range []string{"victoria", "prometheus", "grafana", "dnsmasq", "nginx"} {
		early.Add(account(name)...)
	}
	people := []string{i.Facts.User}
	if p := module.Params[node.Params](i.Host); p.NodeAdminEnabled {
		people = append(people, p.NodeAdminUsername)
	}
	for n, name := range people {
		if name != "" && name != "root" && (n == 0 || name != people[0]) {
			b.Add(&resource.Membership{User: name, Group: groupName})
		}
	}
}

// everybody is the group that all accounts join.
func everybody() *resource.Group { return &resource.Group{Name: groupName, System: true} }

// account is the user that a service runs as, and the group of the same name: one
// that a package made may have another primary group (Debian's dnsmasq has nogroup).
func account(name string) []resource.Resource {
	return []resource.Resource{
		&resource.Group{Name: name, System: true},
		&resource.User{Name: name, Groups: []string{groupName, name}, System: true,
			Home: "/var/lib/" + name, Shell: "/usr/sbin/nologin", KeepHome: true},
	}
}

// kinds are the directories of targets, one for each kind of them.
var kinds = []string{"node", "ping", "http", "tcp", "etcd", "infra", "pgsql", "pgrds", "patroni", "redis", "minio", "docker"}

// directories adds the tree below /infra.
func (i *instance) directories(b *plan.Builder) {
	b = b.Tag("infra_dir")
	b.Tag("infra_dir_data").Add(&resource.Dir{Path: i.InfraData, Owner: resource.Owner{User: "root", Group: groupName}, Mode: 0o771})
	if i.InfraData != home {
		b.Tag("infra_dir_link").Add(&resource.Link{Path: home, Target: i.InfraData,
			Keep: "it holds metrics and targets; move them to the new place first, then remove the link"})
	}
	create := b.Tag("infra_dir_create")
	add := func(user string, names ...string) {
		for _, name := range names {
			create.Add(&resource.Dir{Path: below(name), Owner: resource.Owner{User: user, Group: groupName}, Mode: 0o750})
		}
	}
	add("root", "datasources")
	add("grafana", "dashboards")
	add("victoria", "rules", "targets")
	create.Add(&resource.Dir{Path: below("alertmgr"), Owner: resource.Owner{User: "prometheus", Group: groupName}, Mode: 0o700})
	for _, kind := range kinds {
		add("victoria", path.Join("targets", kind))
	}
}

// below returns the path of something below /infra.
func below(name string) string { return path.Join(home, name) }
