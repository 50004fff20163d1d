package rpm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pigsty/internal/repo/fetch"
	"pigsty/internal/repo/pgp"
	"pigsty/internal/repo/want"
)

var ctx = context.Background()

// testdata/repo was made by rpmbuild and createrepo_c 1.2.0, the packages and the
// index signed with key.asc; zstd and xz are the same index in other forms.
func source(t *testing.T, dir string) Source {
	t.Helper()
	top, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	return Source{Name: dir, Bases: []string{"file://" + filepath.Join(top, dir) + "/"}, Keys: filepath.Join(top, "key.asc")}
}

func TestReadAll(t *testing.T) {
	indexes, err := ReadAll(ctx, []Source{source(t, "repo"), source(t, "zstd"), source(t, "xz")}, "x86_64", Trust{Root: "/"}, &fetch.Client{})
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range indexes {
		var got []string
		for _, p := range x.Packages {
			got = append(got, p.String()+" "+p.Arch)
		}
		if d := cmp.Diff([]string{"sample-app 2.0^git1-1.el9 noarch", "sample-extra 10-1 noarch", "sample-lib 1:1.4~rc2-3.el9 x86_64"}, got); d != "" {
			t.Errorf("%s: %s", x.Source.Name, d)
		}
		if signed := x.Signer != ""; signed != (i == 0) {
			t.Errorf("%s is signed by %q", x.Source.Name, x.Signer)
		}
	}
	// What sample-app needs is a file that only filelists.xml has; nobody has a shell.
	wants := []want.Package{{Name: "sample-app", For: "repo_packages"}}
	for _, x := range indexes {
		_, err := Resolve(ctx, []*Index{x}, nil, wants, &fetch.Client{})
		if err == nil || !strings.HasPrefix(err.Error(), "/bin/sh is wanted by sample-app 2.0^git1-1.el9, by repo_packages") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v", x.Source.Name, err)
		}
		found, err := Resolve(ctx, []*Index{x, index("base", "bash 5-1; /bin/sh")}, nil, wants, &fetch.Client{})
		if err != nil || len(found.Packages) != 4 {
			t.Errorf("%s: found %v, error %v", x.Source.Name, found.Packages, err)
		}
	}
}

func copyTree(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// An upstream that is not what its key vouches for is refused.
func TestUntrusted(t *testing.T) {
	other := &pgp.Keyring{}
	for name, c := range map[string]struct {
		change func(t *testing.T, dir string, s *Source)
		err    string
	}{
		"a changed index":         {func(t *testing.T, dir string, _ *Source) { grow(t, filepath.Join(dir, "repodata/repomd.xml")) }, "cannot be trusted"},
		"a changed primary":       {func(t *testing.T, dir string, _ *Source) { growGlob(t, dir, "repodata/*-primary.xml.gz") }, "is not what its repomd.xml says"},
		"no key":                  {func(t *testing.T, _ string, s *Source) { s.Keys = filepath.Join(filepath.Dir(s.Keys), "key.none") }, "its key"},
		"no signature, wanted":    {func(t *testing.T, dir string, s *Source) { unsign(t, dir); s.SignedIndex = true }, "its index is not signed"},
		"no signature, packages":  {func(t *testing.T, dir string, _ *Source) { unsign(t, dir) }, ""},
		"not there":               {func(t *testing.T, dir string, _ *Source) { _ = os.RemoveAll(dir) }, "there is no"},
		"a host that trusts none": {func(t *testing.T, _ string, s *Source) { s.Keys = "" }, "no key is known for it"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyTree(t, "testdata/repo")
			s := source(t, "repo")
			s.Bases = []string{"file://" + dir + "/"}
			root := "/"
			c.change(t, dir, &s)
			if s.Keys == "" {
				root = t.TempDir()
			}
			_, err := ReadAll(ctx, []Source{s}, "x86_64", Trust{Root: root}, &fetch.Client{})
			if (err == nil) != (c.err == "") || err != nil && (!strings.Contains(err.Error(), c.err) || !strings.HasPrefix(err.Error(), "upstream repo: ")) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
	if _, _, err := OpenFile("testdata/repo/sample-extra-10-1.noarch.rpm", "x.rpm", "", other); !errors.Is(err, pgp.ErrUnknownKey) {
		t.Errorf("a package of another: error %v", err)
	}
}

func grow(t *testing.T, file string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("\n<!-- -->"); err != nil {
		t.Fatal(err)
	}
	f.Close()
}

func growGlob(t *testing.T, dir, glob string) {
	t.Helper()
	found, _ := filepath.Glob(filepath.Join(dir, glob))
	grow(t, found[0])
}

func unsign(t *testing.T, dir string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, "repodata/repomd.xml.asc")); err != nil {
		t.Fatal(err)
	}
}

func ring(t *testing.T) *pgp.Keyring {
	t.Helper()
	text, err := os.ReadFile("testdata/key.asc")
	if err != nil {
		t.Fatal(err)
	}
	r := &pgp.Keyring{}
	if err := r.Add(text); err != nil {
		t.Fatal(err)
	}
	return r
}

func openFile(t *testing.T, path string) (*File, error) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	f, signer, err := OpenFile(path, filepath.Base(path), hex.EncodeToString(sum[:]), ring(t))
	if err == nil && signer != ring(t).Fingerprints()[0] {
		t.Errorf("%s is signed by %s", path, signer)
	}
	return f, err
}

