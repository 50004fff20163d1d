package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"pigsty/internal/module/list"
)

// clusters writes an inventory of so many clusters of three, with a user and a
// database each, and returns its path.
func clusters(tb testing.TB, n int) string {
	tb.Helper()
	var b strings.Builder
	b.WriteString("all:\n  vars: { admin_ip: 10.0.0.1, pg_version: 17 }\n  children:\n" +
		"    infra: { hosts: { 10.0.0.1: { infra_seq: 1 } } }\n    etcd: { hosts: { 10.0.0.1: { etcd_seq: 1 } } }\n")
	for i := range n {
		fmt.Fprintf(&b, "    pg-%d:\n      hosts:\n", i)
		for k, role := range []string{"primary", "replica", "offline"} {
			fmt.Fprintf(&b, "        10.1.%d.%d: { pg_seq: %d, pg_role: %s }\n", i/80, 3*(i%80)+k+1, k+1, role)
		}
		fmt.Fprintf(&b, "      vars:\n        pg_cluster: pg-%d\n"+
			"        pg_users: [ { name: app, password: App.Test, pgbouncer: true, roles: [dbrole_admin] } ]\n"+
			"        pg_databases: [ { name: app, owner: app } ]\n", i)
	}
	path := filepath.Join(tb.TempDir(), "pigsty.yml")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// compile loads and checks the inventory at path and compiles its plays.
func compile(tb testing.TB, path string) {
	tb.Helper()
	a := &app{in: strings.NewReader(""), out: io.Discard, err: io.Discard, modules: list.All(), inventories: []string{path}}
	d, err := a.load(nil)
	if err != nil || d.problems.HasErrors() {
		tb.Fatal(err, d.problems)
	}
	if err := d.compileAll(); err != nil {
		tb.Fatal(err)
	}
}

// Of four times the clusters each takes as many allocations and as much memory.
func TestCompileIsLinear(t *testing.T) {
	perCluster := func(n int) (allocations, bytes float64) {
		path := clusters(t, n)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		compile(t, path)
		runtime.ReadMemStats(&after)
		return float64(after.Mallocs-before.Mallocs) / float64(n), float64(after.TotalAlloc-before.TotalAlloc) / float64(n)
	}
	compile(t, clusters(t, 1)) // what the first one makes for all
	fewAllocations, fewBytes := perCluster(20)
	manyAllocations, manyBytes := perCluster(80)
	if manyAllocations > 1.1*fewAllocations || manyBytes > 1.1*fewBytes {
		t.Errorf("each of 20 clusters takes %.0f allocations and %.0f bytes, of 80 %.0f and %.0f",
			fewAllocations, fewBytes, manyAllocations, manyBytes)
	}
}

// BenchmarkCompile is what validating 333 clusters of three takes.
func BenchmarkCompile(b *testing.B) {
	path := clusters(b, 333)
	b.ReportAllocs()
	for b.Loop() {
		compile(b, path)
	}
}
