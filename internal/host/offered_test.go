package host

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pigsty/internal/resource"
)

// archive offers packages and counts what it is asked.
type archive struct {
	resource.PackageManager
	offers, installed map[string]string
	asked             []string
}

func (a *archive) Installed(names ...string) (map[string]string, error) {
	return pick(a.installed, names), nil
}

func (a *archive) Candidates(_ context.Context, names ...string) (map[string]string, error) {
	a.asked = append(a.asked, names...)
	return pick(a.offers, names), nil
}

func pick(from map[string]string, names []string) map[string]string {
	out := maps.Clone(from)
	maps.DeleteFunc(out, func(n, _ string) bool { return !slices.Contains(names, n) })
	return out
}

func TestOffered(t *testing.T) {
	dir := t.TempDir()
	lists := filepath.Join(dir, "lists")
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	source := filepath.Join(dir, "sources.list")
	write(source, "deb one")
	pm := &archive{offers: map[string]string{"etcd": "3.5", "psql": "17"}, installed: map[string]string{"psql": "16"}}
	ask := func(names string, want string) {
		t.Helper()
		pm.asked = nil
		o := &offered{PackageManager: pm, index: index{sources: []string{source}, caches: []string{lists}}, file: filepath.Join(dir, "offers.json")}
		found, err := o.Candidates(context.Background(), strings.Fields(names)...)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(pm.asked, " "); got != want {
			t.Errorf("%s: the package manager was asked for %q, want %q", names, got, want)
		}
		if want := pick(pm.offers, strings.Fields(names)); !maps.Equal(found, want) {
			t.Errorf("%s: found %v, want %v", names, found, want)
		}
	}
	ask("etcd vector", "etcd vector")
	ask("etcd vector", "etcd vector") // there is no index to be the same
	write(filepath.Join(lists, "Packages"), "one")
	ask("etcd vector psql", "etcd vector psql")
	ask("vector etcd", "")
	ask("etcd psql", "psql") // installed ones are asked for every time
	pm.offers["vector"] = "0.40"
	write(filepath.Join(lists, "Packages-new"), "two")
	ask("vector", "vector")
	ask("vector", "")
	write(source, "deb two")
	ask("vector", "vector")
	write(filepath.Join(dir, "offers.json"), `{"index": `)
	ask("vector", "vector")
}
