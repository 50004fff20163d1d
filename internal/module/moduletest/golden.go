// Package moduletest is what tests of modules share: a site of an inventory in
// testdata, steps and files as text, and golden files to compare them with.
package moduletest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Update is the flag -update, with which Golden writes instead of comparing.
var Update = flag.Bool("update", false, "write the golden files anew")

// Golden compares got with the file called name in testdata, and names the
// first line in which they differ.
func Golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *Update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (create it with -update)", err)
	}
	if got != string(want) {
		t.Errorf("%s differs (refresh it with -update), %s", file, FirstDifference(string(want), got))
	}
}

// FirstDifference shows the first line in which got is not want, "" if they are the same.
func FirstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	line := func(lines []string, i int) string {
		if i < len(lines) {
			return lines[i]
		}
		return "(end)"
	}
	for i := range max(len(w), len(g)) {
		if a, b := line(w, i), line(g, i); a != b {
			return fmt.Sprintf("line %d\nwant %s\n got %s", i+1, a, b)
		}
	}
	return ""
}
