package infra

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/module/etcd"
	"pigsty/internal/module/pgsql"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
	"pigsty/internal/secret"
)

// envMarker begins and ends our lines in files of people.
const envMarker = "# pigsty"

// admins are the group of those who may read what administers the deployment.
const admins = "admin"

// environment adds what people administer clusters with: settings of patronictl
// and etcdctl, and in the home of who deploys the ways and passwords to every
// database. Lines of others in those files stay.
func (i *instance) environment(b *plan.Builder) {
	b = b.Tag("infra_env")
	i.clients(b)
	private := func(name string, lines []string, secrets ...secret.Value) *resource.Lines {
		return &resource.Lines{Path: path.Join(i.userHome(), name), Marker: envMarker, Block: true, Lines: lines, Private: secrets,
			Owner: i.owner(), Mode: 0o600}
	}
	pg := b.Tag("env_pg")
	pg.Tag("env_pgpass").Add(private(".pgpass", nil, i.passwords()...))
	pg.Tag("env_pgscv").Add(private(".pg_service.conf", i.services()))
	p := module.Params[pgsql.Params](i.Host)
	env := []string{
		"export PGUSER=" + p.PgAdminUsername, "export PGDATABASE=postgres", "export METADB_URL=service=meta",
		"export GRAFANA_ENDPOINT=http://" + i.self(i.GrafanaPort) + "/ui",
	}
	b.Tag("env_var").Add(private(".pigstyrc", env), &resource.Lines{
		Path: path.Join(i.userHome(), ".bashrc"), Marker: envMarker, Lines: []string{"[ -f ~/.pigstyrc ] && . ~/.pigstyrc"},
		Owner: i.owner()})
}

// clients adds the settings of patronictl and etcdctl. A member of etcd has the
// latter from ETCD.
func (i *instance) clients(b *plan.Builder) {
	urls := etcd.Endpoints(i.site)
	if len(urls) == 0 {
		return
	}
	var hosts []string
	for _, url := range urls {
		hosts = append(hosts, strings.TrimPrefix(url, "https://"))
	}
	readable := []resource.FileOption{resource.OwnedBy("root", admins), resource.Mode(0o640)}
	p := module.Params[pgsql.Params](i.Host)
	password := etcd.RootPassword(i.site).Reveal()
	b.Tag("env_dir", "env_patroni").Add(&resource.Dir{Path: below("conf"), Owner: resource.Owner{User: "root", Group: groupName}, Mode: 0o755})
	b.Tag("env_patroni").Add(resource.NewFile(home+"/conf/patronictl.yml", render("patronictl.yml.tmpl", map[string]any{
		"Namespace": strings.TrimRight(p.PgNamespace, "/") + "/", "Hosts": quotes(hosts), "CA": caFile, "Password": quote(password),
		"Username": quote(p.PatroniUsername), "APIPassword": quote(p.PatroniPassword.Reveal()),
	}), append(readable, resource.Masking("password:"))...))
	if module.Params[etcd.Params](i.Host).EtcdSeq != nil {
		return
	}
	pass := home + "/conf/etcd.pass"
	b.Tag("env_etcd").Add(
		resource.NewFile(pass, password+"\n", append(readable, resource.Hidden())...),
		resource.NewFile("/etc/profile.d/etcdctl.sh", render("etcdctl.sh.tmpl", map[string]any{
			"Endpoints": strings.Join(urls, ","), "CA": caFile, "Pass": pass})),
	)
}

// user is who deploys on the node.
func (i *instance) user() string {
	if i.Facts.User == "" {
		return "root"
	}
	return i.Facts.User
}

// userHome is that user's home, by the host's own word where it was seen.
func (i *instance) userHome() string {
	switch {
	case i.Facts.Home != "" && i.user() == i.Facts.User:
		return i.Facts.Home
	case i.user() == "root":
		return "/root"
	}
	return "/home/" + i.user()
}

// owner is who owns that user's files.
func (i *instance) owner() resource.Owner {
	owner := resource.Owner{User: i.user(), Group: i.user()}
	if i.Facts.Group != "" && i.user() == i.Facts.User {
		owner.Group = i.Facts.Group
	}
	return owner
}

// passwords returns the lines of libpq's password file.
func (i *instance) passwords() []secret.Value {
	p := module.Params[pgsql.Params](i.Host)
	escape := strings.NewReplacer(`\`, `\\`, ":", `\:`)
	var out []secret.Value
	for _, u := range []struct{ name, password string }{
		{p.PgReplicationUsername, p.PgReplicationPassword.Reveal()},
		{p.PgMonitorUsername, p.PgMonitorPassword.Reveal()},
		{p.PgAdminUsername, p.PgAdminPassword.Reveal()},
	} {
		out = append(out, secret.New("*:*:*:"+escape.Replace(u.name)+":"+escape.Replace(u.password)))
	}
	return out
}

// services returns the sections of libpq's service file: one for each cluster,
// which finds the primary among the members by itself, for each database of
// one, and for each instance. The passwords are in the password file.
func (i *instance) services() []string {
	user := module.Params[pgsql.Params](i.Host).PgAdminUsername
	var out []string
	section := func(name, host, port, database, more string) {
		out = append(out, "["+name+"]", "host="+host, "port="+port, "dbname="+database, "user="+user)
		if more != "" {
			out = append(out, more)
		}
	}
	section("meta", "127.0.0.1", "5432", "meta", "")
	for _, c := range pgsql.Clusters(i.site) {
		var hosts, ports []string
		for _, m := range c.Members {
			hosts, ports = append(hosts, m.Host.Name()), append(ports, fmt.Sprint(m.Params.PgPort))
		}
		host, port, primary := strings.Join(hosts, ","), strings.Join(ports, ","), "target_session_attrs=read-write"
		if c.Params.PgUpstream != "" && c.Primary != nil { // a standby cluster takes no writes
			primary = "target_session_attrs=any"
		}
		names := []string{}
		for _, d := range c.Params.PgDatabases {
			if d.State != "absent" && !slices.Contains(names, d.Name) {
				names = append(names, d.Name)
			}
		}
		first := "postgres"
		if len(names) > 0 {
			first = names[0]
		}
		if c.Name != "meta" {
			section(c.Name, host, port, first, primary)
		}
		for _, name := range names {
			section(c.Name+"."+name, host, port, name, primary)
		}
		for _, m := range c.Members {
			section(m.Instance(), m.Host.Name(), fmt.Sprint(m.Params.PgPort), first, "")
		}
	}
	return out
}
