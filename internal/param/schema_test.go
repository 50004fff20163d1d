package param_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

// schema compiles the catalogue's schema.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := catalogue.Schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("pigsty.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("pigsty.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSchema reads testdata/schema/*.txtar, each an inventory and the places
// that the schema objects to, which are none in a good one.
func TestSchema(t *testing.T) {
	s := schema(t)
	files, err := filepath.Glob("testdata/schema/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no test cases", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var doc any
			if err := yaml.Load(a.Files[0].Data, &doc); err != nil {
				t.Fatal(err)
			}
			var got string
			if err := s.Validate(jsonLike(doc)); err != nil {
				got = strings.Join(places(err.(*jsonschema.ValidationError)), "\n") + "\n"
			}
			a.Files = []txtar.File{a.Files[0], {Name: "objections", Data: []byte(got)}}
			golden(t, file, string(txtar.Format(a)))
		})
	}
}

// TestSchemaOfInventories checks that the schema accepts every inventory that
// people are to start from.
func TestSchemaOfInventories(t *testing.T) {
	s := schema(t)
	for _, pattern := range []string{"../../examples/*.yml", "../conf/templates/*.yml", "../conf/templates/ha/*.yml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: there are none, %v", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var doc any
			if err := yaml.Load(text, &doc); err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(jsonLike(doc)); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}

// places returns where the innermost errors are, each place once.
func places(err *jsonschema.ValidationError) []string {
	var out []string
	var visit func(*jsonschema.ValidationError)
	visit = func(e *jsonschema.ValidationError) {
		for _, c := range e.Causes {
			visit(c)
		}
		if len(e.Causes) == 0 {
			out = append(out, "/"+strings.Join(e.InstanceLocation, "/"))
		}
	}
	visit(err)
	slices.Sort(out)
	return slices.Compact(out)
}

// jsonLike turns what YAML gives into what JSON would.
func jsonLike(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = jsonLike(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[key] = jsonLike(item)
		}
		return out
	case map[any]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[fmt.Sprint(key)] = jsonLike(item)
		}
		return out
	}
	return v
}

// TestSchemaDefaults checks that the schema accepts every default.
func TestSchemaDefaults(t *testing.T) {
	vars := map[string]any{}
	for _, p := range catalogue.All() {
		vars[p.Name] = p.Default.Any()
	}
	doc := map[string]any{"all": map[string]any{"vars": vars}}
	if err := schema(t).Validate(doc); err != nil {
		t.Error(err)
	}
}
