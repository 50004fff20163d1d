package infra

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pigsty/internal/inventory"
	"pigsty/internal/module"
	"pigsty/internal/module/etcd"
	"pigsty/internal/module/moduletest"
	"pigsty/internal/module/node"
	"pigsty/internal/module/pgsql"
	"pigsty/internal/plan"
	"pigsty/internal/repo"
	"pigsty/internal/resource"
)

// A repository has what hosts of its system install, and what the lists ask
// for; hosts of its system use it, over the network or as files.
func TestRepository(t *testing.T) {
	src := inventory.Source{Name: "test", Data: []byte(`
all:
  children:
    infra: { hosts: { 10.0.0.1: { infra_seq: 1, nginx_port: 8080 } } }
    nodes: { hosts: { 10.0.0.2: { node_packages: [jq] }, 10.0.0.3: { node_packages: [only-on-12] } } }
  vars:
    repo_modules: infra,pgsql
    repo_extra_packages: [pg16-client, pgsql-gis]
    repo_upstream:
      - {name: pgdg, module: pgsql, releases: [13], arch: [x86_64], baseurl: {default: 'http://apt.example.org/pg ${distro_codename}-pgdg main'}, meta: {gpgkey: /etc/pgdg.asc}}
      - {name: old, module: pgsql, releases: [12], arch: [x86_64], baseurl: {default: 'http://apt.example.org/pg bookworm-pgdg main'}}
`)}
	debian := func(version, codename string) resource.Facts {
		return resource.Facts{OS: "debian", Version: version, Codename: codename, Family: "deb", Arch: "x86_64"}
	}
	facts := map[string]resource.Facts{"10.0.0.1": debian("13", "trixie"), "10.0.0.2": debian("13", "trixie"), "10.0.0.3": debian("12", "bookworm")}
	s := moduletest.Site(t, src, facts, node.Declaration(), Declaration(), etcd.Declaration(), pgsql.Declaration())
	s.Modules, s.RepoKey = []module.Module{node.Module(), Module()}, []byte("key")

	var build *repo.Build
	for _, step := range steps(s, s.Hosts()) {
		if b, ok := step.Resource.(*repo.Build); ok && b.Dir == "/www/pigsty" {
			build = b
			if !step.Early || !slices.Contains(step.Tags, "repo_pkg") {
				t.Errorf("the step is early %v and has tags %v", step.Early, step.Tags)
			}
		}
	}
	if build == nil {
		t.Fatal("no repository is built")
	}
	wants := map[string]bool{}
	for _, w := range build.Wants {
		wants[w.Name] = w.Optional
	}
	for name, optional := range map[string]bool{"jq": false, "haproxy": false, "nginx": true, "postgresql-client-16": false, "postgresql-18-postgis-3": true} {
		if got, ok := wants[name]; !ok || got != optional {
			t.Errorf("%s: wanted %v, optional %v", name, ok, got)
		}
	}
	if _, ok := wants["only-on-12"]; ok {
		t.Error("what hosts of another system install is wanted")
	}
	if len(build.Upstreams) != 1 || build.Upstreams[0] != (repo.Upstream{Name: "pgdg", URL: "http://apt.example.org/pg trixie-pgdg main", Key: "/etc/pgdg.asc"}) || build.Base {
		t.Errorf("upstreams %v, base %v", build.Upstreams, build.Base)
	}
	var gone []string
	for _, step := range removal(s, s.Hosts()) {
		if prune, ok := step.Resource.(*resource.Prune); ok && prune.Dir == "/etc/apt/sources.list.d" {
			gone = append(gone, step.Host+" "+prune.Glob)
		}
	}
	if !slices.Equal(gone, []string{"10.0.0.1 local.list"}) {
		t.Errorf("infra-rm removes the repository files %q", gone)
	}
	for host, want := range map[string]string{"10.0.0.1": "file:///www/pigsty", "10.0.0.2": "http://10.0.0.1:8080/pigsty", "10.0.0.3": "http://10.0.0.1:8080/pigsty-bookworm-x86_64"} {
		got := ""
		if r := s.Repository(s.Host(host)); r != nil {
			got = r.URL
			if !strings.Contains(r.After[0], build.Key()) {
				t.Errorf("%s comes after %v", host, r.After)
			}
		}
		if got != want {
			t.Errorf("%s uses %q, want %q", host, got, want)
		}
	}
}

