package repo_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pigsty/internal/repo"
	"pigsty/internal/repo/deb"
	"pigsty/internal/repo/pgp"
	"pigsty/internal/repo/want"
	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

var ctx = context.Background()

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

func public(t *testing.T, k *pgp.Key) []byte {
	t.Helper()
	text, err := k.Public()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// upstream is an apt repository on a server, signed with keys()[0].
type upstream struct {
	dir string
	url string
	mu  sync.Mutex
	got []string // paths of package files that were asked for
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	u := &upstream{dir: t.TempDir()}
	files := http.FileServer(http.Dir(u.dir))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".deb") {
			u.mu.Lock()
			u.got = append(u.got, filepath.Base(r.URL.Path))
			u.mu.Unlock()
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	u.url = srv.URL
	return u
}

// publish replaces what the upstream has: name and version, and further fields after semicolons.
func (u *upstream) publish(t *testing.T, packages ...string) {
	t.Helper()
	var entries []string
	for _, line := range packages {
		parts := strings.Split(line, "; ")
		name, version, _ := strings.Cut(parts[0], " ")
		file := name + "_" + version + "_amd64.deb"
		content := "content of " + line
		sum := sha256.Sum256([]byte(content))
		entries = append(entries, fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: nobody\nDescription: %s\n%sFilename: ./%s\nSize: %d\nSHA256: %s\n",
			name, version, name, strings.Join(append(parts[1:], ""), "\n"), file, len(content), hex.EncodeToString(sum[:])))
		write(t, filepath.Join(u.dir, file), content)
	}
	index, err := deb.NewIndex("upstream", "amd64", entries, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	signed, err := keys()[0].SignClear(index.Release)
	if err != nil {
		t.Fatal(err)
	}
	index.Files["InRelease"] = signed
	for name, data := range index.Files {
		write(t, filepath.Join(u.dir, name), string(data))
	}
}

// asked returns the package files that were asked for since the last call.
func (u *upstream) asked() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := strings.Join(u.got, " ")
	u.got = nil
	return out
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func newHost() *resourcetest.Host {
	h := resourcetest.New()
	h.Facts.Arch = "x86_64"
	h.Master.Signer = func(_ string, request []byte) ([]byte, error) { return repo.Sign(keys()[1], request) }
	return h
}

func (u *upstream) build(t *testing.T, dir string, wants ...string) *repo.Build {
	b := &repo.Build{
		Dir: dir, PublicKey: public(t, keys()[1]),
		Upstreams: []repo.Upstream{{Name: "up", URL: u.url + " ./", Key: string(public(t, keys()[0]))}},
	}
	for _, w := range wants {
		b.Wants = append(b.Wants, want.Package{Name: w, For: "repo_packages"})
	}
	return b
}

// plan returns what Diff says in one line.
func plan(t *testing.T, h *resourcetest.Host, b *repo.Build) string {
	t.Helper()
	c, err := b.Diff(ctx, h.Host)
	if err != nil {
		t.Fatal(err)
	}
	if c.Empty() {
		return ""
	}
	text := fmt.Sprintf("%s: %s:", c.Action, c.Reason)
	if c.Action == resource.Create {
		text += " " + c.Note
	}
	for _, a := range c.Attrs {
		text += fmt.Sprintf(" %s %s→%s", a.Name, a.Old, a.New)
	}
	return text
}

// converge applies b if its plan is as expected, and expects nothing to do afterwards.
func converge(t *testing.T, h *resourcetest.Host, b *repo.Build, want string) {
	t.Helper()
	if got := plan(t, h, b); got != want {
		t.Errorf("plan %q\nwant %q", got, want)
	}
	if err := b.Apply(ctx, h.Host); err != nil {
		t.Fatal(err)
	}
	if got := plan(t, h, b); got != "" {
		t.Errorf("after it the plan is %q", got)
	}
}

func TestBuild(t *testing.T) {
	u, h, dir := newUpstream(t), newHost(), filepath.Join(t.TempDir(), "pigsty")
	u.publish(t, "app 1.0; Depends: lib (>= 1)", "lib 1.0", "tool 1.0", "other 1.0")
	converge(t, h, u.build(t, dir, "app"), "create: does not exist: 2 packages, 0.0 MB")
	if got := u.asked(); got != "app_1.0_amd64.deb lib_1.0_amd64.deb" && got != "lib_1.0_amd64.deb app_1.0_amd64.deb" {
		t.Errorf("downloaded %s", got)
	}

	u.publish(t, "app 2.0; Depends: lib (>= 1)", "lib 2.0", "tool 1.0")
	if got := plan(t, h, u.build(t, dir, "app")); got != "" {
		t.Errorf("new versions upstream make the plan %q", got)
	}
	converge(t, h, u.build(t, dir, "app", "tool"), "change: lacks tool: tool →1.0")
	if got := u.asked(); got != "tool_1.0_amd64.deb" {
		t.Errorf("downloaded %s", got)
	}

	newest := u.build(t, dir, "app", "tool")
	newest.Update = true
	converge(t, h, newest, "change: upstreams have other versions: app 1.0→2.0 lib 1.0→2.0")
	lock, err := repo.ReadLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, p := range lock.Packages {
		have = append(have, p.Name+" "+p.Version+" "+p.Origin)
	}
	if d := cmp.Diff([]string{"app 2.0 up", "lib 2.0 up", "tool 1.0 up"}, have); d != "" {
		t.Error(d)
	}

	if err := os.Remove(filepath.Join(dir, "lib_2.0_amd64.deb")); err != nil {
		t.Fatal(err)
	}
	converge(t, h, u.build(t, dir, "app", "tool"), "change: lib_2.0_amd64.deb is missing or damaged:")
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), ".*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Whatever goes wrong, the repository that is there stays, and the next build
// uses what was downloaded.
func TestBrokenBuildChangesNothing(t *testing.T) {
	u, h, dir := newUpstream(t), newHost(), filepath.Join(t.TempDir(), "pigsty")
	u.publish(t, "app 1.0")
	converge(t, h, u.build(t, dir, "app"), "create: does not exist: 1 packages, 0.0 MB")
	before := tree(t, dir)
	u.publish(t, "app 1.0", "tool 1.0; Depends: lib", "lib 1.0", "bad 1.0; Depends: none (>= 3)")
	u.asked()

	if _, err := u.build(t, dir, "app", "bad").Diff(ctx, h.Host); err == nil ||
		!strings.Contains(err.Error(), "none (>= 3) is wanted by bad 1.0, by repo_packages, but no upstream has it; up, which bad 1.0 comes from") {
		t.Errorf("what cannot be resolved: error %v", err)
	}
	write(t, filepath.Join(u.dir, "lib_1.0_amd64.deb"), "changed on the way")
	if err := u.build(t, dir, "app", "tool").Apply(ctx, h.Host); err == nil || !strings.Contains(err.Error(), "lib_1.0_amd64.deb") {
		t.Errorf("a wrong file: error %v", err)
	}
	if d := cmp.Diff(before, tree(t, dir)); d != "" {
		t.Errorf("the repository changed:\n%s", d)
	}
	u.publish(t, "app 1.0", "tool 1.0; Depends: lib", "lib 1.0")
	h.Master.Signer = nil
	if err := u.build(t, dir, "app", "tool").Apply(ctx, h.Host); err == nil {
		t.Error("a repository that cannot be signed was built")
	}
	if d := cmp.Diff(before, tree(t, dir)); d != "" {
		t.Errorf("the repository changed:\n%s", d)
	}
	u.asked()
	h.Master.Signer = newHost().Master.Signer
	converge(t, h, u.build(t, dir, "app", "tool"), "change: lacks tool: lib →1.0 tool →1.0")
	if got := u.asked(); got != "" {
		t.Errorf("downloaded again: %s", got)
	}
}

// tree returns the files below dir with their content.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(data)
	}
	return out
}

