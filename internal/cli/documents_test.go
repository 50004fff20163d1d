package cli

import (
	"bytes"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pigsty/internal/module/list"
	"pigsty/internal/module/moduletest"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// documents is where the examples of the documentation are. What is beside
// NAME.yml says what becomes of it: NAME.problems what is said about it,
// NAME.steps the steps of the modules that it is about, NAME.files what of
// those it is an example of.
const documents = "documents"

// examples are the inventories that load.
var examples = []struct {
	name    string
	modules []string // whose steps are looked at, some of rendered
	show    string   // matches the steps that are shown in full: "HOST KEY"
}{
	{"iac/modules", []string{"ETCD", "PGSQL"}, `file /etc/etcd/etcd.conf|file /etc/haproxy/conf.d/`},
	{"iac/cluster", []string{"PGSQL"}, `file /pg/conf/|file /etc/haproxy/conf.d/`},
	{"iac/content", []string{"PGSQL"}, `file (/pg/conf/|/etc/pgbouncer/|/etc/cron.d/|/etc/keepalived/conf.d/|.*-standby.cfg)|pgbouncer users|role dbuser|(database|schema|extension) (meta|wiki)|10 privileges wiki`},
	{"iac/access", []string{"PGSQL"}, `10.10.10.1[03] (file (/pg/conf/|/etc/pgbouncer/|/etc/pgbackrest/|/etc/keepalived/conf.d/|.*-standby.cfg)|pgbouncer users|role )`},
	{"iac/citus", []string{"PGSQL"}, `10.10.10.1[014] file /pg/conf/|database meta|extension meta`},
	{"iac/redis", nil, ""},
	{"iac/etcd", []string{"ETCD"}, `file /etc/etcd/`},
	{"iac/minio", nil, `file /etc/haproxy/conf.d/minio.cfg`},
	{"iac-zh/modules", nil, ""},
	{"iac-zh/minio", nil, ""},
	{"infra/one", nil, ""},
	{"infra/two", nil, ""},
	{"infra/portal", nil, ""},
}

// TestDocuments loads every example and compiles it.
func TestDocuments(t *testing.T) {
	for _, e := range examples {
		t.Run(e.name, func(t *testing.T) {
			name := filepath.Join(documents, e.name)
			d := loaded(t, filepath.Join("testdata", name+".yml"))
			moduletest.Golden(t, name+".problems", said(d))
			if err := d.compileAll(); err != nil {
				t.Error(err)
			}
			steps := deployed(t, d)
			if e.modules != nil {
				moduletest.Golden(t, name+".steps", keys(steps, e.modules))
			}
			if e.show != "" {
				moduletest.Golden(t, name+".files", shown(steps, regexp.MustCompile(e.show)))
			}
		})
	}
}

// TestPrintedDocuments has the examples that are printed with a fault say where
// it is and what to do about it.
func TestPrintedDocuments(t *testing.T) {
	for _, path := range printed(t) {
		t.Run(strings.TrimPrefix(path, "testdata/"+documents+"/"), func(t *testing.T) {
			d := read(t, path)
			if !d.problems.HasErrors() {
				t.Error("it has no errors")
			}
			moduletest.Golden(t, strings.TrimSuffix(strings.TrimPrefix(path, "testdata/"), ".yml")+".problems", said(d))
		})
	}
}

// TestCorrectedDocuments checks that the corrected copies of an example that two
// documents print come to the same, whatever language their comments are in.
func TestCorrectedDocuments(t *testing.T) {
	for _, name := range []string{"modules", "minio"} {
		var texts []string
		for _, document := range []string{"iac", "iac-zh"} {
			steps := deployed(t, loaded(t, filepath.Join("testdata", documents, document, name+".yml")))
			texts = append(texts, moduletest.Steps(steps)+moduletest.Files(steps))
		}
		if diff := moduletest.FirstDifference(texts[0], texts[1]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// printed returns the paths of the examples that are kept as they are printed.
func printed(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", documents, "*", "printed", "*.yml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no printed examples: %v", err)
	}
	return paths
}

// read reads the inventory at path, whatever is wrong with it.
func read(t *testing.T, path string) *deployment {
	t.Helper()
	a := &app{in: strings.NewReader(""), modules: list.All(), inventories: []string{path}}
	d, err := a.load(nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// said is what validate prints about d.
func said(d *deployment) string {
	var out bytes.Buffer
	d.problems.Sorted().Render(&out, d.texts, false)
	return out.String()
}

// rendered are the modules whose steps the examples prove something of. Others
// are left out, so that what these do is seen alone.
var rendered = []string{"NODE", "ETCD", "PGSQL"}

// deployed returns the steps of a deployment of the rendered modules on every
// host of d, standard machines all, in the order in which they run.
func deployed(t *testing.T, d *deployment) []*plan.Step {
	t.Helper()
	facts, err := d.assumedFacts("")
	if err != nil {
		t.Fatal(err)
	}
	site := d.site(facts)
	var steps []*plan.Step
	for _, m := range d.app.modules {
		for _, p := range m.Plays {
			if p.Deploy != 0 && slices.Contains(rendered, m.Declaration.Name) {
				steps = append(steps, p.Steps(site, site.Hosts())...)
			}
		}
	}
	graph, err := plan.Arrange(steps, nil)
	if err != nil {
		t.Fatal(err)
	}
	return graph.Steps
}

// keys lists the steps of modules: where, what and with which tags, one a line.
func keys(steps []*plan.Step, modules []string) string {
	var out strings.Builder
	for _, s := range steps {
		if slices.Contains(modules, s.Module) {
			out.WriteString(s.ID() + " [" + strings.Join(s.Tags, " ") + "]\n")
		}
	}
	return out.String()
}

// shown shows the steps that pattern matches in full.
func shown(steps []*plan.Step, pattern *regexp.Regexp) string {
	var out strings.Builder
	var files []*plan.Step
	for _, s := range steps {
		if !pattern.MatchString(s.ID()) {
			continue
		}
		if f, ok := s.Resource.(*resource.File); ok {
			short := *s
			short.Resource = abridged(f)
			files = append(files, &short)
			continue
		}
		out.WriteString("-- " + s.ID() + "\n" + moduletest.Attributes(s.Resource) + "\n")
	}
	return moduletest.Files(files) + out.String()
}

// abridged leaves the parameters of PostgreSQL out of a patroni.yml: they are
// many, and what they are is shown by the golden files of their module.
func abridged(f *resource.File) *resource.File {
	if !strings.HasPrefix(f.Path, "/pg/conf/") {
		return f
	}
	var out strings.Builder
	inside := -1 // the indentation of what is left out, less one
	for line := range strings.Lines(string(f.Content())) {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		if inside >= 0 && indent > inside {
			continue
		}
		inside = -1
		if strings.TrimSpace(line) == "parameters:" {
			inside = indent
			line = strings.TrimSuffix(line, "\n") + " …\n"
		}
		out.WriteString(line)
	}
	short := resource.NewFile(f.Path, []byte(out.String()))
	short.Mode, short.Owner = f.Mode, f.Owner
	return short
}

// inventoriesBelow returns every inventory of the examples, relative to documents.
func inventoriesBelow(t *testing.T) []string {
	t.Helper()
	root := filepath.Join("testdata", documents)
	var out []string
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".yml" {
			out = append(out, strings.TrimPrefix(path, root+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