// An inventory with two releases, two major versions of PostgreSQL and EL: each
// host finds a repository for its system, with all that hosts of that system want.
func TestMixedRepositories(t *testing.T) {
	src := inventory.Source{Name: "test", Data: []byte(`
all:
  children:
    infra: { hosts: { 10.0.0.1: { infra_seq: 1 }, 10.0.0.2: { infra_seq: 2 } } }
    etcd: { hosts: { 10.0.0.1: { etcd_seq: 1 } } }
    pg-old: { hosts: { 10.0.0.3: { pg_seq: 1, pg_role: primary }, 10.0.0.4: { pg_seq: 2, pg_role: replica } }, vars: { pg_cluster: pg-old, pg_version: 16 } }
    pg-new: { hosts: { 10.0.0.5: { pg_seq: 1, pg_role: primary } }, vars: { pg_cluster: pg-new, pg_version: 17 } }
    pg-el: { hosts: { 10.0.0.6: { pg_seq: 1, pg_role: primary } }, vars: { pg_cluster: pg-el, pg_version: 17 } }
    pg-ubuntu: { hosts: { 10.0.0.7: { pg_seq: 1, pg_role: primary } }, vars: { pg_cluster: pg-ubuntu, pg_version: 17 } }
  vars:
    repo_modules: infra,node,pgsql
    repo_extra_packages: [pg16-client]
    repo_url_packages: [ { name: 'extra-${distro_codename}.tgz', url: 'https://example.org/${releasever}/${arch}/extra.tgz' }, { url: 'https://example.org/${distro_codename}/tool.bin?v=1', sha256: 2C26B46B68FFC68FF99B453C1D30413413422D706483BFA0F98A5E886266E7AE } ]
    repo_upstream:
      - {name: pgdg, module: pgsql, releases: [12, 13], arch: [x86_64], baseurl: {default: 'http://apt.example.org/pg ${distro_codename}-pgdg main'}}
      - {name: pgdg17, module: pgsql, releases: [9], arch: [x86_64], baseurl: {default: 'http://yum.example.org/17/rhel-$releasever-$basearch'}}
`)}
	facts := map[string]resource.Facts{}
	for host, of := range map[string][4]string{
		"10.0.0.1": {"debian", "13", "trixie", "deb"}, "10.0.0.2": {"rocky", "9.6", "el9", "rpm"}, "10.0.0.3": {"debian", "12", "bookworm", "deb"},
		"10.0.0.4": {"debian", "13", "trixie", "deb"}, "10.0.0.5": {"debian", "13", "trixie", "deb"}, "10.0.0.6": {"almalinux", "9.4", "el9", "rpm"},
		"10.0.0.7": {"ubuntu", "24.04", "noble", "deb"},
	} {
		facts[host] = resource.Facts{OS: of[0], Version: of[1], Codename: of[2], Family: of[3], Arch: "x86_64"}
	}
	s := moduletest.Site(t, src, facts, node.Declaration(), Declaration(), etcd.Declaration(), pgsql.Declaration())
	s.Modules, s.RepoKey = []module.Module{node.Module(), Module(), pgsql.Module()}, []byte("key")

	server := regexp.MustCompile(`^postgresql-\d+$|^postgresql\d+-server$`)
	got, client := map[string]string{}, ""
	for _, step := range steps(s, s.Hosts()) {
		if f, ok := step.Resource.(*resource.File); ok && f.Path == "/etc/yum.repos.d/local.repo" {
			client = string(f.Content())
		}
		if trust, ok := step.Resource.(*repo.Trust); ok && (trust.URL != "file:///www/pigsty" || step.Host != "10.0.0.2") {
			t.Errorf("%s trusts the packages of %s", step.Host, trust.URL)
		}
		b, ok := step.Resource.(*repo.Build)
		if !ok {
			continue
		}
		var servers []string
		for _, w := range b.Wants {
			if server.MatchString(w.Name) {
				servers = append(servers, w.Name)
			}
		}
		slices.Sort(servers)
		var upstreams []string
		for _, u := range b.Upstreams {
			upstreams = append(upstreams, u.URL)
		}
		got[step.Host+" "+b.Dir] = fmt.Sprintf("for %q from %v, %s: %v", b.For, upstreams, b.Files[0].Name, servers)
		tool := repo.File{Name: "tool.bin", URL: "https://example.org/" + strings.TrimSuffix(strings.TrimPrefix(b.Files[0].Name, "extra-"), ".tgz") + "/tool.bin?v=1",
			SHA256: "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"}
		if b.Files[1] != tool {
			t.Errorf("%s gets the file %+v, not %+v", b.Dir, b.Files[1], tool)
		}
	}
	want := map[string]string{
		"10.0.0.1 /www/pigsty":                 `for "" from [http://apt.example.org/pg trixie-pgdg main], extra-trixie.tgz: [postgresql-16 postgresql-17]`,
		"10.0.0.1 /www/pigsty-bookworm-x86_64": `for "debian 12 x86_64" from [http://apt.example.org/pg bookworm-pgdg main], extra-bookworm.tgz: [postgresql-16]`,
		"10.0.0.2 /www/pigsty":                 `for "" from [http://yum.example.org/17/rhel-9.6-$basearch], extra-el9.tgz: [postgresql17-server]`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, line := range []string{"baseurl=file:///www/pigsty", "gpgcheck=1", "repo_gpgcheck=1", "gpgkey=file:///etc/pki/rpm-gpg/pigsty.asc"} {
		if !strings.Contains(client, "\n"+line+"\n") {
			t.Errorf("%s is not in\n%s", line, client)
		}
	}
	for host, want := range map[string]string{
		"10.0.0.1": "file:///www/pigsty", "10.0.0.2": "file:///www/pigsty", "10.0.0.3": "http://10.0.0.1:80/pigsty-bookworm-x86_64",
		"10.0.0.4": "http://10.0.0.1:80/pigsty", "10.0.0.5": "http://10.0.0.1:80/pigsty", "10.0.0.6": "http://10.0.0.2:80/pigsty", "10.0.0.7": "",
	} {
		got := ""
		if r := s.Repository(s.Host(host)); r != nil {
			got = r.URL
		}
		if got != want {
			t.Errorf("%s uses %q, want %q", host, got, want)
		}
	}
}

// Each tag of the repository selects what it names, and nothing else.
func TestRepositoryTags(t *testing.T) {
	src := inventory.Source{Name: "test", Data: []byte("all: { children: { infra: { hosts: { 10.10.10.10: { infra_seq: 1 } } } } }\n")}
	s := moduletest.Site(t, src, map[string]resource.Facts{"10.10.10.10": machine}, node.Declaration(), Declaration(), etcd.Declaration(), pgsql.Declaration())
	s.Modules, s.RepoKey = []module.Module{node.Module(), Module()}, []byte("-----BEGIN-----\n\nkey\n")
	all := steps(s, s.Hosts())
	use := []string{"file /etc/apt/keyrings/pigsty.asc", "file /etc/apt/sources.list.d/local.list", "package index"}
	served := "file /www/pigsty.sources"
	want := map[string][]string{
		"repo_dir": {"dir /data/nginx", "group infra", "group nginx", "link /www", "user nginx"},
		"repo_use": append([]string{served}, use...), "repo_prepare": append([]string{"repository /www/pigsty"}, use...),
		"repo_nginx": {served, "cert /etc/nginx/conf.d/cert/pigsty.crt", "dir /data/nginx", "dir /data/nginx/acme", "dir /etc/nginx", "dir /etc/nginx/conf.d",
			"dir /etc/nginx/conf.d/cert", "dir /etc/nginx/conf.d/haproxy", "file /etc/nginx/conf.d/home.conf", "file /etc/nginx/nginx.conf",
			"file /etc/systemd/system/nginx.service.d/pigsty.conf", "htpasswd /etc/nginx/.htpasswd", "link /etc/nginx/conf.d/cert/i.pigsty.crt",
			"link /etc/nginx/conf.d/cert/i.pigsty.key", "group infra", "group nginx", "link /www", "packages", "unit nginx.service", "user nginx"},
	}
	want["repo"] = slices.Compact(slices.Sorted(slices.Values(slices.Concat(want["repo_dir"], want["repo_use"], want["repo_prepare"], want["repo_nginx"]))))
	for _, tag := range buildTags {
		if want[tag] == nil {
			want[tag] = []string{"repository /www/pigsty"}
		}
	}
	for tag, keys := range want {
		graph, err := plan.Arrange(all, []string{tag})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, step := range graph.Steps {
			got = append(got, step.Resource.Key())
		}
		slices.Sort(got)
		slices.Sort(keys)
		if d := cmp.Diff(keys, got); d != "" {
			t.Errorf("-t %s:\n%s", tag, d)
		}
	}
}

// A file that is served has hosts that nobody manages use the repository, and
// check what comes from it.
func TestRepositoryDefinitions(t *testing.T) {
	src := inventory.Source{Name: "test", Data: []byte(`
all:
  children:
    infra: { hosts: { 10.0.0.1: { infra_seq: 1, nginx_port: 8080 }, 10.0.0.2: { infra_seq: 2 } } }
    nodes: { hosts: { 10.0.0.3: {} } }
`)}
	of := func(os, version, codename, family string) resource.Facts {
		return resource.Facts{OS: os, Version: version, Codename: codename, Family: family, Arch: "x86_64"}
	}
	s := moduletest.Site(t, src, map[string]resource.Facts{"10.0.0.1": of("debian", "13", "trixie", "deb"), "10.0.0.2": of("rocky", "9.6", "el9", "rpm"),
		"10.0.0.3": of("debian", "12", "bookworm", "deb")}, node.Declaration(), Declaration(), etcd.Declaration(), pgsql.Declaration())
	s.Modules, s.RepoKey = []module.Module{node.Module(), Module()}, []byte("-----BEGIN-----\n\nkey\n-----END-----\n")
	got := map[string]string{}
	for _, step := range steps(s, s.Hosts()) {
		if f, ok := step.Resource.(*resource.File); ok && strings.HasPrefix(f.Path, "/www/") {
			_, text, _ := strings.Cut(string(f.Content()), "\n")
			got[step.Host+" "+f.Path] = text
		}
	}
	want := map[string]string{
		"10.0.0.1 /www/pigsty.sources": "# http://10.0.0.1:8080/pigsty/pigsty.asc\nTypes: deb\nURIs: http://10.0.0.1:8080/pigsty\nSuites: ./\n" +
			"Signed-By:\n -----BEGIN-----\n .\n key\n -----END-----\n",
		"10.0.0.1 /www/pigsty-bookworm-x86_64.sources": "# http://10.0.0.1:8080/pigsty-bookworm-x86_64/pigsty.asc\nTypes: deb\n" +
			"URIs: http://10.0.0.1:8080/pigsty-bookworm-x86_64\nSuites: ./\nSigned-By:\n -----BEGIN-----\n .\n key\n -----END-----\n",
		"10.0.0.2 /www/pigsty.repo": "# http://10.0.0.2:80/pigsty/pigsty.asc\n[pigsty]\nname=packages of a deployment\nbaseurl=http://10.0.0.2:80/pigsty\n" +
			"enabled=1\ngpgcheck=1\nrepo_gpgcheck=1\ngpgkey=http://10.0.0.2:80/pigsty/pigsty.asc http://10.0.0.2:80/pigsty/packages.asc\nmodule_hotfixes=1\n",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
