package pgsql

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestCheck runs each archive of testdata/check: an inventory, and what is
// said about it.
func TestCheck(t *testing.T) {
	archives, err := filepath.Glob("testdata/check/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, file := range archives {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s := newSite(t, "pigsty.yml", string(a.Files[0].Data), nil)
		var got strings.Builder
		for _, d := range Check(s).Sorted() {
			fmt.Fprintf(&got, "%s %s %s: %s; %s\n", d.Pos, d.Severity, d.Code, d.Message, d.Advice)
		}
		for _, h := range s.Hosts() {
			for _, d := range h.Problems() {
				fmt.Fprintf(&got, "%s %s\n", d.Pos, d.Message)
			}
		}
		a.Files = append(a.Files[:1], txtar.File{Name: "output", Data: []byte(got.String())})
		golden(t, filepath.Join("check", filepath.Base(file)), string(txtar.Format(a)))
	}
}
