package repo_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/google/go-cmp/cmp"
	"github.com/google/rpmpack"

	"pigsty/internal/repo"
	"pigsty/internal/repo/pgp"
	"pigsty/internal/repo/rpm"
	"pigsty/internal/repo/want"
	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

// yum is a repository of dnf on a server. Its packages are signed with keys()[0],
// its index too unless unsigned is set.
type yum struct {
	dir, url string
	unsigned bool
}

func newYum(t *testing.T) *yum {
	t.Helper()
	u := &yum{dir: t.TempDir()}
	srv := httptest.NewServer(http.FileServer(http.Dir(u.dir)))
	t.Cleanup(srv.Close)
	u.url = srv.URL
	return u
}

// writeRPM writes a package and returns its path: name, version and release, and
// after semicolons what it requires.
func writeRPM(t testing.TB, dir, line string, key *pgp.Key) string {
	t.Helper()
	parts := strings.Split(line, "; ")
	words := strings.Fields(parts[0])
	version, release, _ := strings.Cut(words[1], "-")
	p, err := rpmpack.NewRPM(rpmpack.RPMMetaData{Name: words[0], Version: version, Release: release, Arch: "x86_64", Epoch: rpmpack.NoEpoch, Compressor: "gzip"})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range parts[1:] {
		if err := p.Requires.Set(r); err != nil {
			t.Fatal(err)
		}
	}
	p.AddFile(rpmpack.RPMFile{Name: "/usr/share/" + words[0], Body: []byte(line), Mode: 0o100644, Owner: "root", Group: "root", MTime: 1700000000})
	if key != nil {
		p.SetPGPSigner(func(data []byte) ([]byte, error) {
			text, err := key.SignDetached(data)
			if err != nil {
				return nil, err
			}
			block, err := armor.Decode(bytes.NewReader(text))
			if err != nil {
				return nil, err
			}
			return io.ReadAll(block.Body)
		})
	}
	path := filepath.Join(dir, fmt.Sprintf("%s-%s-%s.x86_64.rpm", words[0], version, release))
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Write(out); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// publish replaces what the upstream has.
func (u *yum) publish(t *testing.T, packages ...string) {
	t.Helper()
	old, _ := filepath.Glob(filepath.Join(u.dir, "*"))
	for _, f := range old {
		_ = os.RemoveAll(f)
	}
	var files []*rpm.File
	ring := &pgp.Keyring{}
	if err := ring.Add(public(t, keys()[0])); err != nil {
		t.Fatal(err)
	}
	for _, line := range packages {
		path := writeRPM(t, u.dir, line, keys()[0])
		f, _, err := rpm.OpenFile(path, filepath.Base(path), digestOf(t, path), ring)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	u.index(t, files)
}

func (u *yum) index(t *testing.T, files []*rpm.File) {
	t.Helper()
	m, err := rpm.NewMetadata(files, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(u.dir, "repodata"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range m.Files {
		write(t, filepath.Join(u.dir, name), string(data))
	}
	if !u.unsigned {
		signature, err := keys()[0].SignDetached(m.Repomd)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(u.dir, "repodata/repomd.xml.asc"), string(signature))
	}
}

func newRocky() *resourcetest.Host {
	h := newHost()
	h.Facts = resource.Facts{OS: "rocky", Version: "9.6", Codename: "el9", Family: "rpm", Arch: "x86_64"}
	return h
}

func (u *yum) build(t *testing.T, dir string, wants ...string) *repo.Build {
	b := &repo.Build{Dir: dir, PublicKey: public(t, keys()[1]),
		Upstreams: []repo.Upstream{{Name: "up", URL: u.url, Key: string(public(t, keys()[0]))}}}
	for _, w := range wants {
		b.Wants = append(b.Wants, want.Package{Name: w, For: "repo_packages"})
	}
	return b
}

func TestBuildForDnf(t *testing.T) {
	u, h, dir := newYum(t), newRocky(), filepath.Join(t.TempDir(), "pigsty")
	u.publish(t, "app 1.0-1; lib >= 1", "lib 1.0-1", "tool 1.0-1", "other 1.0-1")
	converge(t, h, u.build(t, dir, "app"), "create: does not exist: 2 packages, 0.0 MB")

	u.publish(t, "app 2.0-1; lib >= 1", "lib 2.0-1", "tool 1.0-1")
	if got := plan(t, h, u.build(t, dir, "app")); got != "" {
		t.Errorf("new versions upstream make the plan %q", got)
	}
	converge(t, h, u.build(t, dir, "app", "tool"), "change: lacks tool: tool →1.0-1")
	newest := u.build(t, dir, "app", "tool")
	newest.Update = true
	converge(t, h, newest, "change: upstreams have other versions: app 1.0-1→2.0-1 lib 1.0-1→2.0-1")
	lock, err := repo.ReadLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, p := range lock.Packages {
		have = append(have, p.File+" "+p.Origin)
	}
	if d := cmp.Diff([]string{"app-2.0-1.x86_64.rpm up", "lib-2.0-1.x86_64.rpm up", "tool-1.0-1.x86_64.rpm up"}, have); d != "" {
		t.Error(d)
	}
	if lock.System != "rocky 9 x86_64" || len(lock.Upstreams) != 1 || lock.Upstreams[0].Signer != keys()[0].Fingerprint() {
		t.Errorf("system %q, upstreams %v", lock.System, lock.Upstreams)
	}
	if err := os.Remove(filepath.Join(dir, "lib-2.0-1.x86_64.rpm")); err != nil {
		t.Fatal(err)
	}
	converge(t, h, u.build(t, dir, "app", "tool"), "change: lib-2.0-1.x86_64.rpm is missing or damaged:")
	found, _ := filepath.Glob(filepath.Join(dir, "repodata/*-filelists.xml.gz"))
	write(t, found[0], "damaged")
	converge(t, h, u.build(t, dir, "app", "tool"), "change: the index is not what was signed:")
}

// A repository for another release than the host's takes the packages of that.
func TestBuildForAnotherRelease(t *testing.T) {
	u, h, dir := newYum(t), newRocky(), filepath.Join(t.TempDir(), "pigsty-el8")
	u.publish(t, "app 8.0-1.el8")
	if err := os.MkdirAll(filepath.Join(u.dir, "8"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"repodata", "app-8.0-1.el8.x86_64.rpm"} {
		if err := os.Rename(filepath.Join(u.dir, name), filepath.Join(u.dir, "8", name)); err != nil {
			t.Fatal(err)
		}
	}
	b := u.build(t, dir, "app")
	b.Upstreams[0].URL += "/$releasever"
	b.For = repo.System{OS: "rocky", Version: "8.10", Codename: "el8", Family: "rpm", Arch: "x86_64"}
	converge(t, h, b, "create: does not exist: 1 packages, 0.0 MB")
	if lock, err := repo.ReadLock(dir); err != nil || lock.System != "rocky 8 x86_64" {
		t.Errorf("lock %v, error %v", lock, err)
	}
	b.For = repo.System{}
	if _, err := b.Diff(ctx, h.Host); err == nil || !strings.Contains(err.Error(), "is for rocky 8 x86_64, and is to be for rocky 9 x86_64: remove it") {
		t.Errorf("for the host itself: error %v", err)
	}
}

// What upstreams have wrong is an error that names it, and the repository stays.
func TestRefusedForDnf(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, u *yum, b *repo.Build)
		err    string
	}{
		"nobody has it":         {func(t *testing.T, u *yum, _ *repo.Build) { u.publish(t, "app 2-1; none >= 3") }, "none >= 3 is wanted by app 2-1, by repo_packages, but no upstream has it; up, which app 2-1 comes from, or what it builds upon should"},
		"another key's index":   {func(t *testing.T, _ *yum, b *repo.Build) { b.Upstreams[0].Key = string(public(t, keys()[1])) }, "upstream up: "},
		"the file is not there": {func(t *testing.T, u *yum, _ *repo.Build) { u.publish(t, "app 2-1"); u.remove(t, "app-2-1.x86_64.rpm") }, "there is no "},
		"the file is another one": {func(t *testing.T, u *yum, _ *repo.Build) {
			u.publish(t, "app 2-1")
			writeRPM(t, u.dir, "app 2-1; x", keys()[0])
		}, "app-2-1.x86_64.rpm: it has"},
		"the package of another key": {func(t *testing.T, u *yum, _ *repo.Build) {
			u.unsigned = true
			u.publish(t)
			u.index(t, []*rpm.File{signedBy(t, u.dir, "app 2-1", keys()[1])})
		}, "a package of up: "},
		"no key": {func(_ *testing.T, _ *yum, b *repo.Build) { b.Upstreams[0].Key = "/none" }, "upstream up: its key /none"},
		"no URL": {func(_ *testing.T, _ *yum, b *repo.Build) {
			b.Upstreams[0].URL = "http://user:geheim@example.org/$unknown/"
		}, "upstream up: baseurl \"http://example.org/$unknown/\" is not the URL"},
	} {
		t.Run(name, func(t *testing.T) {
			u, h, dir := newYum(t), newRocky(), filepath.Join(t.TempDir(), "pigsty")
			u.publish(t, "app 1-1")
			converge(t, h, u.build(t, dir, "app"), "create: does not exist: 1 packages, 0.0 MB")
			before := tree(t, filepath.Join(dir, "repodata"))
			b := u.build(t, dir, "app")
			b.Update = true
			c.change(t, u, b)
			if err := b.Apply(ctx, h.Host); err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "geheim") {
				t.Errorf("error %v\nwant %s", err, c.err)
			}
			if d := cmp.Diff(before, tree(t, filepath.Join(dir, "repodata"))); d != "" {
				t.Errorf("the repository changed:\n%s", d)
			}
		})
	}
}

func (u *yum) remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(u.dir, name)); err != nil {
		t.Fatal(err)
	}
}

