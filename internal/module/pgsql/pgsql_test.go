package pgsql

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pigsty/internal/inventory"
	"pigsty/internal/module"
	"pigsty/internal/module/etcd"
	"pigsty/internal/module/minio"
	"pigsty/internal/module/moduletest"
	"pigsty/internal/module/node"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// Two hosts of the tests: a machine, and a container that allows few open files.
var (
	machine = resource.Facts{Hostname: "debian", OS: "debian", Version: "13", Codename: "trixie", Family: "deb", Arch: "x86_64",
		CPUs: 4, Memory: 7900 << 20, Mounts: map[string]int64{"/": 40 << 30, "/data": 100 << 30}, Systemd: true, MaxFiles: 1 << 30, OOMAdjust: true}
	container = resource.Facts{Hostname: "bookworm", OS: "debian", Version: "12", Codename: "bookworm", Family: "deb", Arch: "x86_64",
		CPUs: 2, Memory: 3924 << 20, Mounts: map[string]int64{"/": 40 << 30}, Container: "systemd-nspawn", Systemd: true, MaxFiles: 20000}
)

// newSite makes a site of an inventory's text.
func newSite(t *testing.T, name, text string, facts map[string]resource.Facts) *module.Site {
	t.Helper()
	return moduletest.Site(t, inventory.Source{Name: name, Data: []byte(text)}, facts,
		Declaration(), node.Declaration(), etcd.Declaration(), minio.Declaration())
}

// siteOf makes a site of the inventory in testdata; every host has facts.
func siteOf(t *testing.T, file string, facts resource.Facts) *module.Site {
	t.Helper()
	all := map[string]resource.Facts{}
	for i := range 5 {
		all[fmt.Sprintf("10.10.10.1%d", i)] = facts
	}
	s := newSite(t, file, string(moduletest.Source(t, file).Data), all)
	if problems := Check(s); problems.HasErrors() {
		t.Fatalf("%s: %v", file, problems)
	}
	return s
}

// files shows the files of steps that are the module's own, not those of HAProxy as a whole.
func files(steps []*plan.Step) string {
	return moduletest.Files(slices.DeleteFunc(slices.Clone(steps), func(s *plan.Step) bool {
		f, ok := s.Resource.(*resource.File)
		return ok && (strings.HasPrefix(f.Path, "/etc/haproxy/haproxy.cfg") || f.Path == "/etc/systemd/system/haproxy.service")
	}))
}

func TestFiles(t *testing.T) {
	meta, three := siteOf(t, "meta.yml", container), siteOf(t, "test.yml", machine)
	moduletest.Golden(t, "meta.files", files(deploy(meta, meta.Hosts())))
	moduletest.Golden(t, "test.files", files(deploy(three, three.Hosts())))
}

func TestSteps(t *testing.T) {
	s := siteOf(t, "test.yml", machine)
	moduletest.Golden(t, "test.steps", moduletest.Order(t, deploy(s, s.Hosts())))
	moduletest.Golden(t, "remove.steps", moduletest.Order(t, remove(s, s.Hosts())))
	moduletest.Golden(t, "remove-one.steps", moduletest.Order(t, remove(s, []*module.Host{s.Host("10.10.10.13")})))
	shared := siteOf(t, "meta.yml", container)
	moduletest.Golden(t, "remove-shared.steps", moduletest.Order(t, remove(shared, shared.Hosts())))
	moduletest.Golden(t, "scale-out.steps", moduletest.Order(t, deploy(s, []*module.Host{s.Host("10.10.10.12")})))
	moduletest.Golden(t, "hba.steps", moduletest.Order(t, access(s, s.Hosts())))
	moduletest.Golden(t, "ext.steps", moduletest.Order(t, extensions(s, s.Hosts())))
	s.Chosen = map[string]string{"username": "test", "dbname": "test"}
	moduletest.Golden(t, "user.steps", moduletest.Order(t, user(s, s.Hosts())))
	moduletest.Golden(t, "db.steps", moduletest.Order(t, database(s, s.Hosts())))
}

// TestPure runs the same play on the same inventory many times.
func TestPure(t *testing.T) {
	first := ""
	for range 5 {
		s := siteOf(t, "meta.yml", machine)
		steps := deploy(s, s.Hosts())
		got := files(steps) + moduletest.Order(t, steps)
		if first == "" {
			first = got
		}
		if got != first {
			t.Fatal(moduletest.FirstDifference(first, got))
		}
	}
}

// TestTags keeps the plays' lists of tags complete: a tag that no list has
// could not be asked for.
func TestTags(t *testing.T) {
	s := siteOf(t, "test.yml", machine)
	known := map[string]bool{}
	for _, p := range Module().Plays {
		for _, tag := range p.Tags {
			known[tag] = true
		}
	}
	for _, step := range append(deploy(s, s.Hosts()), remove(s, s.Hosts())...) {
		for _, tag := range step.Tags {
			if !known[tag] {
				t.Errorf("%s has the tag %s, which no play lists", step.ID(), tag)
			}
		}
	}
}

// TestPoolUsers checks whose passwords the pool keeps: with an auth_query only
// those of the administrator and of monitoring.
func TestPoolUsers(t *testing.T) {
	for vars, want := range map[string]string{
		"":                             "app dbuser_dba dbuser_monitor",
		", pgbouncer_auth_query: true": "dbuser_dba dbuser_monitor",
	} {
		s := newSite(t, "x.yml", `{all: {children: {a: {hosts: {10.0.0.1: {pg_seq: 1, pg_role: primary}}, vars: {pg_cluster: a, pg_users: [
			{name: app, pgbouncer: true}, {name: other}, {name: gone, pgbouncer: true, state: absent}, {name: postgres, pgbouncer: true}]`+vars+`}}}}}`, nil)
		if got := strings.Join(Clusters(s)[0].first().poolUsers(), " "); got != want {
			t.Errorf("%q: %s, not %s", vars, got, want)
		}
	}
}

func TestRemoves(t *testing.T) {
	s := newSite(t, "x.yml", `{all: {children: {a: {hosts: {10.0.0.1: {pg_seq: 1, pg_role: primary}, 10.0.0.2: {pg_seq: 2, pg_role: replica, pg_safeguard: true}}, vars: {pg_cluster: a}}}}}`, nil)
	if names, refused := removes(s, s.Hosts()[:1]); len(names) != 1 || names[0] != "a-1" || len(refused) != 0 {
		t.Errorf("first host: %v, %v", names, refused)
	}
	if names, refused := removes(s, s.Hosts()); len(refused) != 1 || len(names) != 1 || names[0] != "a" {
		t.Errorf("both hosts: %v, %v", names, refused)
	}
}
