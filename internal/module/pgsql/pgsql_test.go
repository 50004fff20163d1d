package pgsql

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"pigsty/internal/inventory"
	"pigsty/internal/module"
	"pigsty/internal/module/etcd"
	"pigsty/internal/module/infra"
	"pigsty/internal/module/node"
	"pigsty/internal/param"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

var update = flag.Bool("update", false, "write the golden files anew")

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
	inv, problems := inventory.Load(inventory.Source{Name: name, Data: []byte(text)})
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	s := module.NewSite(inv, param.NewCatalogue(Declaration(), node.Declaration(), etcd.Declaration(), infra.Declaration()), facts)
	s.CA = []byte("-----BEGIN CERTIFICATE-----\ntest\n-----END CERTIFICATE-----\n")
	return s
}

// siteOf makes a site of the inventory in testdata; every host has facts.
func siteOf(t *testing.T, file string, facts resource.Facts) *module.Site {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]resource.Facts{}
	for i := range 5 {
		all[fmt.Sprintf("10.10.10.1%d", i)] = facts
	}
	s := newSite(t, file, string(data), all)
	if problems := Check(s); len(problems) > 0 {
		t.Fatalf("%s: %v", file, problems)
	}
	return s
}

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs:\n%s", name, firstDifference(string(want), got))
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		a, b := "", ""
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			return fmt.Sprintf("line %d\nwant %s\n got %s", i+1, a, b)
		}
	}
	return ""
}

// files returns the content of every file among steps, by host, as a txtar archive.
func files(steps []*plan.Step) string {
	var a txtar.Archive
	for _, s := range steps {
		f, ok := s.Resource.(*resource.File)
		if !ok || strings.HasPrefix(f.Path, "/etc/haproxy/haproxy.cfg") || f.Path == "/etc/systemd/system/haproxy.service" {
			continue
		}
		name := fmt.Sprintf("%s %s %04o %s", s.Host, f.Path, f.Mode, f.Owner)
		a.Files = append(a.Files, txtar.File{Name: name, Data: f.Content()})
	}
	return string(txtar.Format(&a))
}

// list returns steps one a line: where, what, with which tags, after what.
func list(t *testing.T, steps []*plan.Step) string {
	t.Helper()
	if _, err := plan.Arrange(steps, nil); err != nil {
		t.Error(err)
	}
	var b strings.Builder
	for _, s := range steps {
		at := s.Host
		if s.Cluster != "" {
			at = "leader of " + s.Cluster
		}
		early := ""
		if s.Early {
			early = " (early)"
		}
		fmt.Fprintf(&b, "%s: %s%s\n\ttags %s\n", at, s.Resource.Key(), early, strings.Join(s.Tags, " "))
		if len(s.After) > 6 {
			fmt.Fprintf(&b, "\tafter %s … %s (%d)\n", s.After[0], s.After[len(s.After)-1], len(s.After))
		} else if len(s.After) > 0 {
			fmt.Fprintf(&b, "\tafter %s\n", strings.Join(s.After, "; "))
		}
	}
	return b.String()
}

func TestFiles(t *testing.T) {
	meta, three := siteOf(t, "meta.yml", container), siteOf(t, "test.yml", machine)
	golden(t, "meta.files", files(deploy(meta, meta.Hosts())))
	golden(t, "test.files", files(deploy(three, three.Hosts())))
}

func TestSteps(t *testing.T) {
	s := siteOf(t, "test.yml", machine)
	golden(t, "test.steps", list(t, deploy(s, s.Hosts())))
	golden(t, "remove.steps", list(t, remove(s, s.Hosts())))
	golden(t, "remove-one.steps", list(t, remove(s, []*module.Host{s.Host("10.10.10.13")})))
	golden(t, "scale-out.steps", list(t, deploy(s, []*module.Host{s.Host("10.10.10.12")})))
	golden(t, "hba.steps", list(t, access(s, s.Hosts())))
	golden(t, "ext.steps", list(t, extensions(s, s.Hosts())))
	s.Chosen = map[string]string{"username": "test", "dbname": "test"}
	golden(t, "user.steps", list(t, user(s, s.Hosts())))
	golden(t, "db.steps", list(t, database(s, s.Hosts())))
}

// TestPure runs the same play on the same inventory many times.
func TestPure(t *testing.T) {
	first := ""
	for range 5 {
		s := siteOf(t, "meta.yml", machine)
		steps := deploy(s, s.Hosts())
		got := files(steps) + list(t, steps)
		if first == "" {
			first = got
		}
		if got != first {
			t.Fatal(firstDifference(first, got))
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

func TestRemoves(t *testing.T) {
	s := newSite(t, "x.yml", `{all: {children: {a: {hosts: {10.0.0.1: {pg_seq: 1, pg_role: primary}, 10.0.0.2: {pg_seq: 2, pg_role: replica, pg_safeguard: true}}, vars: {pg_cluster: a}}}}}`, nil)
	if names, refused := removes(s, s.Hosts()[:1]); len(names) != 1 || names[0] != "a-1" || len(refused) != 0 {
		t.Errorf("first host: %v, %v", names, refused)
	}
	if names, refused := removes(s, s.Hosts()); len(refused) != 1 || len(names) != 1 || names[0] != "a" {
		t.Errorf("both hosts: %v, %v", names, refused)
	}
}
