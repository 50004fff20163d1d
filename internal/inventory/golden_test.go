package inventory

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata")

// Each archive of testdata holds the cases of one topic. A case NAME has the
// sources NAME/*.yml (or .json), read in order, what to do with them in NAME/do
// (see run), and what is expected in NAME/want: the diagnostics of reading, then
// each line of NAME/do with its answer. "\t" and the like in a source whose name
// ends in .txt stand for the characters that an archive can hold only badly.
func TestGolden(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	for _, name := range names {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range archive.Files {
			test, file, _ := strings.Cut(archive.Files[i].Name, "/")
			if file != "want" {
				continue
			}
			topic := strings.TrimSuffix(filepath.Base(name), ".txtar")
			t.Run(topic+"/"+test, func(t *testing.T) {
				got := runCase(archive, test)
				if *update {
					archive.Files[i].Data = []byte(got)
				} else if want := string(archive.Files[i].Data); got != want {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
			})
		}
		if *update {
			if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func runCase(archive *txtar.Archive, test string) string {
	var sources []Source
	texts := map[string][]byte{}
	var do string
	for _, f := range archive.Files {
		name, file, _ := strings.Cut(f.Name, "/")
		if name != test {
			continue
		}
		switch filepath.Ext(file) {
		case ".txt":
			f.Data = []byte(strings.NewReplacer(`\t`, "\t", `\r`, "\r", `\0`, "\x00", `\xff`, "\xff", `\ufeff`, "\ufeff", `\n`, "").Replace(strings.TrimSuffix(string(f.Data), "\n")))
			fallthrough
		case ".yml", ".json":
			sources = append(sources, Source{Name: file, Data: f.Data})
			texts[file] = f.Data
		}
		if file == "do" {
			do = string(f.Data)
		}
	}
	var out strings.Builder
	inv, diags := Load(sources...)
	diags.Render(&out, texts, false)
	for line := range strings.Lines(do) {
		out.WriteString("> " + line)
		command, arg, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		run(&out, inv, texts, command, arg)
	}
	return out.String()
}

func run(out io.Writer, inv *Inventory, texts map[string][]byte, command, arg string) {
	switch command {
	case "groups": // every group with its place, parents, children and hosts
		for _, g := range inv.Groups() {
			fmt.Fprintf(out, "%s %v", g.Name(), g.Pos())
			for _, list := range []struct {
				title string
				names []string
			}{{"parents", groupNames(g.Parents())}, {"children", groupNames(g.Children())}, {"hosts", namesOf(g.Hosts())}} {
				if len(list.names) > 0 {
					fmt.Fprintf(out, " %s=%s", list.title, strings.Join(list.names, ","))
				}
			}
			fmt.Fprintln(out)
		}
	case "hosts": // every host with its place and groups
		for _, h := range inv.Hosts() {
			fmt.Fprintf(out, "%s %v groups=%s\n", h.Name(), h.Pos(), strings.Join(groupNames(h.Groups()), ","))
		}
	case "vars": // HOST [NAME…]: variables, with where from and what they replace
		words := strings.Fields(arg)
		h := inv.Host(words[0])
		if h == nil {
			fmt.Fprintln(out, "no such host")
			return
		}
		for v := range h.Vars().All() {
			if len(words) > 1 && !strings.Contains(" "+arg+" ", " "+v.Name+" ") {
				continue
			}
			fmt.Fprintf(out, "%s = %s (%v, %v)\n", v.Name, show(v.Value), v.Origin, v.Value.Pos)
			for _, o := range v.Overrides {
				fmt.Fprintf(out, "    not %s (%v, %v)\n", show(o.Value), o.Origin, o.Value.Pos)
			}
		}
	case "check":
		inv.Check().Render(out, texts, false)
	case "extra": // arguments, separated by " ; "
		inv.SetExtra(strings.Split(arg, " ; ")).Render(out, texts, false)
	case "select":
		hosts, err := inv.Select(arg)
		if err != nil {
			fmt.Fprintln(out, "error:", err)
			return
		}
		fmt.Fprintln(out, strings.Join(namesOf(hosts), " "))
	default:
		fmt.Fprintln(out, "no such command")
	}
}

// testSources returns the sources of all cases.
func testSources(tb testing.TB) (sources [][]byte) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		tb.Fatal(err)
	}
	for _, name := range names {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		for _, f := range archive.Files {
			if !strings.HasSuffix(f.Name, "/do") && !strings.HasSuffix(f.Name, "/want") {
				sources = append(sources, f.Data)
			}
		}
	}
	return sources
}

// show writes a value as JSON, with its tag if it has one.
func show(v Value) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v.Any()); err != nil {
		return err.Error()
	}
	text := strings.TrimSuffix(b.String(), "\n")
	if v.Tag != "" {
		text = v.Tag + " " + text
	}
	return text
}

func namesOf(hosts []*Host) (names []string) {
	for _, h := range hosts {
		names = append(names, h.Name())
	}
	return names
}

func groupNames(groups []*Group) (names []string) {
	for _, g := range groups {
		names = append(names, g.Name())
	}
	return names
}
