package repo_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"pigsty/internal/repo"
	"pigsty/internal/repo/pgp"
	"pigsty/internal/repo/want"
	"pigsty/internal/resource"
)

// What an earlier build left in another state does not pass for the package.
func TestDamagedStagedPackage(t *testing.T) {
	u, h, dir := newUpstream(t), newHost(), filepath.Join(t.TempDir(), "pigsty")
	u.publish(t, "app 1.0")
	stage := filepath.Join(filepath.Dir(dir), ".pigsty.new")
	if err := os.Mkdir(stage, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(stage, "app_1.0_amd64.deb"), "damaged")
	converge(t, h, u.build(t, dir, "app"), "create: does not exist: 1 packages, 0.0 MB")
	if got := tree(t, dir)["app_1.0_amd64.deb"]; got != "content of app 1.0" {
		t.Errorf("the repository has %q", got)
	}
}

// An index on disk counts only as long as it is what its table of contents says.
func TestDamagedIndex(t *testing.T) {
	u, h, dir := newUpstream(t), newHost(), filepath.Join(t.TempDir(), "pigsty")
	u.publish(t, "app 1.0")
	converge(t, h, u.build(t, dir, "app"), "create: does not exist: 1 packages, 0.0 MB")
	for _, name := range []string{"Packages", "Packages.gz"} {
		write(t, filepath.Join(dir, name), tree(t, dir)[name]+"\n")
		converge(t, h, u.build(t, dir, "app"), "change: the index is not what was signed:")
	}
}

// A password in the URL of an upstream shows nowhere.
func TestPasswordsAreNotShown(t *testing.T) {
	u, h, dir := newUpstream(t), newHost(), filepath.Join(t.TempDir(), "pigsty")
	u.publish(t, "app 1.0")
	b := u.build(t, dir, "app")
	b.Upstreams[0].URL = strings.Replace(b.Upstreams[0].URL, "http://", "http://user:geheim@", 1)
	b.Upstreams[0].Name = ""
	b.Files = []repo.File{{Name: "extra", URL: strings.Replace(u.url, "http://", "http://user:geheim@", 1) + "/Packages"}}
	converge(t, h, b, "create: does not exist: 1 packages, 0.0 MB")
	for name, text := range tree(t, dir) {
		if strings.Contains(text, "geheim") {
			t.Errorf("%s has the password", name)
		}
	}
	b.Upstreams[0].URL = strings.TrimSuffix(b.Upstreams[0].URL, "./") + "elsewhere/ ./"
	b.Update = true
	if _, err := b.Diff(ctx, h.Host); err == nil || strings.Contains(err.Error(), "geheim") {
		t.Errorf("error %v", err)
	}
	b.Upstreams[0].URL = "http://user:geheim@example.org"
	if _, err := b.Diff(ctx, h.Host); err == nil || strings.Contains(err.Error(), "geheim") {
		t.Errorf("error %v", err)
	}
}

// A disk without room is said before anything is downloaded, or where it ends,
// and the repository that is there stays.
func TestDiskIsFull(t *testing.T) {
	u, h, top := newUpstream(t), newHost(), t.TempDir()
	if err := unix.Mount("tmpfs", top, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a small file system cannot be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(top, 0); err != nil {
			t.Error(err)
		}
	})
	dir := filepath.Join(top, "pigsty")
	u.publish(t, "app 1.0")
	converge(t, h, u.build(t, dir, "app"), "create: does not exist: 1 packages, 0.0 MB")
	before := tree(t, dir)

	u.publish(t, "app 1.0", "big 1.0; X-Filler: "+strings.Repeat("x", 2<<20))
	u.asked()
	err := u.build(t, dir, "app", "big").Apply(ctx, h.Host)
	if err == nil || !strings.Contains(err.Error(), "the packages to download take 2.1 MB, and "+top+" has room for") || u.asked() != "" {
		t.Errorf("no room for a package: error %v", err)
	}
	filler := filepath.Join(top, "filler")
	_ = os.WriteFile(filler, make([]byte, 2<<20), 0o644) // until there is no room at all
	u.publish(t, "app 2.0")
	newest := u.build(t, dir, "app")
	newest.Update = true
	if err := newest.Apply(ctx, h.Host); err == nil || !strings.Contains(err.Error(), "room") && !strings.Contains(err.Error(), "no space left on device") {
		t.Errorf("no room at all: error %v", err)
	}
	if d := cmp.Diff(before, tree(t, dir)); d != "" {
		t.Errorf("the repository changed:\n%s", d)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	converge(t, h, newest, "change: upstreams have other versions: app 1.0→2.0")
}

// Of TestKilledBuild, which runs this test in processes of its own.
const (
	envDir      = "PIGSTY_TEST_BUILD_DIR"
	envUpstream = "PIGSTY_TEST_BUILD_UPSTREAM"
	envKeys     = "PIGSTY_TEST_BUILD_KEYS"
)

func TestBuildOfAnotherProcess(t *testing.T) {
	dir := os.Getenv(envDir)
	if dir == "" {
		t.Skip("TestKilledBuild runs it")
	}
	b, h := killable(t, dir, os.Getenv(envUpstream), os.Getenv(envKeys))
	b.Update = true
	if err := b.Apply(ctx, h); err != nil {
		t.Fatal(err)
	}
}

