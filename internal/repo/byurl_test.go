package repo_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pigsty/internal/repo"
)

// extraFields is the description of a package that has a URL of its own.
const extraFields = "Package: extra\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <nobody@example.com>\nDescription: by URL\n"

// version returns what the lock of dir says of the package called name.
func version(t *testing.T, dir, name string) string {
	t.Helper()
	lock, err := repo.ReadLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, p := range lock.Packages {
		if p.Name == name {
			out = append(out, p.Version+" "+p.File+" "+p.Origin)
		}
	}
	return strings.Join(out, ", ")
}

// A package that has a URL of its own is indexed as those of upstreams are.
func TestPackagesByURL(t *testing.T) {
	u, h, dir := newUpstream(t), newHost(), filepath.Join(t.TempDir(), "pigsty")
	u.publish(t, "app 1.0", "tool 1.0")
	at := filepath.Join(u.dir, "extra_1.0_all.deb")
	handmade(t, at, extraFields)
	build := func(wants ...string) *repo.Build {
		b := u.build(t, dir, wants...)
		b.Files = []repo.File{{Name: "extra_1.0_all.deb", URL: u.url + "/extra_1.0_all.deb"}, {Name: "notes.txt", URL: u.url + "/Packages"}}
		return b
	}
	indexed := func(when string) {
		t.Helper()
		if got := tree(t, dir)["Packages"]; strings.Count(got, "Package: extra\n") != 1 || strings.Count(got, "Filename: ./extra_1.0_all.deb\n") != 1 {
			t.Errorf("%s the index is\n%s", when, got)
		}
		if got, want := version(t, dir, "extra"), "1.0 extra_1.0_all.deb "+u.url+"/extra_1.0_all.deb"; got != want {
			t.Errorf("%s the lock has %q, not %q", when, got, want)
		}
	}
	converge(t, h, u.build(t, dir, "app"), "create: does not exist: 1 packages, 0.0 MB")
	converge(t, h, build("app"), "change: lacks "+u.url+"/extra_1.0_all.deb "+u.url+"/Packages:")
	indexed("at first")
	u.asked()
	converge(t, h, build("app", "extra", "tool"), "change: lacks extra tool: tool →1.0")
	indexed("with another package, and when it is wanted,")
	if got := u.asked(); got != "tool_1.0_amd64.deb" {
		t.Errorf("downloaded %s", got)
	}

	// Another digest is another file: the one that there is will not do.
	old := digestOf(t, at)
	handmade(t, at, strings.Replace(extraFields, "1.0", "1.1", 1))
	b := build("app")
	b.Files[0].SHA256 = digestOf(t, at)
	converge(t, h, b, "change: extra_1.0_all.deb has not the SHA-256 that repo_url_packages says: tool 1.0→")
	if got := version(t, dir, "extra"); !strings.HasPrefix(got, "1.1 ") {
		t.Errorf("the lock has %q", got)
	}
	before := tree(t, dir)
	b.Files[0].SHA256 = old
	if err := b.Apply(ctx, h.Host); err == nil || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("a file that is not what it should be: error %v", err)
	}
	write(t, at, "<html>moved</html>")
	b.Files[0].SHA256 = digestOf(t, at)
	if err := b.Apply(ctx, h.Host); err == nil || !strings.Contains(err.Error(), "extra_1.0_all.deb of repo_url_packages cannot be in the index, it is no package") {
		t.Errorf("a page in place of a package: error %v", err)
	}
	if got := tree(t, dir); got["Packages"] != before["Packages"] || got["extra_1.0_all.deb"] != before["extra_1.0_all.deb"] {
		t.Error("the repository changed")
	}
	converge(t, newHost(), u.build(t, dir, "app", "tool"), "change: lacks tool: extra 1.1→ tool →1.0")
	if _, err := os.Stat(filepath.Join(dir, "extra_1.0_all.deb")); err == nil {
		t.Error("what is not asked for any more stays")
	}
}

// What an earlier version put in without telling anybody gets into the index.
func TestPackageByURLThatIsNotIndexed(t *testing.T) {
	u, h, dir := newUpstream(t), newHost(), filepath.Join(t.TempDir(), "pigsty")
	u.publish(t, "app 1.0")
	handmade(t, filepath.Join(u.dir, "extra.deb"), extraFields)
	b := u.build(t, dir, "app")
	b.Files = []repo.File{{Name: "extra", URL: u.url + "/extra.deb"}}
	converge(t, h, b, "create: does not exist: 1 packages, 0.0 MB")
	b.Files[0].Name = "extra.deb"
	converge(t, h, b, "change: lacks extra.deb:")
	lock, err := os.ReadFile(filepath.Join(dir, repo.LockFile))
	if err != nil {
		t.Fatal(err)
	}
	bare := strings.Replace(string(lock), `"version":"1.0","arch":"all","file":"extra.deb"`, `"file":"extra.deb"`, 1)
	if bare == string(lock) {
		t.Fatalf("the lock does not have the package:\n%s", lock)
	}
	write(t, filepath.Join(dir, repo.LockFile), bare)
	converge(t, h, b, "change: extra.deb is not in the index:")
	if got := version(t, dir, "extra"); !strings.HasPrefix(got, "1.0 extra.deb ") {
		t.Errorf("the lock has %q", got)
	}
}

// A package for dnf by URL must have a signature that clients can verify.
func TestPackagesForDnfByURL(t *testing.T) {
	u, h, dir := newYum(t), newRocky(), filepath.Join(t.TempDir(), "pigsty")
	u.publish(t, "app 1.0-1")
	writeRPM(t, u.dir, "ours 1.0-1", keys()[1])
	writeRPM(t, u.dir, "unsigned 1.0-1", nil)
	file := func(name string) []repo.File { return []repo.File{{Name: name, URL: u.url + "/" + name}} }
	b := u.build(t, dir, "app")
	b.Files = file("ours-1.0-1.x86_64.rpm")
	converge(t, h, b, "create: does not exist: 1 packages, 0.0 MB")
	if got, want := version(t, dir, "ours"), "1.0-1 ours-1.0-1.x86_64.rpm "+u.url+"/ours-1.0-1.x86_64.rpm"; got != want {
		t.Errorf("the lock has %q, not %q", got, want)
	}
	listed, err := os.ReadFile(filepath.Join(dir, repo.PackageKeys))
	if err != nil || strings.Count(string(listed), "BEGIN PGP") != 2 {
		t.Errorf("clients get other keys than those of app and ours: %v\n%s", err, listed)
	}
	b.Files = file("unsigned-1.0-1.x86_64.rpm")
	if err := b.Apply(ctx, h.Host); err == nil || !strings.Contains(err.Error(), "cannot be in the index, no key that is known has signed it") {
		t.Errorf("a package that nobody signed: error %v", err)
	}
}
