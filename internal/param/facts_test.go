package param_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"pigsty/internal/inventory"
	"pigsty/internal/param"
)

// secretTexts are plain strings in Pigsty that may hold a password, most of
// them URLs, and so are secrets here.
var secretTexts = []string{
	"grafana_pgurl", "minio_extra_vars", "pg_exporter_url", "pgbouncer_exporter_url", "pgsodium_key",
	"src_pg", "dst_pg", "sub_conn",
}

// TestParameters compares the catalogue with the table of Pigsty's parameters:
// none is lost, and all have the same kind of value and the same default.
func TestParameters(t *testing.T) {
	table, err := os.ReadFile("testdata/parameters.tsv")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(table)), "\n")[1:]
	for _, line := range lines {
		cells := strings.Split(line, "\t")
		name, module, kind, value := cells[0], cells[1], cells[2], cells[3]
		p, ok := catalogue.Lookup(name)
		if !ok || p.Name != name {
			t.Errorf("%s is missing", name)
			continue
		}
		if p.Module != module {
			t.Errorf("%s is in %s, want %s", name, p.Module, module)
		}
		if got := kindOf(p); got != kind && !sameKind(name, kind, got) {
			t.Errorf("%s is %s (%s), want %s", name, got, p.Type, kind)
		}
		var want any
		if err := json.Unmarshal([]byte(value), &want); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, want := text(plain(p.Default)), text(want); got != want {
			t.Errorf("default of %s is\n%s, want\n%s", name, got, want)
		}
	}
	if got := len(catalogue.All()); got != len(lines) {
		t.Errorf("the catalogue has %d parameters, the table %d", got, len(lines))
	}
}

// kindOf puts the many types of the catalogue into the few of the table.
func kindOf(p *param.Parameter) string {
	switch {
	case strings.HasPrefix(p.Type, "list of "):
		return "array"
	case strings.HasPrefix(p.Type, "mapping to "), p.Type == "proxy_env", p.Type == "pitr":
		return "object"
	}
	switch p.Type {
	case "boolean":
		return "bool"
	case "integer":
		return "int"
	case "number":
		return "float"
	}
	return p.Type
}

// sameKind accepts what is declared more or less narrowly than in the table.
func sameKind(name, want, got string) bool {
	switch want {
	case "string", "enum", "username", "path", "ip", "cidr", "array":
		if got == "password" {
			return slices.Contains(secretTexts, name)
		}
		return got != "bool" && got != "int" && got != "float" && got != "object" && (want != "array" || name == "pg_listen")
	}
	return false
}

// text writes a default in one way: scalars as texts, without the prose.
func text(v any) string {
	out, err := json.Marshal(normal(v))
	if err != nil {
		panic(err)
	}
	return string(out)
}

func normal(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = normal(v[i])
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if key != "title" && key != "comment" && key != "desc" {
				out[key] = normal(v[key])
			}
		}
		return out
	case nil, string:
		return v
	}
	b, _ := json.Marshal(v)
	return string(b)
}

func plain(v inventory.Value) any {
	switch v.Kind {
	case inventory.Null:
		return nil
	case inventory.List:
		out := []any{}
		for _, item := range v.Items {
			out = append(out, plain(item))
		}
		return out
	case inventory.Map:
		out := map[string]any{}
		for _, p := range v.Pairs {
			out[p.Key] = plain(p.Value)
		}
		return out
	}
	return v.Text
}
