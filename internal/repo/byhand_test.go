package repo_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pigsty/internal/repo"
)

// handmade makes a package with Debian's own program.
func handmade(t *testing.T, file, control string) {
	t.Helper()
	dpkg, err := exec.LookPath("dpkg-deb")
	if err != nil {
		t.Skip("no dpkg-deb here")
	}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "DEBIAN"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "DEBIAN/control"), control)
	if out, err := exec.Command(dpkg, "--build", root, file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// What somebody puts into the repository is said, indexed, and outlives builds
// until somebody takes it out.
func TestPackagesPutThereByHand(t *testing.T) {
	u, h, dir := newUpstream(t), newHost(), filepath.Join(t.TempDir(), "pigsty")
	u.publish(t, "app 1.0", "tool 1.0")
	converge(t, h, u.build(t, dir, "app"), "create: does not exist: 1 packages, 0.0 MB")
	handmade(t, filepath.Join(dir, "mine.deb"), "Package: hand\nVersion: 1:1.0\nArchitecture: all\nMaintainer: nobody <nobody@example.com>\nDescription: made by hand\n")
	write(t, filepath.Join(dir, "half.deb"), "!<arch>\n")
	write(t, filepath.Join(dir, "notes.txt"), "not a package")

	c, err := u.build(t, dir, "app").Diff(ctx, h.Host)
	if want := "put there by hand, and kept: half.deb mine.deb; of these not in the index: half.deb (it is no package)"; err != nil || !strings.Contains(c.Note, want) {
		t.Errorf("the plan says %q, not %q: %v", c.Note, want, err)
	}
	converge(t, h, u.build(t, dir, "app"), "change: put there by hand: half.deb mine.deb: hand →1:1.0")
	kept := func(when string) {
		t.Helper()
		got := tree(t, dir)
		if got["half.deb"] != "!<arch>\n" || !strings.HasPrefix(got["mine.deb"], "!<arch>\n") {
			t.Errorf("%s the files are gone", when)
		}
		if !strings.Contains(got["Packages"], "Package: hand\n") || !strings.Contains(got["Packages"], "Filename: ./mine.deb\n") || strings.Contains(got["Packages"], "half") {
			t.Errorf("%s the index is\n%s", when, got["Packages"])
		}
	}
	kept("when they were found")
	converge(t, h, u.build(t, dir, "app", "tool"), "change: lacks tool: tool →1.0")
	kept("after a build")
	u.publish(t, "app 2.0", "tool 1.0")
	newest := u.build(t, dir, "app", "tool")
	newest.Update = true
	converge(t, h, newest, "change: upstreams have other versions: app 1.0→2.0")
	kept("after an update")
	h = newHost() // another run
	if err := os.Remove(filepath.Join(dir, "mine.deb")); err != nil {
		t.Fatal(err)
	}
	converge(t, h, u.build(t, dir, "app", "tool"), "change: mine.deb is missing or damaged: hand 1:1.0→")
}

// A package for dnf is in the index if a key that is known has signed it.
func TestPackagesForDnfPutThereByHand(t *testing.T) {
	u, h, dir := newYum(t), newRocky(), filepath.Join(t.TempDir(), "pigsty")
	u.publish(t, "app 1.0-1")
	converge(t, h, u.build(t, dir, "app"), "create: does not exist: 1 packages, 0.0 MB")
	writeRPM(t, dir, "ours 1.0-1", keys()[1])
	writeRPM(t, dir, "unsigned 1.0-1", nil)
	c, err := u.build(t, dir, "app").Diff(ctx, h.Host)
	if want := "not in the index: unsigned-1.0-1.x86_64.rpm (no key that is known has signed it)"; err != nil || !strings.Contains(c.Note, want) {
		t.Errorf("the plan says %q, not %q: %v", c.Note, want, err)
	}
	converge(t, h, u.build(t, dir, "app"), "change: put there by hand: ours-1.0-1.x86_64.rpm unsigned-1.0-1.x86_64.rpm: ours →1.0-1")
	if _, err := os.Stat(filepath.Join(dir, "unsigned-1.0-1.x86_64.rpm")); err != nil {
		t.Error(err)
	}
	listed, err := os.ReadFile(filepath.Join(dir, repo.PackageKeys))
	if err != nil || strings.Count(string(listed), "BEGIN PGP") != 2 {
		t.Errorf("clients get other keys than those of app and ours: %v\n%s", err, listed)
	}
}
