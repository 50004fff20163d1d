package node

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pigsty/internal/inventory"
	"pigsty/internal/module"
	"pigsty/internal/param"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The hosts of the tests: a machine with 16 GiB, a container that allows few
// open files, and an EL machine whose login user is not root.
var (
	machine = resource.Facts{Hostname: "debian", OS: "debian", Version: "13", Codename: "trixie", Family: "deb", Arch: "x86_64",
		CPUs: 4, Memory: 16 << 30, PageSize: 4096, User: "root", Systemd: true, MaxFiles: 1048576 * 1024, OOMAdjust: true,
		DNS: []string{"9.9.9.9", "10.10.10.53"}}
	container = resource.Facts{Hostname: "node-12", OS: "debian", Version: "13", Codename: "trixie", Family: "deb", Arch: "x86_64",
		CPUs: 2, Memory: 2058694656, PageSize: 4096, Container: "systemd-nspawn", User: "root", Systemd: true, MaxFiles: 20000}
	rocky = resource.Facts{Hostname: "rocky", OS: "rocky", Version: "9.6", Codename: "el9", Family: "rpm", Arch: "x86_64",
		CPUs: 4, Memory: 67528294400, PageSize: 4096, User: "vagrant", Systemd: true, MaxFiles: 1073741816, OOMAdjust: true}
	ubuntu = resource.Facts{Hostname: "ubuntu", OS: "ubuntu", Version: "24.04", Codename: "noble", Family: "deb", Arch: "x86_64",
		CPUs: 4, Memory: 16777216000, PageSize: 4096, User: "ubuntu", Systemd: true, MaxFiles: 1048576, OOMAdjust: true,
		DNS: []string{"127.0.0.53"}}
)

// site reads the inventory in file.
func site(t *testing.T, file string, facts map[string]resource.Facts) *module.Site {
	t.Helper()
	src, err := inventory.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	inv, diags := inventory.Load(src)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	s := module.NewSite(inv, param.NewCatalogue(Declaration()), facts)
	s.CA = []byte("ca\n")
	s.Keys = []string{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEgZ8bnTkTdSnTPzOpLZ0jwJPZd1y9xbE9J7mZ0iQm1b me@control"}
	return s
}

func TestSteps(t *testing.T) {
	for name, facts := range map[string]map[string]resource.Facts{
		"one":  {"10.10.10.10": machine},
		"four": {"10.10.10.10": machine, "10.10.10.11": rocky, "10.10.10.12": container, "10.10.10.13": ubuntu},
	} {
		s := site(t, "testdata/"+name+".yml", facts)
		if problems := check(s); len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
		for _, play := range Module().Plays {
			steps := play.Steps(s, s.Hosts())
			for _, h := range s.Hosts() {
				if problems := h.Problems(); len(problems) > 0 {
					t.Errorf("%s: %v", name, problems)
				}
			}
			graph, err := plan.Arrange(steps, nil)
			if err != nil {
				t.Fatalf("%s of %s: %v", play.Name, name, err)
			}
			for _, step := range steps {
				for _, tag := range step.Tags {
					if !slices.Contains(play.Tags, tag) {
						t.Errorf("%s: %s has tag %s, which the play does not declare", play.Name, step.ID(), tag)
					}
				}
			}
			golden(t, "testdata/"+name+"."+play.Name+".steps", stepText(graph))
			if play.Name == "node" {
				golden(t, "testdata/"+name+".files", fileText(graph))
			}
		}
	}
}

// stepText lists steps in the order they run, one a line.
func stepText(g *plan.Graph) string {
	var out strings.Builder
	for _, s := range g.Steps {
		fmt.Fprintf(&out, "%s [%s]", s.ID(), strings.Join(s.Tags, " "))
		if s.Early {
			out.WriteString(" early")
		}
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

func golden(t *testing.T, file, got string) {
	t.Helper()
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
	if !bytes.Equal(want, []byte(got)) {
		t.Errorf("%s differs (refresh with -update):\n%s", file, got)
	}
}
