package infra

import (
	"slices"
	"strings"
	"testing"

	"pigsty/internal/inventory"
	"pigsty/internal/module"
	"pigsty/internal/module/etcd"
	"pigsty/internal/module/moduletest"
	"pigsty/internal/module/node"
	"pigsty/internal/module/pgsql"
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
		if b, ok := step.Resource.(*repo.Build); ok {
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
	for host, want := range map[string]string{"10.0.0.1": "file:///www/pigsty", "10.0.0.2": "http://10.0.0.1:8080/pigsty", "10.0.0.3": ""} {
		got := ""
		if r := s.Repository(s.Host(host)); r != nil {
			got = r.URL
			if !strings.HasSuffix(r.After[0], build.Key()) {
				t.Errorf("%s comes after %v", host, r.After)
			}
		}
		if got != want {
			t.Errorf("%s uses %q, want %q", host, got, want)
		}
	}
}
