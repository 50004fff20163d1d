package inventory

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestRead reads what each archive of testdata/sources holds, by the arguments
// in its first line. The file stdin is standard input, *.py is executable; do
// and want are as for TestGolden.
func TestRead(t *testing.T) {
	names, err := filepath.Glob("testdata/sources/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			want := &archive.Files[len(archive.Files)-1]
			got := readCase(t, archive)
			if *update {
				want.Data = []byte(got)
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(want.Data) {
				t.Errorf("got\n%s\nwant\n%s", got, want.Data)
			}
		})
	}
}

func readCase(t *testing.T, archive *txtar.Archive) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.Chdir(dir); err != nil {
			t.Fatal(err)
		}
	}()
	if err := os.Chdir(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	var do, stdin string
	for _, f := range archive.Files {
		switch f.Name {
		case "do":
			do = string(f.Data)
		case "stdin":
			stdin = string(f.Data)
		case "want":
		default:
			mode := fs.FileMode(0o600)
			if filepath.Ext(f.Name) == ".py" {
				mode = 0o700
			}
			if err := errors.Join(os.MkdirAll(filepath.Dir(f.Name), 0o700), os.WriteFile(f.Name, f.Data, mode)); err != nil {
				t.Fatal(err)
			}
		}
	}
	line, _, _ := strings.Cut(string(archive.Comment), "\n")
	args := strings.Split(strings.TrimPrefix(line, "-i "), " -i ")
	sources, diags, err := Read(args, strings.NewReader(stdin))
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string][]byte{}
	for _, s := range sources {
		texts[s.Name] = s.Data
	}
	inv, found := Load(sources...)
	var out strings.Builder
	append(diags, found...).Render(&out, texts, false)
	for line := range strings.Lines(do) {
		out.WriteString("> " + line)
		command, arg, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		run(&out, inv, texts, command, arg)
	}
	return out.String()
}

func TestReadFails(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "hosts.yml")
	if err := errors.Join(os.WriteFile(broken, nil, 0o600), os.Mkdir(filepath.Join(dir, "group_vars"), 0o700),
		os.Symlink("nowhere", filepath.Join(dir, "group_vars", "all.yml"))); err != nil {
		t.Fatal(err)
	}
	for _, arg := range []string{filepath.Join(dir, "none.yml"), broken} {
		sources, _, err := Read([]string{arg}, strings.NewReader(""))
		if !errors.Is(err, fs.ErrNotExist) || sources != nil {
			t.Errorf("%s: %v, %v", arg, sources, err)
		}
	}
}
