package repo_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"pigsty/internal/repo"
)

func TestPackAndUnpack(t *testing.T) {
	u, h, dir := newUpstream(t), newHost(), filepath.Join(t.TempDir(), "pigsty")
	u.publish(t, "app 1.0; Depends: lib", "lib 1.0")
	converge(t, h, u.build(t, dir, "app"), "create: does not exist: 2 packages, 0.0 MB")
	binary := filepath.Join(t.TempDir(), "program")
	write(t, binary, strings.Repeat("program", 1000))
	var out bytes.Buffer
	if err := repo.Pack(&out, dir, binary); err != nil {
		t.Fatal(err)
	}
	whole := out.Bytes()

	home := t.TempDir()
	there := filepath.Join(home, "pigsty")
	lock, err := repo.Unpack(bytes.NewReader(whole), there, "", false)
	if err != nil || len(lock.Packages) != 2 {
		t.Fatalf("lock %v, error %v", lock, err)
	}
	if d := cmp.Diff(tree(t, dir), tree(t, there)); d != "" {
		t.Error(d)
	}
	if got := plan(t, h, u.build(t, there, "app")); got != "" {
		t.Errorf("what was unpacked is to be changed: %s", got)
	}
	if _, err := repo.Unpack(bytes.NewReader(whole), there, "", false); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("unpacked over a repository: error %v", err)
	}

	before := tree(t, there)
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 0xff
	for name, data := range map[string][]byte{
		"cut": whole[:len(whole)*2/3], "cut at the end": whole[:len(whole)-20], "empty": nil, "something else": []byte("not a package"), "damaged": flipped,
	} {
		if _, err := repo.Unpack(bytes.NewReader(data), there, "", true); err == nil {
			t.Errorf("%s: it is accepted", name)
		}
		if d := cmp.Diff(before, tree(t, there)); d != "" {
			t.Errorf("%s: the repository changed:\n%s", name, d)
		}
		if left, _ := os.ReadDir(home); len(left) != 1 {
			t.Errorf("%s: left behind: %v", name, left)
		}
	}
	if _, err := repo.Unpack(bytes.NewReader(whole), there, "", true); err != nil {
		t.Error(err)
	}

	write(t, filepath.Join(dir, "lib_1.0_amd64.deb"), "changed by hand")
	if err := repo.Pack(&out, dir, binary); err == nil || !strings.Contains(err.Error(), "lib_1.0_amd64.deb is not what repo.lock says") {
		t.Errorf("a repository that is damaged: error %v", err)
	}
}

// packed returns an offline package with one repository in it.
func packed(t *testing.T) []byte {
	t.Helper()
	u, h, dir := newUpstream(t), newHost(), filepath.Join(t.TempDir(), "pigsty")
	u.publish(t, "app 1.0")
	converge(t, h, u.build(t, dir, "app"), "create: does not exist: 1 packages, 0.0 MB")
	binary := filepath.Join(t.TempDir(), "program")
	write(t, binary, "program")
	var out bytes.Buffer
	if err := repo.Pack(&out, dir, binary); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A file that is no offline package is refused before there is any directory.
func TestUnpackChecksFirst(t *testing.T) {
	whole, top := packed(t), t.TempDir()
	dir, data := filepath.Join(top, "www", "pigsty"), filepath.Join(top, "data", "nginx")
	for name, file := range map[string][]byte{"cut": whole[:len(whole)-100], "empty": nil, "something else": []byte("no package")} {
		if _, err := repo.Unpack(bytes.NewReader(file), dir, data, false); err == nil {
			t.Errorf("%s: it is accepted", name)
		}
		if left, _ := os.ReadDir(top); len(left) > 0 {
			t.Errorf("%s: it left %v", name, left)
		}
	}
	foreign := t.TempDir()
	write(t, filepath.Join(foreign, "precious"), "data")
	if _, err := repo.Unpack(bytes.NewReader(whole), foreign, "", true); err == nil || !strings.Contains(err.Error(), "is no repository: move them away") {
		t.Errorf("unpacked over something else: error %v", err)
	}
	if _, err := repo.Unpack(bytes.NewReader(whole), dir, data, false); err != nil {
		t.Fatal(err)
	}
	if link, err := os.Readlink(filepath.Join(top, "www")); err != nil || link != data {
		t.Errorf("www is a link to %q, error %v", link, err)
	}
	if _, err := repo.Unpack(bytes.NewReader(whole), dir, data, false); err == nil || !strings.Contains(err.Error(), "give --replace") {
		t.Errorf("unpacked over a repository: error %v", err)
	}
}

// A web server can read what a careful umask would hide.
func TestUmask(t *testing.T) {
	old := unix.Umask(0o077)
	defer unix.Umask(old)
	top := t.TempDir()
	dir := filepath.Join(top, "www", "pigsty")
	if _, err := repo.Unpack(bytes.NewReader(packed(t)), dir, filepath.Join(top, "data", "nginx"), false); err != nil {
		t.Fatal(err)
	}
	u, h := newUpstream(t), newHost()
	u.publish(t, "app 1.0")
	built := filepath.Join(top, "srv", "pigsty")
	converge(t, h, u.build(t, built, "app"), "create: does not exist: 1 packages, 0.0 MB")
	y, rocky := newYum(t), newRocky()
	y.publish(t, "app 1-1")
	converge(t, rocky, y.build(t, filepath.Join(top, "srv", "el"), "app"), "create: does not exist: 1 packages, 0.0 MB")
	for _, from := range []string{"data", "srv"} {
		err := filepath.WalkDir(filepath.Join(top, from), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			want := fs.FileMode(0o644)
			if d.IsDir() {
				want = 0o755
			}
			if err == nil && info.Mode().Perm() != want {
				t.Errorf("%s has mode %v", path, info.Mode())
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// An offline package is called after the system that it is for.
func TestPackName(t *testing.T) {
	for system, want := range map[string]string{
		"debian 13 x86_64": "dist/1.0/p-d13.x86_64.tgz", "ubuntu 24.04 aarch64": "dist/1.0/p-u24.aarch64.tgz", "rocky 9 x86_64": "dist/1.0/p-el9.x86_64.tgz", "": "",
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, repo.Complete), "")
		write(t, filepath.Join(dir, repo.LockFile), `{"format": 1, "system": "`+system+`"}`)
		got, err := repo.PackName("dist/${version}/p-${os}.${arch}.tgz", "1.0", dir)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, error %v", system, got, err)
		}
	}
}
