package infra

import (
	"slices"
	"strings"
	"testing"

	"pigsty/internal/module"
	"pigsty/internal/module/etcd"
	"pigsty/internal/module/moduletest"
	"pigsty/internal/module/node"
	"pigsty/internal/module/pgsql"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

var (
	machine = resource.Facts{OS: "debian", Version: "13", Family: "deb", Arch: "x86_64", Memory: 16 << 30, PageSize: 4096,
		User: "root", MaxFiles: 1073741816, OOMAdjust: true, Addresses: map[string]string{"127.0.0.1/8": "lo", "10.10.10.10/24": "eth0"}}
	container = resource.Facts{OS: "debian", Version: "13", Family: "deb", Arch: "x86_64", Memory: 2058694656, PageSize: 4096,
		Container: "systemd-nspawn", User: "ada", MaxFiles: 20000, Addresses: map[string]string{"192.168.1.2/24": "eth0"}}
)

// site reads the inventory called name.
func site(t *testing.T, name string) *module.Site {
	t.Helper()
	return moduletest.Site(t, moduletest.Source(t, name+".yml"), map[string]resource.Facts{
		"10.10.10.10": machine, "10.10.10.11": container, "10.10.10.12": machine, "10.10.10.13": machine,
	}, node.Declaration(), Declaration(), etcd.Declaration(), pgsql.Declaration())
}

// own returns the steps of this module, without files that have no variables.
func own(steps []*plan.Step) []*plan.Step {
	return slices.DeleteFunc(slices.Clone(steps), func(s *plan.Step) bool {
		key := s.Resource.Key()
		return s.Module != moduleName || strings.HasPrefix(key, "file "+rulesDir) || strings.HasSuffix(key, "overview.json")
	})
}

// TestSteps pins the steps of both plays and the files that they write.
func TestSteps(t *testing.T) {
	for _, name := range []string{"one", "two"} {
		s := site(t, name)
		if problems := check(s); len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
		for _, play := range Module().Plays {
			graph := moduletest.Arrange(t, play, s, s.Hosts())
			moduletest.Golden(t, name+"."+play.Name+".steps", moduletest.Steps(own(graph.Steps)))
			if play.Name == "infra" {
				moduletest.Golden(t, name+".files", moduletest.Files(own(graph.Steps)))
			}
		}
	}
}

// TestRegistration pins what infra nodes come to know of two of a deployment's
// hosts, and forget of them, by the plays of their modules.
func TestRegistration(t *testing.T) {
	s := site(t, "two")
	hosts := []*module.Host{s.Host("10.10.10.11"), s.Host("10.10.10.12")}
	var out strings.Builder
	for _, name := range []string{"NODE", "INFRA", "ETCD", "PGSQL"} {
		out.WriteString("== " + name + " registers\n" + moduletest.Steps(registration(s, name, hosts, module.Registers)))
		out.WriteString("== " + name + " deregisters\n" + moduletest.Steps(registration(s, name, hosts, module.Deregisters)))
	}
	moduletest.Golden(t, "two.registration", out.String())
}

// TestOutside checks that what watches nodes, or hears from them, talks to those
// outside of the intranet, from when they are registered, and nothing else does.
func TestOutside(t *testing.T) {
	s := site(t, "outside")
	const node = "203.0.113.7"
	var talk []string
	for _, step := range own(Module().Plays[0].Steps(s, s.Hosts())) {
		f, ok := step.Resource.(*resource.File)
		if !ok || !strings.Contains(string(f.Content()), "IPAddressDeny=any\n") {
			continue
		}
		if strings.Contains(string(f.Content()), " "+node) {
			talk = append(talk, f.Path)
		}
	}
	filters := []string{"/etc/systemd/system/vmetrics.service.d/pigsty.conf", "/etc/systemd/system/vlogs.service.d/pigsty.conf"}
	if !slices.Equal(talk, filters) {
		t.Errorf("%v talk to %s, not %v", talk, node, filters)
	}
	var written []string
	for _, step := range registration(s, "NODE", []*module.Host{s.Host(node)}, module.Registers) {
		if f, ok := step.Resource.(*resource.File); ok && slices.Contains(filters, f.Path) {
			written = append(written, f.Path)
		}
	}
	if !slices.Equal(written, filters) {
		t.Errorf("registration of %s writes %v", node, written)
	}
}

// TestTags pins which steps of its own each tag of a play selects.
func TestTags(t *testing.T) {
	s := site(t, "one")
	var out strings.Builder
	for _, play := range Module().Plays {
		steps := play.Steps(s, s.Hosts())
		for _, tag := range slices.Concat(tags, removeTags) {
			if !slices.Contains(play.Tags, tag) {
				continue
			}
			graph, err := plan.Arrange(steps, []string{tag})
			if err != nil {
				t.Fatal(err)
			}
			var keys []string
			for _, step := range own(graph.Steps) {
				keys = append(keys, step.Resource.Key())
			}
			slices.Sort(keys)
			out.WriteString("== " + play.Name + " -t " + tag + "\n" + strings.Join(append(keys, ""), "\n"))
		}
	}
	moduletest.Golden(t, "one.tags", out.String())
}

// TestClean checks that data is deleted only by those who ask for it.
func TestClean(t *testing.T) {
	s := site(t, "one")
	steps := Module().Plays[0].Steps(s, s.Hosts())
	wiped := func(tags ...string) (keys []string) {
		graph, err := plan.Arrange(steps, tags)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range graph.Steps {
			if a, ok := step.Resource.(*resource.Absent); ok && a.Impact == resource.ImpactDataLoss {
				keys = append(keys, a.Path)
			}
		}
		return keys
	}
	for _, tags := range [][]string{nil, {"all"}, {"victoria"}, {"vmetrics_config", "vmetrics_launch"}} {
		if got := wiped(tags...); len(got) > 0 {
			t.Errorf("-t %v deletes %v", tags, got)
		}
	}
	if got := wiped("vlogs_clean"); !slices.Equal(got, []string{"/infra/logs"}) {
		t.Errorf("-t vlogs_clean deletes %v", got)
	}
}

// TestSecrets looks for secrets in files that everybody may read, and in what
// plans show of others.
func TestSecrets(t *testing.T) {
	s := site(t, "two")
	for _, step := range Module().Plays[0].Steps(s, s.Hosts()) {
		f, ok := step.Resource.(*resource.File)
		if !ok || !strings.Contains(string(f.Content()), "secret") {
			continue
		}
		if f.Mode&0o007 != 0 || !f.Hidden && len(f.Mask) == 0 {
			t.Errorf("%s of mode %o holds secrets", f.Path, f.Mode)
		}
	}
	names, refused := removed(s, s.Hosts())
	if !slices.Equal(names, []string{"infra-1", "infra-2"}) || len(refused) > 0 {
		t.Errorf("removed() = %v, %v", names, refused)
	}
}
