package recipe

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestArchive compiles what no module proxy has.
func TestArchive(t *testing.T) {
	proxy(t)
	t.Setenv("GOPROXY", "off")
	tools, err := FindToolchain(t.Context())
	if err != nil {
		t.Skip(err)
	}
	at := filepath.Join(t.TempDir(), "hello-1.2.0.tar.gz")
	pack := func(more string) *Recipe {
		t.Helper()
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		w := tar.NewWriter(z)
		files := maps.Clone(source)
		files["vendor/modules.txt"] = "not what go.mod says"
		if more != "" {
			files[more] = "more"
		}
		for name, text := range files {
			if err := w.WriteHeader(&tar.Header{Name: "hello-1.2.0/" + name, Mode: 0o644, Size: int64(len(text))}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(w.Close(), z.Close()); err != nil {
			t.Fatal(err)
		}
		write(t, at, b.String())
		r := hello(t)
		r.Go.Archive = &Archive{From: "file://" + at, SHA256: digest(b.Bytes())}
		return r
	}
	r := pack("")
	if c, err := tools.compile(t.Context(), r, runtime.GOARCH); err != nil || string(c.license) != source["LICENSE"] {
		t.Errorf("from an archive: %v", err)
	}
	r.Go.Archive.SHA256 = strings.Repeat("0", 64)
	if _, err := tools.compile(t.Context(), r, runtime.GOARCH); err == nil || !strings.Contains(err.Error(), "its SHA-256 is ") {
		t.Errorf("another archive: %v", err)
	}
	if _, err := tools.compile(t.Context(), pack("../../../outside"), runtime.GOARCH); err == nil {
		t.Error("a file was written outside")
	}
	for name, fine := range map[string]bool{"cmd/hello/more.go": true, "go.mod": false, "../../../outside": false} {
		r := pack("")
		r.Go.Archive.Add = map[string]string{name: "package main\n\nfunc init() { println(\"added by the recipe\") }\n"}
		c, err := tools.compile(t.Context(), r, runtime.GOARCH)
		if fine && (err != nil || !bytes.Contains(c.binary, []byte("added by the recipe"))) {
			t.Errorf("with %s added: %v", name, err)
		}
		if !fine && (err == nil || !strings.Contains(err.Error(), "go.archive.add")) {
			t.Errorf("%s is not refused: %v", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(at), "outside")); err == nil {
		t.Error("a file is outside")
	}
}
