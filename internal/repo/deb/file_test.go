package deb

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// small is a package that has a control file only.
func small(t testing.TB, control string) []byte {
	t.Helper()
	var archive, out bytes.Buffer
	z := gzip.NewWriter(&archive)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: "./control", Mode: 0o644, Size: int64(len(control))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(control)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	out.WriteString("!<arch>\n")
	for _, m := range []struct {
		name string
		data []byte
	}{{"debian-binary", []byte("2.0\n")}, {"control.tar.gz", archive.Bytes()}} {
		fmt.Fprintf(&out, "%-16s%-12d%-6d%-6d%-8s%-10d`\n%s%s", m.name, 0, 0, 0, "100644", len(m.data), m.data, strings.Repeat("\n", len(m.data)%2))
	}
	return out.Bytes()
}

func TestDescribeFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "whatever.deb")
	data := small(t, "Package: app\nVersion: 1:2.0-1\nArchitecture: amd64\nDescription: what it is\n")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := DescribeFile(file)
	if err != nil {
		t.Fatal(err)
	}
	all, err := ParseIndex(text, &Origin{})
	if err != nil || len(all) != 1 {
		t.Fatalf("%v %v", all, err)
	}
	if p := all[0]; p.String() != "app 1:2.0-1" || p.File != "whatever.deb" || p.Size != int64(len(data)) {
		t.Errorf("%s in %s, %d bytes", p, p.File, p.Size)
	}
	if err := os.WriteFile(file, data[:90], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := DescribeFile(file); err == nil {
		t.Error("half of a package was described")
	}
}

// FuzzControl looks for packages that the index cannot be made of without harm.
func FuzzControl(f *testing.F) {
	f.Add(small(f, "Package: app\n"))
	f.Add([]byte("!<arch>\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if text, err := readControl(bytes.NewReader(data)); err == nil && len(text) > maxControl {
			t.Errorf("a control file of %d bytes", len(text))
		}
	})
}