// A build that is killed at any moment leaves the old repository, whole, or the
// new one, and the next build ends with the new one.
func TestKilledBuild(t *testing.T) {
	files := &slow{}
	u := newUpstream(t)
	files.next = http.FileServer(http.Dir(u.dir))
	srv := httptest.NewServer(files)
	defer srv.Close()
	dir, keyDir := filepath.Join(t.TempDir(), "pigsty"), t.TempDir()
	state := func(version string) {
		lines := []string{}
		for i := range 12 {
			lines = append(lines, fmt.Sprintf("app%d %s; X-Filler: %s", i, version, strings.Repeat(version, 5000)))
		}
		u.publish(t, lines...)
	}
	write(t, filepath.Join(keyDir, "upstream.asc"), string(public(t, keys()[0])))
	b, h := killable(t, dir, srv.URL, keyDir)
	state("1")
	if err := b.Apply(ctx, h); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	served := make(chan error, 1)
	go func() { served <- watch(dir, done) }()
	state("2")
	files.pause.Store(int64(20 * time.Millisecond))
	killed := 0
	began := time.Now()
	if err := buildProcess(dir, srv.URL, keyDir, 0); err != nil { // how long one takes
		t.Fatal(err)
	}
	whole := time.Since(began)
	for n := range 8 {
		state(fmt.Sprint(3 + n))
		if buildProcess(dir, srv.URL, keyDir, rand.N(whole*5/4)) != nil {
			killed++
		}
		if _, err := os.Stat(filepath.Join(dir, repo.Complete)); err != nil {
			t.Errorf("after a kill: %v", err)
		}
	}
	files.pause.Store(0)
	b.Update = true
	if err := b.Apply(ctx, h); err != nil {
		t.Fatal(err)
	}
	close(done)
	if err := <-served; err != nil {
		t.Error(err)
	}
	b, h = killable(t, dir, srv.URL, keyDir)
	b.Update = true
	if c, err := b.Diff(ctx, h); err != nil || !c.Empty() {
		t.Errorf("in the end: %+v, error %v", c, err)
	}
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), ".*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	t.Logf("killed %d of 8 builds of %v", killed, whole.Round(time.Millisecond))
}

// slow serves files after a pause.
type slow struct {
	next  http.Handler
	pause atomic.Int64
}

func (s *slow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	time.Sleep(time.Duration(s.pause.Load()))
	s.next.ServeHTTP(w, r)
}

// killable returns a build whose keys lie in a directory, for other processes.
func killable(t *testing.T, dir, upstream, keyDir string) (*repo.Build, *resource.Host) {
	t.Helper()
	key, _, err := pgp.OpenOrCreate(keyDir, "test")
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := os.ReadFile(filepath.Join(keyDir, "upstream.asc"))
	if err != nil {
		t.Fatal(err)
	}
	b := &repo.Build{Dir: dir, PublicKey: public(t, key), Upstreams: []repo.Upstream{{Name: "up", URL: upstream + " ./", Key: string(trusted)}}}
	for i := range 12 {
		b.Wants = append(b.Wants, want.Package{Name: fmt.Sprintf("app%d", i), For: "repo_packages"})
	}
	h := newHost()
	h.Master.Signer = func(_ string, request []byte) ([]byte, error) { return repo.Sign(key, request) }
	return b, h.Host
}

// buildProcess builds in a process of its own, which is killed after a while
// unless that is 0.
func buildProcess(dir, upstream, keyDir string, after time.Duration) error {
	c, cancel := context.WithCancel(ctx)
	if after > 0 {
		c, cancel = context.WithTimeout(ctx, after)
	}
	defer cancel()
	p := exec.CommandContext(c, os.Args[0], "-test.run", "^TestBuildOfAnotherProcess$") // killed with SIGKILL
	p.Env = append(os.Environ(), envDir+"="+dir, envUpstream+"="+upstream, envKeys+"="+keyDir)
	out, err := p.CombinedOutput()
	if err != nil && c.Err() == nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return err
}

// watch reads the repository over and over, as clients do, until done is
// closed, and returns an error if it was not whole at some moment.
func watch(dir string, done <-chan struct{}) error {
	for {
		select {
		case <-done:
			return nil
		default:
		}
		handle, err := os.Open(dir) // what is read belongs to one state
		if err != nil {
			return fmt.Errorf("the repository was gone: %w", err)
		}
		release, errRelease := readAt(handle, "InRelease")
		index, errIndex := readAt(handle, "Packages")
		handle.Close()
		if errRelease != nil || errIndex != nil {
			continue // it was replaced and removed in between
		}
		if sum := sha256.Sum256(index); !bytes.Contains(release, []byte(hex.EncodeToString(sum[:]))) {
			return errors.New("an index was served that is not what InRelease says")
		}
		time.Sleep(time.Millisecond)
	}
}

func readAt(dir *os.File, name string) ([]byte, error) {
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	return io.ReadAll(f)
}