func TestUpstreamIsVerified(t *testing.T) {
	u, h, dir := newUpstream(t), newHost(), filepath.Join(t.TempDir(), "pigsty")
	u.publish(t, "app 1.0")
	b := u.build(t, dir, "app")
	b.Upstreams[0].Key = string(public(t, keys()[1]))
	if _, err := b.Diff(ctx, h.Host); err == nil || !strings.Contains(err.Error(), "upstream up:") ||
		!strings.Contains(err.Error(), keys()[0].Fingerprint()+": give that key") {
		t.Errorf("signed by another key: error %v", err)
	}
	index := filepath.Join(u.dir, "Packages.gz")
	write(t, index, "something else")
	if _, err := u.build(t, dir, "app").Diff(ctx, h.Host); err == nil || !strings.Contains(err.Error(), "Packages.gz is not what its signed table of contents says") {
		t.Errorf("another index: error %v", err)
	}
}

// A repository of another deployment, as it comes with an offline package, is
// taken over without any upstream.
func TestAnotherDeploymentsRepository(t *testing.T) {
	u, h, dir := newUpstream(t), newHost(), filepath.Join(t.TempDir(), "pigsty")
	u.publish(t, "app 1.0; Depends: lib", "lib 1.0", "tool 1.0")
	first := u.build(t, dir, "app", "tool")
	first.Wants = append(first.Wants, want.Package{Name: "rare", Optional: true}) // which nobody has
	converge(t, h, first, "create: does not exist: 3 packages, 0.0 MB; left out, as no upstream has them: rare")
	lock, _ := repo.ReadLock(dir)

	other := newHost()
	other.Master.Signer = func(_ string, request []byte) ([]byte, error) { return repo.Sign(keys()[0], request) }
	b := u.build(t, dir, "app")
	b.Wants = append(b.Wants, want.Package{Name: "rare", Optional: true})
	b.PublicKey, b.Upstreams = public(t, keys()[0]), nil
	converge(t, other, b, "change: not signed with this deployment's key: tool 1.0→")
	after, _ := repo.ReadLock(dir)
	if d := cmp.Diff(lock.Upstreams, after.Upstreams); d != "" {
		t.Errorf("the upstreams are lost: %s", d)
	}
}

