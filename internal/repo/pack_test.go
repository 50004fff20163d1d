package repo_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pigsty/internal/repo"
)

func TestPackAndUnpack(t *testing.T) {
	u, h, dir := newUpstream(t), newHost(), filepath.Join(t.TempDir(), "pigsty")
	u.publish(t, "app 1.0; Depends: lib", "lib 1.0")
	converge(t, h, u.build(t, dir, "app"), "create: does not exist: 2 packages, 0.0 MB")
	binary := filepath.Join(t.TempDir(), "program")
	write(t, binary, strings.Repeat("program", 1000))
	var packed bytes.Buffer
	if err := repo.Pack(&packed, dir, binary); err != nil {
		t.Fatal(err)
	}
	whole := packed.Bytes()

	home := t.TempDir()
	there := filepath.Join(home, "pigsty")
	lock, err := repo.Unpack(bytes.NewReader(whole), there, false)
	if err != nil || len(lock.Packages) != 2 {
		t.Fatalf("lock %v, error %v", lock, err)
	}
	if d := cmp.Diff(tree(t, dir), tree(t, there)); d != "" {
		t.Error(d)
	}
	if got := plan(t, h, u.build(t, there, "app")); got != "" {
		t.Errorf("what was unpacked is to be changed: %s", got)
	}
	if _, err := repo.Unpack(bytes.NewReader(whole), there, false); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("unpacked over a repository: error %v", err)
	}

	before := tree(t, there)
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 0xff
	for name, data := range map[string][]byte{
		"cut": whole[:len(whole)*2/3], "cut at the end": whole[:len(whole)-20], "empty": nil, "something else": []byte("not a package"), "damaged": flipped,
	} {
		if _, err := repo.Unpack(bytes.NewReader(data), there, true); err == nil {
			t.Errorf("%s: it is accepted", name)
		}
		if d := cmp.Diff(before, tree(t, there)); d != "" {
			t.Errorf("%s: the repository changed:\n%s", name, d)
		}
		if left, _ := os.ReadDir(home); len(left) != 1 {
			t.Errorf("%s: left behind: %v", name, left)
		}
	}
	if _, err := repo.Unpack(bytes.NewReader(whole), there, true); err != nil {
		t.Error(err)
	}

	write(t, filepath.Join(dir, "lib_1.0_amd64.deb"), "changed by hand")
	if err := repo.Pack(&packed, dir, binary); err == nil || !strings.Contains(err.Error(), "lib_1.0_amd64.deb is not what repo.lock says") {
		t.Errorf("a repository that is damaged: error %v", err)
	}
}
