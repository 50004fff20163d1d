package host

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pigsty/internal/resource"
)

func TestParsePolicy(t *testing.T) {
	got := parsePolicy(`etcd-server:
  Installed: (none)
  Candidate: 3.5.16-4
  Version table:
     3.5.16-4 500
        500 http://mirror trixie/main amd64 Packages
virtual:
  Installed: (none)
  Candidate: (none)
  Version table:
`)
	if want := map[string]string{"etcd-server": "3.5.16-4"}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestParseStatus(t *testing.T) {
	const text = `Package: etcd-server
Status: install ok installed
Architecture: amd64
Version: 3.5-1
Description: x
 Version: 9 in a description

Package: removed
Status: deinstall ok config-files
Architecture: all
Version: 1
`
	got, broken, err := parseStatus(bufio.NewScanner(strings.NewReader(text)))
	if want := map[string]string{"etcd-server": "3.5-1", "etcd-server:amd64": "3.5-1"}; err != nil || broken || !maps.Equal(got, want) {
		t.Errorf("got %v, %v, %v; want %v", got, broken, err, want)
	}
	_, broken, _ = parseStatus(bufio.NewScanner(strings.NewReader("Package: x\nStatus: install ok half-configured\n")))
	if !broken {
		t.Error("a half-configured package is no interruption")
	}
}

func TestAptError(t *testing.T) {
	err := aptError(&resource.CommandError{Args: []string{"apt-get"}, Code: 100,
		Output: "Reading package lists...\nErr:1 http://m x 1\n  404  Not Found\nE: Failed to fetch http://m/x.deb  404  Not Found\n"})
	if !errors.Is(err, resource.ErrFetch) || strings.Contains(err.Error(), "Reading") {
		t.Errorf("a missing file: %v", err)
	}
	err = aptError(&resource.CommandError{Args: []string{"apt-get"}, Code: 100, Output: "dpkg: error processing package x\n"})
	if errors.Is(err, resource.ErrFetch) {
		t.Errorf("a failing script: %v", err)
	}
	if aptError(nil) != nil {
		t.Error("an error from nothing")
	}
}

func TestForbidStarts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy-rc.d")
	read := func() string { data, _ := os.ReadFile(file); return string(data) }
	write := func(s string) {
		if err := os.WriteFile(file, []byte(s), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cycle := func() {
		t.Helper()
		restore, err := forbidStarts(file)
		if err != nil {
			t.Fatal(err)
		}
		if s := read(); !strings.Contains(s, fmt.Sprintf("/proc/%d ", os.Getpid())) || !strings.Contains(s, "exit 101") {
			t.Errorf("during the transaction: %s", s)
		}
		if err := restore(); err != nil {
			t.Fatal(err)
		}
	}
	cycle()
	if _, err := os.Stat(file); err == nil {
		t.Error("ours is still there")
	}
	write("#!/bin/sh\nexit 0\n")
	cycle()
	if read() != "#!/bin/sh\nexit 0\n" {
		t.Errorf("somebody else's became %q", read())
	}
	if _, err := forbidStarts(file); err != nil { // and the agent is killed
		t.Fatal(err)
	}
	cycle()
	if read() != "#!/bin/sh\nexit 0\n" {
		t.Errorf("after a crash somebody else's became %q", read())
	}
}

func TestIdentify(t *testing.T) {
	for _, c := range []struct{ release, want string }{
		{"ID=debian\nVERSION_ID=\"13\"\nVERSION_CODENAME=trixie\n", "debian 13 trixie deb"},
		{"ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\nVERSION_CODENAME=noble\n", "ubuntu 24.04 noble deb"},
		{"ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.5\"\n", "rocky 9.5 el9 rpm"},
		{"ID=\"almalinux\"\nID_LIKE=\"rhel\"\nVERSION_ID=\"10\"\n", "almalinux 10 el10 rpm"},
	} {
		var f resource.Facts
		identify(&f, c.release)
		if got := f.OS + " " + f.Version + " " + f.Codename + " " + f.Family; got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestLimits(t *testing.T) {
	const status = "Name:\tsystemd\nCapEff:\t000001ffffffffff\nCapBnd:\t000001fffeffffff\n"
	if capable(status, unix.CAP_SYS_RESOURCE) { // bit 24 is missing from the bounding set
		t.Error("capable without the bounding set")
	}
	if !capable(status, unix.CAP_SYS_ADMIN) {
		t.Error("not capable of what both sets have")
	}
	n, ok := hardLimit("Limit   Soft Limit  Hard Limit  Units\nMax open files            1024                 20000                files\n", "Max open files")
	if !ok || n != 20000 {
		t.Errorf("hard limit %d, %v", n, ok)
	}
}

func TestParseVersions(t *testing.T) {
	got := parseVersions("etcd\t0:3.5-1.el9\npatroni\t1:4.0-2\n\n")
	if want := map[string]string{"etcd": "3.5-1.el9", "patroni": "1:4.0-2"}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestResolved(t *testing.T) {
	dir := t.TempDir()
	link := func(to string) string {
		name := filepath.Join(dir, "resolv.conf")
		_ = os.Remove(name)
		if err := os.Symlink(to, name); err != nil {
			t.Fatal(err)
		}
		return name
	}
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		file    string
		servers []string
		want    bool
	}{
		{plain, []string{"10.0.0.1"}, false},
		{plain, []string{"127.0.0.53"}, true},
		{plain, []string{"127.0.0.53", "10.0.0.1"}, false},
		{link(plain), []string{"10.0.0.1"}, false},
		{filepath.Join(dir, "none"), nil, false},
	} {
		if got := resolved(c.file, c.servers); got != c.want {
			t.Errorf("%s with %v: %v, want %v", filepath.Base(c.file), c.servers, got, c.want)
		}
	}
}

// TestGatherUser checks that facts say who is connected, by the host's own accounts.
func TestGatherUser(t *testing.T) {
	t.Setenv("SUDO_USER", "root")
	f, err := Gather()
	if err != nil {
		t.Skip(err)
	}
	if f.User != "root" || f.Home == "" || f.Group != "root" {
		t.Errorf("connected as %s of %s, at home in %s", f.User, f.Group, f.Home)
	}
}
