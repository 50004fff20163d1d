package param_test

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"pigsty/internal/inventory"
)

// FuzzCheck checks that nothing written in an inventory makes the checks fail
// themselves.
func FuzzCheck(f *testing.F) {
	files, err := filepath.Glob("testdata/diagnostics/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(a.Files[0].Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		inv, _ := inventory.Load(inventory.Source{Name: "pigsty.yml", Data: data})
		for _, d := range checkAll(inv) {
			if d.Code == "" || d.Message == "" {
				t.Errorf("empty diagnostic %+v", d)
			}
		}
	})
}