// What apt makes of a built repository.
func TestAptAccepts(t *testing.T) {
	apt, err := exec.LookPath("apt-get")
	if err != nil {
		t.Skip("apt-get is not installed")
	}
	u, h, top := newUpstream(t), newHost(), t.TempDir()
	dir := filepath.Join(top, "www", "pigsty")
	if err := os.Mkdir(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	u.publish(t, "app 1:1.0~rc1+dfsg-1; Depends: lib", "lib 1.0")
	converge(t, h, u.build(t, dir, "app"), "create: does not exist: 2 packages, 0.0 MB")
	srv := httptest.NewServer(http.FileServer(http.Dir(filepath.Dir(dir))))
	defer srv.Close()

	root := filepath.Join(top, "root")
	for _, d := range []string{"etc/apt/sources.list.d", "etc/apt/preferences.d", "etc/apt/apt.conf.d", "etc/apt/trusted.gpg.d",
		"var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/lib/dpkg"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(root, "var/lib/dpkg/status"), "")
	write(t, filepath.Join(root, "key.asc"), string(public(t, keys()[1])))
	write(t, filepath.Join(root, "etc/apt/sources.list"), "deb [signed-by="+root+"/key.asc] "+srv.URL+"/pigsty ./\n")
	run := func(args ...string) (string, error) {
		c := exec.Command(apt, append([]string{"-o", "Dir=" + root, "-o", "Dir::State::status=" + root + "/var/lib/dpkg/status", "-o", "APT::Architecture=amd64",
			"-o", "APT::Architectures=amd64", "-o", "APT::Sandbox::User=root", "-o", "APT::Update::Error-Mode=any"}, args...)...)
		c.Dir, c.Env = root, append(os.Environ(), "LC_ALL=C", "APT_CONFIG=/dev/null")
		out, err := c.CombinedOutput()
		return string(out), err
	}
	if out, err := run("update"); err != nil {
		t.Fatalf("apt-get update: %v\n%s", err, out)
	}
	if out, err := run("install", "-y", "--download-only", "app"); err != nil {
		t.Fatalf("apt-get install: %v\n%s", err, out)
	}
	got, _ := filepath.Glob(filepath.Join(root, "var/cache/apt/archives/*.deb"))
	if len(got) != 2 {
		t.Errorf("apt downloaded %v", got)
	}
	write(t, filepath.Join(root, "key.asc"), string(public(t, keys()[0])))
	if out, err := run("update"); err == nil {
		t.Errorf("apt takes a repository that another key signed:\n%s", out)
	}
}
