package moduletest

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"pigsty/internal/inventory"
	"pigsty/internal/module"
	"pigsty/internal/param"
)

// Check runs each archive of testdata/check: an inventory, and all that modules
// say about it, one finding a line.
func Check(t *testing.T, modules []module.Module) {
	t.Helper()
	archives, err := filepath.Glob("testdata/check/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	declarations := make([]param.Module, len(modules))
	for i, m := range modules {
		declarations[i] = m.Declaration
	}
	for _, file := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := Site(t, inventory.Source{Name: "pigsty.yml", Data: a.Files[0].Data}, nil, declarations...)
			var got strings.Builder
			for _, d := range module.Check(s, modules).Sorted() {
				fmt.Fprintf(&got, "%s %s %s: %s; %s\n", d.Pos, d.Severity, d.Code, d.Message, d.Advice)
			}
			a.Files = append(a.Files[:1], txtar.File{Name: "output", Data: []byte(got.String())})
			Golden(t, filepath.Join("check", filepath.Base(file)), string(txtar.Format(a)))
		})
	}
}
