package etcd

import (
	"slices"
	"strings"
	"testing"

	"pigsty/internal/module"
	"pigsty/internal/module/moduletest"
	"pigsty/internal/module/node"
	"pigsty/internal/resource"
)

var (
	machine = resource.Facts{OS: "debian", Version: "13", Family: "deb", Arch: "x86_64", Memory: 16 << 30, PageSize: 4096,
		User: "root", MaxFiles: 1073741816, OOMAdjust: true}
	container = resource.Facts{OS: "debian", Version: "13", Family: "deb", Arch: "x86_64", Memory: 2058694656, PageSize: 4096,
		Container: "systemd-nspawn", User: "root", MaxFiles: 20000}
	rocky = resource.Facts{OS: "rocky", Version: "9.6", Family: "rpm", Arch: "x86_64", Memory: 16 << 30, PageSize: 4096,
		User: "root", MaxFiles: 1073741816, OOMAdjust: true}
)

// site reads the inventory called name.
func site(t *testing.T, name string) *module.Site {
	t.Helper()
	return moduletest.Site(t, moduletest.Source(t, name+".yml"), map[string]resource.Facts{
		"10.10.10.10": machine, "10.10.10.11": rocky, "10.10.10.12": container, "10.10.10.13": machine, "10.10.10.14": machine,
	}, node.Declaration(), Declaration())
}

func TestSteps(t *testing.T) {
	for _, name := range []string{"one", "four", "five"} {
		s := site(t, name)
		if problems := check(s); len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
		for _, play := range Module().Plays {
			graph := moduletest.Arrange(t, play, s, s.Hosts())
			moduletest.Golden(t, name+"."+play.Name+".steps", moduletest.Steps(graph.Steps))
			if play.Name == "etcd" {
				moduletest.Golden(t, name+".files", moduletest.Files(graph.Steps))
			}
		}
	}
}

// TestRemoveSome removes two of three members.
func TestRemoveSome(t *testing.T) {
	s := site(t, "four")
	some := []*module.Host{s.Host("10.10.10.13"), s.Host("10.10.10.12"), s.Host("10.10.10.11")}
	moduletest.Golden(t, "some.etcd-rm.steps", moduletest.Steps(moduletest.Arrange(t, Module().Plays[1], s, some).Steps))

	names, refused := removed(s, some)
	if got := strings.Join(names, " "); got != "etcd-2 etcd-3" || len(refused) > 0 {
		t.Errorf("removed() = %s, %v", got, refused)
	}
	if names, _ := removed(s, s.Hosts()); !slices.Equal(names, []string{"etcd"}) {
		t.Errorf("removed() of all = %v", names)
	}
	s = site(t, "one")
	if _, refused := removed(s, s.Hosts()); len(refused) != 1 || refused[0].Code != "safeguard" {
		t.Errorf("etcd_safeguard does not refuse: %v", refused)
	}
}

func TestExports(t *testing.T) {
	s := site(t, "four")
	want := []string{"https://10.10.10.10:12379", "https://10.10.10.11:12379", "https://10.10.10.12:12379"}
	if got := Endpoints(s); !slices.Equal(got, want) {
		t.Errorf("Endpoints() = %v", got)
	}
	if got := Access(s, "/ca").Password.Reveal(); got != "a secret" {
		t.Errorf("Access() has password %q", got)
	}
	graph := moduletest.Arrange(t, Module().Plays[0], s, s.Hosts())
	found := 0
	for _, id := range Ready(s) {
		if graph.Step(id) != nil {
			found++
		}
	}
	if found != 1 {
		t.Errorf("%d steps of Ready() are in the play, want 1", found)
	}
}
