package recipe

import (
	"archive/zip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"pigsty/internal/repo/pgp"
)

// keys are made once: RSA takes a moment.
var keys = sync.OnceValue(func() [2]*pgp.Key {
	var out [2]*pgp.Key
	for i := range out {
		dir, err := os.MkdirTemp("", "keys")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		if out[i], _, err = pgp.OpenOrCreate(dir, "test"); err != nil {
			panic(err)
		}
	}
	return out
})

// source is the module example.com/hello, by file name.
var source = map[string]string{
	"go.mod":            "module example.com/hello\n\ngo 1.24\n",
	"LICENSE":           "Do what you like.\n",
	"cmd/hello/main.go": "package main\n\nvar version string\n\nfunc main() { println(\"hello\", version) }\n",
	"library/empty.go":  "package library\n",
}

// proxy serves the module to the go command from a directory, and nothing else.
func proxy(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	at := filepath.Join(dir, "example.com/hello/@v")
	if err := os.MkdirAll(at, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(at, "v1.2.0.zip"))
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for name, text := range source {
		w, err := z.Create("example.com/hello@v1.2.0/" + name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(at, "v1.2.0.mod"), source["go.mod"])
	write(t, filepath.Join(at, "v1.2.0.info"), `{"Version":"v1.2.0","Time":"2024-05-06T07:08:09Z"}`)
	cache := t.TempDir()
	t.Setenv("GOPROXY", "file://"+dir)
	t.Setenv("GOMODCACHE", cache)
	t.Setenv("GONOSUMDB", "example.com")
	t.Setenv("GOFLAGS", "-mod=vendor") // what a user may have set is not heeded
	t.Cleanup(func() {                 // files of modules are read-only
		c := exec.Command("go", "clean", "-modcache")
		c.Env = append(os.Environ(), "GOFLAGS=", "GOMODCACHE="+cache)
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func hello(t *testing.T) *Recipe {
	t.Helper()
	r, err := Find("testdata/hello.yml")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// packages are those that r makes on this machine.
func packages(r *Recipe) []Package {
	return []Package{{r, runtime.GOARCH, "deb"}, {r, runtime.GOARCH, "rpm"}}
}

func TestFind(t *testing.T) {
	if _, err := Find("minoi"); err == nil || !strings.Contains(err.Error(), "did you mean minio?") {
		t.Errorf("an unknown recipe: %v", err)
	}
	for _, r := range Builtin() {
		if found, err := Find(r.Name); err != nil || found.Name != r.Name || found.Go.Sum == "" && found.Go.Archive == nil {
			t.Errorf("%s: %v", r.Name, err)
		}
	}
}

func TestDigest(t *testing.T) {
	r := hello(t)
	before := r.Digest()
	if again := hello(t).Digest(); again != before {
		t.Error("one recipe has two digests")
	}
	for what, change := range map[string]func(*Recipe){
		"release": func(r *Recipe) { r.Release = 2 },
		"unit":    func(r *Recipe) { r.Units["hello.service"] += "Restart=always\n" },
		"owner":   func(r *Recipe) { r.Directories[0].Owner = "root" },
		"archive": func(r *Recipe) { r.Go.Archive = &Archive{From: "file:///x.tar.gz"} },
	} {
		r := hello(t)
		change(r)
		if r.Digest() == before {
			t.Errorf("another %s has the same digest", what)
		}
	}
}
