package param_test

import (
	"strings"
	"testing"
)

func TestReference(t *testing.T) {
	for _, module := range []string{"ETCD", "MINIO"} {
		var b strings.Builder
		if err := catalogue.Reference(&b, strings.ToLower(module)); err != nil {
			t.Fatal(err)
		}
		golden(t, "testdata/reference/"+strings.ToLower(module)+".md", b.String())
	}
	if err := catalogue.Reference(&strings.Builder{}, "kafka"); err == nil {
		t.Error("there is a reference page of a module that does not exist")
	}
	for _, m := range catalogue.Modules() {
		var b strings.Builder
		if err := catalogue.Reference(&b, m.Name); err != nil {
			t.Error(err)
		}
		for _, p := range catalogue.All() {
			if p.Module == m.Name && !strings.Contains(b.String(), "\n| `"+p.Name+"` |") {
				t.Errorf("%s is missing in the page of %s", p.Name, m.Name)
			}
			if p.Module == m.Name && m.Groups[p.Group] == "" {
				t.Errorf("group %s of %s has no description", p.Group, m.Name)
			}
		}
	}
}

func TestDescribe(t *testing.T) {
	for _, name := range []string{"node_tune", "pg_fs_backup", "haproxy_services", "pg_rto_plan", "pg_seq"} {
		p, ok := catalogue.Lookup(name)
		if !ok {
			t.Fatal(name)
		}
		golden(t, "testdata/describe/"+name+".txt", p.Describe())
	}
}
