package cli

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"io"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pigsty/internal/diag"
	"pigsty/internal/module"
	"pigsty/internal/module/list"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
	"pigsty/internal/resource/patroni"
)

// inventories are what tests of all modules together compile.
func inventories(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"../../examples/*.yml", "../module/pgsql/testdata/*.yml", "../module/*/testdata/one.yml", "../module/*/testdata/two.yml", "testdata/*.yml"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, found...)
	}
	if len(out) < 5 {
		t.Fatalf("only %q are there to compile", out)
	}
	return out
}

// loaded reads the inventory at path, which must have no errors.
func loaded(t *testing.T, path string) *deployment {
	t.Helper()
	a := &app{in: strings.NewReader(""), out: io.Discard, err: io.Discard, modules: list.All(), inventories: []string{path}}
	d, err := a.load(nil)
	if err != nil {
		t.Fatal(err)
	}
	if d.problems.HasErrors() {
		var text bytes.Buffer
		d.problems.Render(&text, d.texts, false)
		t.Fatalf("%s has errors:\n%s", path, text.String())
	}
	return d
}

// compiled returns the steps of every play for every host of d, machines of
// which nobody has seen one.
func compiled(t *testing.T, d *deployment) []*plan.Step {
	t.Helper()
	facts := map[string]resource.Facts{}
	for _, h := range d.inventory.Hosts() {
		facts[h.Name()] = standardFacts
	}
	site := d.site(facts)
	var steps []*plan.Step
	for _, m := range d.app.modules {
		for _, p := range m.Plays {
			steps = append(steps, p.Steps(site, site.Hosts())...)
			steps = append(steps, registered(t, site, &p)...)
		}
		if m.Instances != nil {
			for _, in := range m.Instances(site, site.Hosts()) {
				steps = append(steps, reportStep(m, in))
			}
		}
	}
	if len(steps) == 0 {
		t.Fatal("no play has any steps")
	}
	return steps
}

// registered returns what p has infra nodes know. Its tags must be among those of p.
func registered(t *testing.T, s *module.Site, p *module.Play) []*plan.Step {
	t.Helper()
	steps := s.Registration(p, s.Hosts())
	for _, step := range steps {
		for _, tag := range step.Tags {
			if !slices.Contains(p.Tags, tag) {
				t.Errorf("%s brings %s with the tag %s, which it does not declare", p.Name, step.ID(), tag)
			}
		}
	}
	return steps
}

func reportStep(m module.Module, in module.Instance) *plan.Step {
	return &plan.Step{Host: in.Host.Name(), Module: m.Declaration.Name, Resource: in.Report}
}

// TestExamples validates every inventory that people are to start from.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.yml")
	if err != nil || len(files) < 3 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			d := loaded(t, f)
			if d.problems.HasErrors() || d.problems.Count(diag.Warning) > 0 {
				t.Errorf("it is not without blemish: %v", d.problems)
			}
			if err := d.compileAll(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestStepsTravel checks that what any play declares reaches an agent as it is:
// every kind of resource is registered, and nothing of it is lost.
func TestStepsTravel(t *testing.T) {
	registerResources()
	for _, path := range inventories(t) {
		t.Run(path, func(t *testing.T) {
			for _, s := range compiled(t, loaded(t, path)) {
				var wire bytes.Buffer
				if err := gob.NewEncoder(&wire).Encode(&s.Resource); err != nil {
					t.Errorf("%s: %T: %v", s.ID(), s.Resource, err)
					continue
				}
				var got resource.Resource
				if err := gob.NewDecoder(&wire).Decode(&got); err != nil {
					t.Errorf("%s: %v", s.ID(), err)
					continue
				}
				if want := asItTravels(t, s.Resource); !reflect.DeepEqual(got, want) {
					t.Errorf("%s becomes\n%+v, was\n%+v", s.ID(), got, want)
				}
			}
		})
	}
}

// asItTravels returns r as it must arrive: a file's content goes its own way, by
// hash, and what Patroni is told is JSON, whose numbers are of one kind.
func asItTravels(t *testing.T, r resource.Resource) resource.Resource {
	if d, ok := r.(patroni.DynamicConfig); ok {
		text, err := json.Marshal(d.Desired)
		if err != nil {
			t.Fatal(err)
		}
		d.Desired = nil
		if err := json.Unmarshal(text, &d.Desired); err != nil {
			t.Fatal(err)
		}
		return d
	}
	if _, ok := r.(resource.Carrier); !ok {
		return r
	}
	from := reflect.Indirect(reflect.ValueOf(r))
	to := reflect.New(from.Type())
	for i := range from.NumField() {
		if from.Type().Field(i).IsExported() {
			to.Elem().Field(i).Set(from.Field(i))
		}
	}
	if reflect.TypeOf(r).Kind() == reflect.Pointer {
		return to.Interface().(resource.Resource)
	}
	return to.Elem().Interface().(resource.Resource)
}
