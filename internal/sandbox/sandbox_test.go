package sandbox

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func open(t *testing.T, subnet string) *Sandbox {
	t.Helper()
	s, err := Open(Config{Dir: t.TempDir(), Subnet: netip.MustParsePrefix(subnet)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ subnet, addr, name, machine string }{
		{"10.10.10.0/24", "10.10.10.10", "node-10", "pg0a0a0a0a"},
		{"10.10.10.16/28", "10.10.10.30", "node-30", "pg0a0a0a1e"},
		{"172.16.0.0/16", "172.16.3.200", "node-3-200", "pgac1003c8"},
	} {
		s, a := open(t, c.subnet), netip.MustParseAddr(c.addr)
		if got := s.nameOf(a); got != c.name {
			t.Errorf("name of %s in %s: %s, want %s", a, c.subnet, got, c.name)
		}
		if got, ok := s.addrOf(c.name); !ok || got != a {
			t.Errorf("address of %s in %s: %s %v, want %s", c.name, c.subnet, got, ok, a)
		}
		if got := machineOf(a); got != c.machine {
			t.Errorf("machine of %s: %s, want %s", a, got, c.machine)
		}
		if got := vethOf(a); len(got) > 15 {
			t.Errorf("interface name %s is too long", got)
		}
	}
	s := open(t, "10.10.10.0/24")
	for _, name := range []string{"node-", "node-256", "node-3-10", "node-010", "other-10", "node-x"} {
		if a, ok := s.addrOf(name); ok {
			t.Errorf("address of %s: %s, want none", name, a)
		}
	}
}

func TestFirst(t *testing.T) {
	s := open(t, "10.10.10.0/24")
	got, err := s.First(2)
	if want := []netip.Addr{netip.MustParseAddr("10.10.10.10"), netip.MustParseAddr("10.10.10.11")}; err != nil || !slices.Equal(got, want) {
		t.Errorf("First(2) = %v, %v, want %v", got, err, want)
	}
	for subnet, most := range map[string]int{"10.10.10.0/24": 245, "10.10.10.16/28": 5} {
		s := open(t, subnet)
		addrs, err := s.First(most)
		if err != nil {
			t.Fatalf("First(%d) of %s: %v", most, subnet, err)
		}
		for _, a := range addrs {
			if err := s.check(a); err != nil {
				t.Errorf("First(%d) of %s gives %v", most, subnet, err)
			}
		}
		for _, n := range []int{0, -1, most + 1} {
			if _, err := s.First(n); err == nil {
				t.Errorf("First(%d) of %s: no error", n, subnet)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	s := open(t, "10.10.10.0/24")
	for addr, want := range map[string]string{
		"10.10.10.2": "", "10.10.10.254": "",
		"10.10.11.10": "not in the sandbox's subnet", "fd00::1": "not in the sandbox's subnet",
		"10.10.10.0": "network's own", "10.10.10.255": "broadcast", "10.10.10.1": "gateway",
	} {
		err := s.check(netip.MustParseAddr(addr))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("check(%s) = %v, want %q", addr, err, want)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	for want, c := range map[string]Config{
		"want an absolute path":   {Dir: "relative"},
		"without ':'":             {Dir: "/tmp/a:b"},
		"want a letter":           {Bridge: "a-name-that-is-too-long"},
		"bridge":                  {Bridge: `x"; drop`},
		"IPv4 network":            {Subnet: netip.MustParsePrefix("fd00::/64")},
		"of /16 to /28":           {Subnet: netip.MustParsePrefix("10.0.0.0/8")},
		"such as":                 {Subnet: netip.MustParsePrefix("10.10.10.7/24")},
		"one of debian13, debian": {OS: "plan9"},
	} {
		if c.Dir == "" {
			c.Dir = t.TempDir()
		}
		if _, err := Open(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%+v): %v, want %q", c, err, want)
		}
	}
}

func TestOpenRemembers(t *testing.T) {
	dir, images := t.TempDir(), t.TempDir()
	subnet := netip.MustParsePrefix("10.10.30.0/24")
	s, err := Open(Config{Dir: dir, ImageDir: images, Bridge: "other0", Subnet: subnet})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.saveSettings(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if again.bridge != "other0" || again.subnet != subnet || again.images != images {
		t.Errorf("opened by directory alone: %+v", again)
	}
	if _, err := Open(Config{Dir: dir, Bridge: "third0"}); err == nil || !strings.Contains(err.Error(), "uses bridge other0") {
		t.Errorf("opened with another bridge: %v", err)
	}
	t.Setenv(DirEnv, dir)
	if s, err := Open(Config{}); err != nil || s.Dir() != dir {
		t.Errorf("with %s: %v, %v", DirEnv, s, err)
	}
}

// A crash may leave a host directory with anything in it: it must be listed, so that Down clears it.
func TestRecordsAfterCrash(t *testing.T) {
	s := open(t, "10.10.10.0/24")
	for name, content := range map[string]string{
		"node-11": `{"name":"node-11","address":"10.10.10.11","os":"debian13","base":"b"}`,
		"node-10": `{"name":`,
		"node-12": "",
		"stray":   "",
	} {
		if err := os.MkdirAll(s.hostDir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if content != "" {
			if err := os.WriteFile(filepath.Join(s.hostDir(name), "host.json"), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	got, err := s.records()
	want := []record{
		{Name: "node-10", Addr: netip.MustParseAddr("10.10.10.10")},
		{Name: "node-11", Addr: netip.MustParseAddr("10.10.10.11"), OS: "debian13", Base: "b"},
		{Name: "node-12", Addr: netip.MustParseAddr("10.10.10.12")},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("records: %v, %v\nwant %v", got, err, want)
	}
	if _, err := s.Find("node-99"); !errors.Is(err, ErrNoHost) {
		t.Errorf("Find of a host that is not there: %v", err)
	}
}

func TestReachableResolvers(t *testing.T) {
	in := "# written by x\nsearch example.org\nnameserver 127.0.0.53\nnameserver ::1\nnameserver 192.0.2.53\noptions edns0 trust-ad\n"
	want := "search example.org\nnameserver 192.0.2.53\noptions edns0 trust-ad\n"
	if got := reachableResolvers(in); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTail(t *testing.T) {
	in := "one\n\n\x1b[0;32mtwo\x1b[0m  \r\nthree\n"
	if got, want := tail(in, 2), "\n    two\n    three"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := tail("\n \n", 5); got != "" {
		t.Errorf("tail of nothing: %q", got)
	}
}

func TestQuote(t *testing.T) {
	if got, want := quote(`it's $HOME`), `'it'\''s $HOME'`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
