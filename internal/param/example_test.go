package param_test

import (
	"strings"
	"testing"

	"pigsty/internal/diag"
	"pigsty/internal/inventory"
	"pigsty/internal/module/docker"
	"pigsty/internal/module/etcd"
	"pigsty/internal/module/infra"
	"pigsty/internal/module/minio"
	"pigsty/internal/module/node"
	"pigsty/internal/module/pgsql"
	"pigsty/internal/module/redis"
	"pigsty/internal/param"
)

// TestExamples checks the example of every parameter: written into an inventory
// it can be read and decoded, and it is not the default.
func TestExamples(t *testing.T) {
	var all strings.Builder
	for _, p := range catalogue.All() {
		v := catalogue.Example(p)
		if v.Kind == inventory.Null || v.Flow() == "''" {
			t.Errorf("%s has no example", p.Name)
			continue
		}
		if v.Equal(p.Default) {
			t.Errorf("the example of %s is its default, %s", p.Name, v.Flow())
		}
		text := param.Write(p.Name, v)
		all.WriteString(text)
		inv, problems := inventory.Load(inventory.Source{Name: p.Name, Data: []byte(
			"all:\n  hosts: { 192.0.2.10: }\n  vars:\n    " + strings.ReplaceAll(text, "\n", "\n    "))})
		for _, d := range append(problems, decodeAll(inv)...) {
			if d.Severity == diag.Error {
				t.Errorf("%s\n%s", text, d.Message)
			}
		}
	}
	golden(t, "testdata/examples.yml", all.String())
}

// decodeAll decodes the variables of inv's only host as every module does.
func decodeAll(inv *inventory.Inventory) diag.List {
	vars := inv.Hosts()[0].Vars()
	var l diag.List
	l.Add(decoded[node.Params](vars)...)
	l.Add(decoded[infra.Params](vars)...)
	l.Add(decoded[etcd.Params](vars)...)
	l.Add(decoded[minio.Params](vars)...)
	l.Add(decoded[pgsql.Params](vars)...)
	l.Add(decoded[redis.Params](vars)...)
	l.Add(decoded[docker.Params](vars)...)
	l.Add(catalogue.Check(vars)...)
	return l
}

func decoded[T any](vars inventory.Vars) diag.List {
	_, problems := param.Decode[T](catalogue, vars)
	return problems
}
