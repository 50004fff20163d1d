package param_test

import (
	"flag"
	"os"
	"testing"

	"pigsty/internal/module/docker"
	"pigsty/internal/module/etcd"
	"pigsty/internal/module/infra"
	"pigsty/internal/module/minio"
	"pigsty/internal/module/node"
	"pigsty/internal/module/pgsql"
	"pigsty/internal/module/redis"
	"pigsty/internal/param"
)

var update = flag.Bool("update", false, "rewrite the expected output")

// catalogue holds the parameters of every module.
var catalogue = param.NewCatalogue(
	node.Declaration(), infra.Declaration(), etcd.Declaration(), minio.Declaration(),
	pgsql.Declaration(), redis.Declaration(), docker.Declaration(),
)

func TestLookup(t *testing.T) {
	p, ok := catalogue.Lookup("node_tune")
	if !ok || p.Name != "node_tune" || p.Module != "NODE" || p.Group != "NODE_TUNE" || p.Default.Text != "oltp" {
		t.Errorf("node_tune is %+v", p)
	}
	if p, ok := catalogue.Lookup("patroni_citus_db"); !ok || p.Name != "pg_primary_db" {
		t.Errorf("the older name patroni_citus_db finds %+v", p)
	}
	if _, ok := catalogue.Lookup("node_tuna"); ok {
		t.Error("node_tuna is found")
	}
}

func TestNearest(t *testing.T) {
	for name, want := range map[string]string{
		"node_tuna":     "node_tune",
		"pg_cluser":     "pg_cluster",
		"pg_hba_rule":   "pg_hba_rules",
		"gp_cluster":    "pg_cluster", // letters swapped
		"entirely_else": "",
		"":              "",
	} {
		if got := catalogue.Nearest(name); got != want {
			t.Errorf("nearest to %q is %q, want %q", name, got, want)
		}
	}
}

// golden compares got with the content of a file, or rewrites it.
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
	if got != string(want) {
		t.Errorf("output differs from %s (rewrite it with -update); got:\n%s", file, got)
	}
}