func signedBy(t *testing.T, dir, line string, key *pgp.Key) *rpm.File {
	t.Helper()
	path := writeRPM(t, dir, line, key)
	ring := &pgp.Keyring{}
	if err := ring.Add(public(t, key)); err != nil {
		t.Fatal(err)
	}
	f, _, err := rpm.OpenFile(path, filepath.Base(path), digestOf(t, path), ring)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A repository for dnf goes into an offline package with its index.
func TestPackForDnf(t *testing.T) {
	u, h, dir := newYum(t), newRocky(), filepath.Join(t.TempDir(), "pigsty")
	u.publish(t, "app 1-1; lib", "lib 1-1")
	converge(t, h, u.build(t, dir, "app"), "create: does not exist: 2 packages, 0.0 MB")
	binary := filepath.Join(t.TempDir(), "program")
	write(t, binary, "program")
	var packed bytes.Buffer
	if err := repo.Pack(&packed, dir, binary); err != nil {
		t.Fatal(err)
	}
	there := filepath.Join(t.TempDir(), "pigsty")
	if _, err := repo.Unpack(bytes.NewReader(packed.Bytes()), there, "", false); err != nil {
		t.Fatal(err)
	}
	b := u.build(t, there, "app")
	if got := plan(t, h, b); got != "" {
		t.Errorf("what was unpacked is to be changed: %s", got)
	}
	// Another deployment takes it over without any upstream.
	other := newRocky()
	other.Master.Signer = func(_ string, request []byte) ([]byte, error) { return repo.Sign(keys()[0], request) }
	b.PublicKey, b.Upstreams = public(t, keys()[0]), nil
	converge(t, other, b, "change: not signed with this deployment's key:")
}

// Hosts get the keys of upstreams from the repository, if the deployment vouches for them.
func TestTrust(t *testing.T) {
	u, h, dir := newYum(t), newRocky(), filepath.Join(t.TempDir(), "pigsty")
	trust := &repo.Trust{URL: "file://" + dir, PublicKey: public(t, keys()[1])}
	known := ""
	h.Shell.Answer = func(c resource.Command) ([]byte, error) {
		if c.Args[1] == "--import" {
			text, err := os.ReadFile(c.Args[2])
			ring := &pgp.Keyring{}
			if err == nil {
				err = ring.Add(text)
			}
			if err != nil {
				return nil, err
			}
			known = strings.ToLower(ring.Fingerprints()[0][32:]) + "\n"
			return nil, nil
		}
		if known == "" {
			return nil, &resource.CommandError{Args: c.Args, Code: 1}
		}
		return []byte(known), nil
	}
	if c, err := trust.Diff(ctx, h.Host); err != nil || c.Unknown != "the repository is built" {
		t.Errorf("before it is built: %+v, error %v", c, err)
	}
	down := &repo.Trust{URL: "http://127.0.0.1:1/pigsty", PublicKey: trust.PublicKey}
	if c, err := down.Diff(ctx, h.Host); err != nil || c.Unknown != "the repository is built" {
		t.Errorf("a new host, whose infra node is down: %+v, error %v", c, err)
	}
	h.Disk.Put("/etc/yum.repos.d/local.repo", "[local]\n")
	if c, err := down.Diff(ctx, h.Host); err != nil || !c.Empty() || !strings.HasPrefix(c.Skipped, "the repository does not answer") {
		t.Errorf("a host that has used it, whose infra node is down: %+v, error %v", c, err)
	}
	u.publish(t, "app 1-1")
	converge(t, h, u.build(t, dir, "app"), "create: does not exist: 1 packages, 0.0 MB")
	c, err := trust.Diff(ctx, h.Host)
	if err != nil || len(c.Attrs) != 1 || c.Attrs[0].Name != strings.ToLower(keys()[0].Fingerprint()) {
		t.Fatalf("change %+v, error %v", c, err)
	}
	if err := trust.Apply(ctx, h.Host); err != nil {
		t.Fatal(err)
	}
	if c, err := trust.Diff(ctx, h.Host); err != nil || !c.Empty() {
		t.Errorf("again: %+v, error %v", c, err)
	}
	write(t, filepath.Join(dir, repo.PackageKeys), string(slices.Concat(public(t, keys()[0]), public(t, keys()[1]))))
	if _, err := trust.Diff(ctx, h.Host); err == nil || !strings.Contains(err.Error(), "cannot be trusted") {
		t.Errorf("keys that nobody vouches for: error %v", err)
	}
}

func digestOf(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
