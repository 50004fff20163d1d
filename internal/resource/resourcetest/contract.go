package resourcetest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"
	"time"

	"pigsty/internal/resource"
)

// contractDir is where RunContract works; it is removed afterwards.
const contractDir = "/tmp/pigsty-contract"

// RunContract checks what resources rely on in a host's Files and, unless they
// are nil, Accounts. newHost is called once for each case; the hosts may be the
// same one.
func RunContract(t *testing.T, newHost func(t *testing.T) *resource.Host) {
	for _, c := range filesContract {
		t.Run("files/"+c.name, func(t *testing.T) {
			h := newHost(t)
			if err := h.Files.RemoveAll(contractDir); err != nil {
				t.Fatal(err)
			}
			if err := h.Files.Mkdir(contractDir, 0o700, resource.Owner{}); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = h.Files.RemoveAll(contractDir) })
			c.run(t, h.Files)
		})
	}
	t.Run("accounts", func(t *testing.T) {
		h := newHost(t)
		if h.Accounts == nil {
			t.Skip("this host's accounts are not for tests")
		}
		runAccounts(t, h)
	})
}

var root = resource.Owner{User: "root", Group: "root"}

var filesContract = []struct {
	name string
	run  func(t *testing.T, f resource.Files)
}{
	{"write and read", func(t *testing.T, f resource.Files) {
		p := contractDir + "/a"
		began := time.Now().Add(-time.Second)
		check(t, f.Write(p, []byte("one"), 0o640, resource.Owner{}))
		check(t, f.Write(p, []byte("second"), 0o750, resource.Owner{}))
		expect(t, text(f, p), "second")
		info, err := f.Stat(p)
		check(t, err)
		expect(t, info.Mode.IsRegular(), true)
		expect(t, info.Mode.Perm(), 0o750)
		expect(t, info.Owner, root)
		expect(t, info.Size, 6)
		if info.MTime.IsZero() || info.MTime.Year() > began.Year()+1 {
			t.Errorf("modified at %s", info.MTime)
		}
	}},
	{"special bits", func(t *testing.T, f resource.Files) {
		p := contractDir + "/d"
		check(t, f.Mkdir(p, 0o775|fs.ModeSetgid, resource.Owner{}))
		info, err := f.Stat(p)
		check(t, err)
		expect(t, info.Mode, fs.ModeDir|fs.ModeSetgid|0o775)
		check(t, f.Chmod(p, 0o777|fs.ModeSticky))
		info, err = f.Stat(p)
		check(t, err)
		expect(t, info.Mode, fs.ModeDir|fs.ModeSticky|0o777)
	}},
	{"absent", func(t *testing.T, f resource.Files) {
		p := contractDir + "/none"
		_, err := f.Stat(p)
		isAbsent(t, err)
		_, err = f.Read(p)
		isAbsent(t, err)
		_, err = f.List(p)
		isAbsent(t, err)
		isAbsent(t, f.Chmod(p, 0o600))
		isAbsent(t, f.Chown(p, root))
		isAbsent(t, f.Write(p+"/x", nil, 0o600, root))
		check(t, f.Remove(p))
		check(t, f.RemoveAll(p))
	}},
	{"directories", func(t *testing.T, f resource.Files) {
		p := contractDir + "/x/y"
		check(t, f.Mkdir(p, 0o700, resource.Owner{}))
		check(t, f.Mkdir(p, 0o755, resource.Owner{})) // there already: left as it is
		info, err := f.Stat(contractDir + "/x")
		check(t, err)
		expect(t, info.Mode, fs.ModeDir|0o755)
		info, err = f.Stat(p)
		check(t, err)
		expect(t, info.Mode, fs.ModeDir|0o700)
		check(t, f.Write(p+"/b", nil, 0o600, root))
		check(t, f.Write(p+"/a", nil, 0o600, root))
		list, err := f.List(p)
		check(t, err)
		expect(t, fmt.Sprint(list), "[a b]")
		fails(t, f.Remove(p))
		fails(t, f.Write(p, nil, 0o600, root))
		fails(t, f.Mkdir(p+"/a", 0o700, root))
		fails(t, f.Mkdir(p+"/a/b", 0o700, root))
		check(t, f.RemoveAll(contractDir+"/x"))
		_, err = f.Stat(p + "/a")
		isAbsent(t, err)
	}},
	{"links", func(t *testing.T, f resource.Files) {
		check(t, f.Mkdir(contractDir+"/real", 0o755, root))
		p := contractDir + "/link"
		check(t, f.Link(p, "nowhere"))
		check(t, f.Link(p, "real"))
		info, err := f.Stat(p)
		check(t, err)
		expect(t, info.Mode&fs.ModeSymlink != 0, true)
		expect(t, info.Target, "real")
		check(t, f.Write(p+"/in", []byte("x"), 0o644, root))
		expect(t, text(f, contractDir+"/real/in"), "x")
		check(t, f.Mkdir(p, 0o700, root)) // leads to a directory
		fails(t, f.Link(contractDir+"/real", "elsewhere"))
		check(t, f.Remove(p))
		expect(t, text(f, contractDir+"/real/in"), "x")
		check(t, f.Link(p, "real/in"))
		check(t, f.Write(p, []byte("y"), 0o644, root)) // replaces the link, not what it leads to
		expect(t, text(f, contractDir+"/real/in"), "x")
		expect(t, text(f, p), "y")
	}},
}

func runAccounts(t *testing.T, h *resource.Host) {
	const name, extra = "pigstytest", "pigstyextra"
	ctx, a := context.Background(), h.Accounts
	check(t, a.RemoveUser(ctx, name))
	if _, ok, err := a.User("no-such-user"); ok || err != nil {
		t.Errorf("a user that nobody made: %v, %v", ok, err)
	}
	for _, g := range []string{name, extra} {
		if _, ok, err := a.Group(g); err != nil {
			t.Fatal(err)
		} else if !ok {
			check(t, a.AddGroup(ctx, g, 0, true))
		}
		if gid, ok, err := a.Group(g); !ok || err != nil || gid == 0 {
			t.Fatalf("group %s: %d, %v, %v", g, gid, ok, err)
		}
	}
	check(t, a.AddUser(ctx, resource.Account{Name: name, Group: name, Home: "/tmp/pigsty-home", Shell: "/bin/sh", System: true}))
	t.Cleanup(func() {
		_ = a.RemoveUser(ctx, name)
		_ = h.Files.RemoveAll("/tmp/pigsty-home")
	})
	u, ok, err := a.User(name)
	check(t, err)
	expect(t, ok, true)
	expect(t, fmt.Sprint(u.Group, u.Groups, u.Home, u.Shell), name+"[]/tmp/pigsty-home/bin/sh")
	u.Groups, u.Shell = []string{extra}, "/bin/bash"
	check(t, a.ModifyUser(ctx, u))
	u, _, err = a.User(name)
	check(t, err)
	expect(t, slices.Contains(u.Groups, extra), true)
	expect(t, u.Shell, "/bin/bash")
	fails(t, a.AddUser(ctx, u))
	check(t, a.RemoveUser(ctx, name))
	check(t, a.RemoveUser(ctx, name))
	_, ok, err = a.User(name)
	check(t, err)
	expect(t, ok, false)
}

func text(f resource.Files, p string) string {
	data, err := f.Read(p)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func fails(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Error("no error")
	}
}

func isAbsent(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
}

func expect[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
