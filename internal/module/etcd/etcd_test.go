package etcd

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pigsty/internal/inventory"
	"pigsty/internal/module"
	"pigsty/internal/module/node"
	"pigsty/internal/param"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

var update = flag.Bool("update", false, "write the golden files anew")

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
	src, err := inventory.ReadFile("testdata/" + name + ".yml")
	if err != nil {
		t.Fatal(err)
	}
	src.Name = name + ".yml"
	inv, diags := inventory.Load(src)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	s := module.NewSite(inv, param.NewCatalogue(node.Declaration(), Declaration()), map[string]resource.Facts{
		"10.10.10.10": machine, "10.10.10.11": rocky, "10.10.10.12": container, "10.10.10.13": machine,
	})
	s.CA = []byte("ca\n")
	return s
}

func TestSteps(t *testing.T) {
	for _, name := range []string{"one", "four"} {
		s := site(t, name)
		if problems := check(s); len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
		for _, play := range Module().Plays {
			graph := arrange(t, play, s, s.Hosts())
			golden(t, name+"."+play.Name+".steps", stepText(graph))
			if play.Name == "etcd" {
				golden(t, name+".files", fileText(graph))
			}
		}
	}
}

// TestRemoveSome removes two of three members.
func TestRemoveSome(t *testing.T) {
	s := site(t, "four")
	some := []*module.Host{s.Host("10.10.10.13"), s.Host("10.10.10.12"), s.Host("10.10.10.11")}
	golden(t, "some.etcd-rm.steps", stepText(arrange(t, Module().Plays[1], s, some)))

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

func TestCheck(t *testing.T) {
	var out strings.Builder
	for _, d := range check(site(t, "wrong")).Sorted() {
		fmt.Fprintf(&out, "%s: %s: %s [%s] (%s)\n", d.Pos, d.Severity, d.Message, d.Code, d.Advice)
	}
	golden(t, "wrong.diagnostics", out.String())
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
	graph := arrange(t, Module().Plays[0], s, s.Hosts())
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

func arrange(t *testing.T, play module.Play, s *module.Site, hosts []*module.Host) *plan.Graph {
	t.Helper()
	steps := play.Steps(s, hosts)
	for _, step := range steps {
		for _, tag := range step.Tags {
			if !slices.Contains(play.Tags, tag) {
				t.Errorf("%s: %s has tag %s, which the play does not declare", play.Name, step.ID(), tag)
			}
		}
	}
	graph, err := plan.Arrange(steps, nil)
	if err != nil {
		t.Fatalf("%s: %v", play.Name, err)
	}
	return graph
}

// stepText lists steps in the order they run, one a line.
func stepText(g *plan.Graph) string {
	var out strings.Builder
	for _, s := range g.Steps {
		fmt.Fprintf(&out, "%s [%s]", s.ID(), strings.Join(s.Tags, " "))
		if s.Exclusive != "" {
			out.WriteString(" exclusive:" + s.Exclusive)
		}
		if _, file := s.Resource.(*resource.File); !file {
			fmt.Fprintf(&out, " %+v", s.Resource)
		}
		out.WriteString("\n")
		for _, id := range s.After {
			out.WriteString("    after " + id + "\n")
		}
	}
	return out.String()
}

// fileText shows each file once, with the hosts that have it like that.
func fileText(g *plan.Graph) string {
	var order []string
	hosts := map[string][]string{}
	for _, s := range g.Steps {
		f, ok := s.Resource.(*resource.File)
		if !ok {
			continue
		}
		text := fmt.Sprintf("%s %04o %s\n%s", f.Path, f.Mode, f.Owner, f.Content())
		if hosts[text] == nil {
			order = append(order, text)
		}
		hosts[text] = append(hosts[text], s.Host)
	}
	slices.Sort(order)
	var out strings.Builder
	for _, text := range order {
		fmt.Fprintf(&out, "-- %s: %s\n", strings.Join(hosts[text], " "), text)
	}
	return out.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := "testdata/" + name
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
	if string(want) != got {
		t.Errorf("%s differs (refresh with -update):\n%s", file, got)
	}
}
