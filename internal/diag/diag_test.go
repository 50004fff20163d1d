package diag

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata")

// The sources and diagnostics of testdata/render.txtar stand side by side with
// what Render prints: a file "list" has lines of
// "file line col severity code | message | advice".
func TestRender(t *testing.T) {
	name := filepath.Join("testdata", "render.txtar")
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	sources := map[string][]byte{"pasted.yml": []byte("all:\r\n\tvars:\r\n  a: \x1b[31mred\x00\xff\r\n")}
	var list List
	for i, f := range archive.Files {
		switch f.Name {
		default:
			sources[f.Name] = f.Data
		case "list":
			list = parseList(t, string(f.Data))
		case "plain", "color":
			var got strings.Builder
			list.Render(&got, sources, f.Name == "color")
			shown := strings.ReplaceAll(got.String(), "\x1b", "ESC")
			if *update {
				archive.Files[i].Data = []byte(shown)
			} else if shown != string(f.Data) {
				t.Errorf("%s: got\n%s\nwant\n%s", f.Name, shown, f.Data)
			}
		}
	}
	if *update {
		if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func parseList(t *testing.T, text string) (l List) {
	severities := map[string]Severity{"error": Error, "warning": Warning, "note": Note}
	for line := range strings.Lines(text) {
		parts := strings.Split(strings.TrimSuffix(line, "\n"), " | ")
		head := strings.Fields(parts[0])
		if len(head) != 5 || len(parts) != 3 {
			t.Fatalf("bad line %q", line)
		}
		d := Diagnostic{
			Severity: severities[head[3]], Code: head[4], Message: parts[1],
			Advice: strings.ReplaceAll(parts[2], `\n`, "\n"),
			Pos:    Pos{File: strings.Trim(head[0], "-"), Line: number(head[1]), Col: number(head[2])},
		}
		l.Add(d)
	}
	return l
}

func number(s string) (n int) {
	for _, c := range s {
		n = n*10 + int(c-'0')
	}
	return n
}

func TestNearest(t *testing.T) {
	known := []string{"hosts", "vars", "children", "pg_seq", "pg_role", "pg-test", "pg-meta", "10.10.10.11", "10.10.10.12", "x"}
	for _, test := range []struct{ word, want string }{
		{"var", "vars"},
		{"host", "hosts"},
		{"childern", "children"}, // two neighbours swapped are one slip
		{"HOSTS", "hosts"},
		{"pg_sql", "pg_seq"},
		{"pg-tset", "pg-test"},
		{"10.10.10.13", "10.10.10.11"}, // the first of two as near
		{"zebra", ""},
		{"", ""},
		{"y", ""},
		{"X", "x"},
		{"日本", ""},
	} {
		if got := Nearest(test.word, slices.Values(known)); got != test.want {
			t.Errorf("Nearest(%q) = %q, want %q", test.word, got, test.want)
		}
	}
}

func TestRenderLongLine(t *testing.T) {
	source := strings.Repeat("x", 1_000_000) + "HERE" + strings.Repeat("y", 1_000_000)
	list := List{{Code: "c", Message: "m", Pos: Pos{"f", 1, 1_000_001}}}
	var out strings.Builder
	start := time.Now()
	list.Render(&out, map[string][]byte{"f": []byte(source)}, false)
	lines := strings.Split(out.String(), "\n")
	caret := strings.IndexByte(lines[2], '^')
	if got := []rune(lines[1])[caret]; got != 'H' {
		t.Errorf("caret under %q after %v:\n%s", got, time.Since(start), out.String())
	}
	if len(lines[1]) > 2*lineLimit {
		t.Errorf("%d bytes of source shown", len(lines[1]))
	}
}

func TestSortedSaysOnce(t *testing.T) {
	a := Diagnostic{Code: "a", Pos: Pos{"f", 2, 1}, Message: "later"}
	b := Diagnostic{Code: "b", Pos: Pos{"f", 1, 9}, Message: "sooner"}
	if got := (List{a, b, a}).Sorted(); !slices.Equal(got, List{b, a}) {
		t.Errorf("got %v", got)
	}
}
