package recipe

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pigsty/internal/repo/deb"
	"pigsty/internal/repo/fetch"
	"pigsty/internal/repo/want"
)

// TestIndex reads the directory as the deployment's repository does.
func TestIndex(t *testing.T) {
	dir := t.TempDir()
	byHand := filepath.Join(dir, "hand_1.0_all.deb")
	handmade(t, byHand)
	d, err := Open(dir, keys()[0])
	if err != nil {
		t.Fatal(err)
	}
	r := hello(t)
	for _, p := range []Package{{r, "amd64", "deb"}, {r, "arm64", "deb"}} {
		if _, err := d.pack(p, &compiled{binary: []byte("program for " + p.Arch)}); err != nil {
			t.Fatal(err)
		}
	}
	if ok, err := d.Published(); ok || err != nil {
		t.Fatalf("before it was made the index is there: %v", err)
	}
	if err := d.publish(); err != nil {
		t.Fatal(err)
	}
	public, err := keys()[0].Public()
	if err != nil {
		t.Fatal(err)
	}
	at := deb.Source{Name: "built", URI: "file://" + dir, Suite: "./", SignedBy: string(public), CheckValid: true}
	suites, err := deb.ReadAll(t.Context(), []deb.Source{at}, "arm64", deb.Trust{Root: "/"}, &fetch.Client{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range suites[0].Packages {
		names = append(names, p.String()+" "+p.Arch)
	}
	if want := []string{"hand 1.0 all", "hello 1.2.0-1 arm64"}; !slices.Equal(names, want) {
		t.Errorf("the repository has %q, want %q", names, want)
	}
	if _, err := deb.NewPool(suites[0].Packages, nil).Resolve([]want.Package{{Name: "hand", For: "test"}}); err != nil {
		t.Error(err)
	}

	for _, c := range []struct {
		what   string
		change func()
	}{
		{"another key", func() { d.Key = keys()[1] }},
		{"another package", func() { write(t, filepath.Join(dir, "Packages"), "") }},
		{"no signature", func() { _ = os.Remove(filepath.Join(dir, "InRelease")) }},
		{"a package less", func() { _ = os.Remove(byHand) }},
	} {
		c.change()
		if ok, err := d.Published(); ok || err != nil {
			t.Errorf("%s: the index passes: %v", c.what, err)
		}
		if err := d.publish(); err != nil {
			t.Fatal(err)
		}
		if ok, err := d.Published(); !ok || err != nil {
			t.Errorf("%s: the index is not made anew: %v", c.what, err)
		}
	}
	write(t, filepath.Join(dir, "junk.deb"), "junk")
	if _, err := d.Published(); err == nil || !strings.Contains(err.Error(), "junk.deb is no Debian package") {
		t.Errorf("a file that is no package: %v", err)
	}
}

// handmade makes a package with Debian's program, which compresses otherwise.
func handmade(t *testing.T, file string) {
	t.Helper()
	dpkg, err := exec.LookPath("dpkg-deb")
	if err != nil {
		t.Skip("no dpkg-deb here")
	}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "DEBIAN"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "DEBIAN/control"), "Package: hand\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <nobody@example.com>\nDescription: made by hand\n")
	if out, err := exec.Command(dpkg, "-Zxz", "--build", root, file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