// What is written of packages is what createrepo_c writes of them, and no less
// than clients need that do not read filelists.xml.
func TestMetadataIsThatOfCreaterepo(t *testing.T) {
	theirs, err := Dir(ctx, mustAbs(t, "testdata/repo"), "x86_64", &Origin{Name: "repo"})
	if err != nil {
		t.Fatal(err)
	}
	packages, _ := filepath.Glob("testdata/repo/*.rpm")
	var files []*File
	for _, p := range packages {
		f, err := openFile(t, p)
		if err != nil {
			t.Fatal(err)
		}
		f.modified = theirs.data["primary"].Timestamp
		files = append(files, f)
	}
	ours, err := NewMetadata(files, time.Unix(theirs.data["primary"].Timestamp, 0))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range ours.Files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := Check(dir); err != nil {
		t.Error(err)
	}
	mine, err := Dir(ctx, dir, "x86_64", &Origin{Name: "repo"})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"primary", "filelists", "other"} {
		got := elements(t, mine, kind)
		if kind == "primary" { // what sample-app requires is listed besides
			at := slices.Index(got, "/usr/lib/sample/data.txt")
			if at < 0 {
				t.Fatal("a file that a package requires is not in primary.xml")
			}
			got = slices.Delete(got, at-1, at+1)
		}
		if d := cmp.Diff(elements(t, theirs, kind), got); d != "" {
			t.Errorf("%s: %s", kind, d)
		}
	}
	growGlob(t, dir, "repodata/*-other.xml.gz")
	if err := Check(dir); err == nil {
		t.Error("a damaged index passes")
	}
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// elements returns the elements of a file of an index with attributes and text, in order.
func elements(t *testing.T, x *Index, kind string) []string {
	t.Helper()
	var out []string
	err := x.get(ctx, kind, &fetch.Client{}, func(in io.Reader) error {
		d := xml.NewDecoder(in)
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			switch e := token.(type) {
			case xml.StartElement:
				line := e.Name.Space + " " + e.Name.Local
				for _, a := range e.Attr {
					line += " " + a.Name.Local + "=" + a.Value
				}
				out = append(out, line)
			case xml.CharData:
				if text := bytes.TrimSpace(e); len(text) > 0 {
					out = append(out, string(text))
				}
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A package file that was changed anywhere is refused.
func TestDamagedPackage(t *testing.T) {
	const path = "testdata/repo/sample-lib-1.4~rc2-3.el9.x86_64.rpm"
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := openFile(t, path)
	if err != nil {
		t.Fatal(err)
	}
	change := func(at int64) []byte {
		data := bytes.Clone(whole)
		data[at] ^= 1
		return data
	}
	for name, data := range map[string][]byte{
		"its header": change(f.end - 40), "its payload": change(f.end + 10), "cut": whole[:len(whole)-1], "cut in its header": whole[:f.start+50],
		"empty": nil, "something else": []byte("not a package"), "without a signature": append(append([]byte{}, whole[:leadSize]...), unsignedFrom(whole[leadSize:])...),
	} {
		file := filepath.Join(t.TempDir(), "x.rpm")
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := openFile(t, file); err == nil {
			t.Errorf("%s: it is accepted", name)
		}
	}
}

// unsignedFrom renames the tags of signatures in what begins with their header.
func unsignedFrom(data []byte) []byte {
	out := bytes.Clone(data)
	count := int(out[11])
	for i := range count {
		at := 16 + 16*i
		switch tag(int32(out[at+2])<<8 | int32(out[at+3])) {
		case sigRSA, sigPGP:
			out[at+1] = 0xff
		}
	}
	return out
}

// BenchmarkOpenFile reads a package and verifies its signature.
func BenchmarkOpenFile(b *testing.B) {
	key, err := os.ReadFile("testdata/key.asc")
	if err != nil {
		b.Fatal(err)
	}
	ring := &pgp.Keyring{}
	if err := ring.Add(key); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, _, err := OpenFile("testdata/repo/sample-lib-1.4~rc2-3.el9.x86_64.rpm", "x.rpm", "", ring); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzReadFile(f *testing.F) {
	data, err := os.ReadFile("testdata/repo/sample-extra-10-1.noarch.rpm")
	if err != nil {
		f.Fatal(err)
	}
	info, _ := os.Stat("testdata/repo/sample-extra-10-1.noarch.rpm")
	f.Add(data)
	f.Fuzz(func(_ *testing.T, data []byte) {
		if file, err := readFile(bytes.NewReader(data), info, "x.rpm", ""); err == nil {
			_, _, _ = file.primary(nil), file.filelists(), file.other()
		}
	})
}
