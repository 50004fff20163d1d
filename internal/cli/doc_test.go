package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pigsty/internal/module/list"
)

// TestReference checks that the pages of docs/reference are those of the code.
func TestReference(t *testing.T) {
	pages := map[string][]string{"README.md": {"--index"}}
	for _, m := range list.All() {
		pages[strings.ToLower(m.Declaration.Name)+".md"] = []string{"--module", m.Declaration.Name}
	}
	dir := "../../docs/reference"
	for name, args := range pages {
		var want bytes.Buffer
		if status := Main(append([]string{"pigsty", "doc"}, args...), nil, &want, &want); status != exitDone {
			t.Fatalf("%q ends with %d: %s", args, status, want.String())
		}
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Errorf("docs/reference/%s is not what the code says: run make reference", name)
		}
	}
	var want bytes.Buffer
	if status := Main([]string{"pigsty", "doc", "--checks"}, nil, &want, &want); status != exitDone {
		t.Fatalf("doc --checks ends with %d: %s", status, want.String())
	}
	if got, err := os.ReadFile("../../docs/checks.md"); err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Error("docs/checks.md is not what the code says: run make reference")
	}
	there, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range there {
		if pages[filepath.Base(f)] == nil {
			t.Errorf("%s is about no module: remove it", f)
		}
	}
}
