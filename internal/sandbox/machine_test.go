package sandbox

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestNatRules(t *testing.T) {
	want := `table ip pigsty_pgbr0 {}
flush table ip pigsty_pgbr0
table ip pigsty_pgbr0 {
	chain postrouting {
		type nat hook postrouting priority 100; policy accept;
		ip saddr 10.10.10.0/24 oifname != "pgbr0" masquerade
	}
}
`
	if got := natRules("pigsty_pgbr0", "pgbr0", netip.MustParsePrefix("10.10.10.0/24")); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestCutElements(t *testing.T) {
	want := "add element bridge pigsty_pg_0 cut { \"vb-pg0a0a0a0a\", \"vb-pg0a0a0a0b\" }\n"
	s := &Sandbox{bridge: "pg-0"}
	if got := cutElements("add", s.table(), []string{"vb-pg0a0a0a0a", "vb-pg0a0a0a0b"}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestBridgeMAC(t *testing.T) {
	a, b := bridgeMAC("pgbr0"), bridgeMAC("pgbr1")
	if a == b || !strings.HasPrefix(a, "02:") || len(a) != 17 {
		t.Errorf("addresses %s and %s", a, b)
	}
}

func TestDebianArchive(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  archive
		err   string
	}{
		"deb822": {
			files: map[string]string{"sources.list.d/debian.sources": `# a comment
Types: deb deb-src
URIs: http://mirror.example/debian/
Suites: bookworm
 bookworm-updates
Components: main
 contrib
Signed-By: /usr/share/keyrings/k.gpg

Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main
`},
			want: archive{"http://mirror.example/debian", "http://security.example/debian-security", []string{"/usr/share/keyrings/k.gpg"}},
		},
		"one line": {
			files: map[string]string{"sources.list": `deb cdrom:[Debian 13]/ trixie main
# deb http://old.example/debian trixie main
deb-src http://src.example/debian trixie main
deb	[arch=amd64 signed-by=/k.asc]   https://mirror.example/deb/debian  trixie  main # here
`},
			want: archive{"https://mirror.example/deb/debian", "https://mirror.example/deb/debian-security", []string{"/k.asc"}},
		},
		"third parties first": {
			files: map[string]string{
				"sources.list.d/a.list":    "deb https://apt.vendor.example bookworm main\ndeb https://apt.vendor2.example/debian bookworm stable\n",
				"sources.list.d/b.sources": "Types: deb\nURIs: http://off.example/debian\nSuites: bookworm\nComponents: main\nEnabled: no\n",
				"sources.list.d/z.list":    "deb http://mirror.example/pub/d bookworm main\ndeb http://mirror.example/pub/d bookworm-updates main\n",
			},
			want: archive{main: "http://mirror.example/pub/d"},
		},
		"not enabled": {
			files: map[string]string{"sources.list.d/debian.sources.off": "Types: deb\nURIs: http://x.example/debian\nSuites: trixie\nComponents: main\n"},
			err:   "names no Debian archive",
		},
		"not Debian": {
			files: map[string]string{"sources.list": "deb http://archive.example/ubuntu noble main\n"},
			err:   "--mirror",
		},
	} {
		t.Run(name, func(t *testing.T) {
			etc := t.TempDir()
			for path, content := range c.files {
				p := filepath.Join(etc, path)
				if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			sources, err := machineSources(etc)
			if err != nil {
				t.Fatal(err)
			}
			got, err := debianArchive(sources)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, %v\nwant %+v", got, err, c.want)
			}
		})
	}
}

func TestMirrorFile(t *testing.T) {
	etc := t.TempDir()
	list := filepath.Join(etc, "mirrors.list")
	for path, content := range map[string]string{
		list:                               "# mirrors\nhttps://near.example/debian/\tpriority:1\n",
		filepath.Join(etc, "sources.list"): "deb mirror+file:" + list + " trixie main\n",
	} {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sources, err := machineSources(etc)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := debianArchive(sources); err != nil || a.main != "https://near.example/debian" {
		t.Errorf("got %+v, %v", a, err)
	}
}

func TestCgroupMounts(t *testing.T) {
	const hybrid = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
36 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw
`
	for name, c := range map[string]struct {
		in   string
		want []string
	}{
		"hybrid": {hybrid, []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"}},
		"v2":     {"31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n", []string{"/sys/fs/cgroup"}},
		"v1":     {"36 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n", nil},
	} {
		got, err := cgroupMounts(strings.NewReader(c.in))
		if !slices.Equal(got, c.want) || (err == nil) != (c.want != nil) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, c.want)
		}
	}
}

func TestIsInit(t *testing.T) {
	for status, want := range map[string]bool{
		"Name:\tsystemd\nNSpid:\t4711\t1\nNSpgid:\t1\n": true,
		"Name:\tsshd\nNSpid:\t4712\t123\n":              false,
		"Name:\tinit\nNSpid:\t1\n":                      false, // the machine's own
		"Name:\tinit\n":                                 false,
	} {
		if got := isInit(status); got != want {
			t.Errorf("isInit(%q) = %v", status, got)
		}
	}
}

func TestParseMount(t *testing.T) {
	m, ok := parseMount(`51 23 0:39 / /a\040b rw,relatime shared:3 - overlay overlay rw,lowerdir=/x:/y,upperdir=/u`)
	if want := (mount{"/a b", "overlay", "rw,lowerdir=/x:/y,upperdir=/u"}); !ok || m != want {
		t.Errorf("got %+v, %v", m, ok)
	}
	if _, ok := parseMount("nonsense\n"); ok {
		t.Error("nonsense is a mount")
	}
}

// The store's packages appear in a layer, a grown store gives another layer, and what is half there or no
// package is left out.
func TestLayer(t *testing.T) {
	s := open(t, "10.10.10.0/24")
	store := s.store("debian13")
	write := func(name string) {
		t.Helper()
		p := filepath.Join(store, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	layer := func(want ...string) string {
		t.Helper()
		dir, err := s.layer("debian13")
		if err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(filepath.Join(dir, archives))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range entries {
			got = append(got, e.Name())
		}
		if !slices.Equal(got, want) {
			t.Errorf("layer holds %v, want %v", got, want)
		}
		return dir
	}
	empty := layer()
	write("a_1_all.deb")
	write("b_1_all.deb.new")
	write("partial/c_1_all.deb")
	one := layer("a_1_all.deb")
	if one == empty {
		t.Error("a grown store gives the same layer")
	}
	if fileExists(empty) {
		t.Error("a layer that nobody uses stays")
	}
	if again := layer("a_1_all.deb"); again != one {
		t.Error("an unchanged store gives another layer")
	}
}

func TestHarvest(t *testing.T) {
	s := open(t, "10.10.10.0/24")
	disk := overlay{dir: t.TempDir()}
	from := filepath.Join(disk.upper(), archives)
	if err := os.MkdirAll(filepath.Join(from, "partial"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a_1_all.deb", "lock", "partial/b_1_all.deb"} {
		if err := os.WriteFile(filepath.Join(from, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second finds nothing to do
		if err := s.harvest("debian13", disk); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := filepath.Glob(filepath.Join(s.store("debian13"), "*"))
	if len(got) != 1 || filepath.Base(got[0]) != "a_1_all.deb" {
		t.Errorf("the store holds %v", got)
	}
	if fileExists(filepath.Join(from, "a_1_all.deb")) || !fileExists(filepath.Join(from, "partial/b_1_all.deb")) {
		t.Error("the host's own directory is wrong after the harvest")
	}
}

// A link that a host made must not lead a write outside its disk.
func TestWriteIn(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "target")
	if err := os.Mkdir(filepath.Join(dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "etc/resolv.conf")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(outside), filepath.Join(dir, "var")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := writeIn(root, "etc/resolv.conf", "x\n", 0o600); err != nil {
		t.Error(err)
	}
	if err := writeIn(root, "var/target", "x\n", 0o600); err == nil {
		t.Error("wrote through a link that leads outside")
	}
	if fileExists(outside) {
		t.Error("a file outside was written")
	}
	if fi, err := os.Lstat(filepath.Join(dir, "etc/resolv.conf")); err != nil || fi.Mode() != 0o600 {
		t.Errorf("resolv.conf: %v, %v", fi, err)
	}
}

func TestRecipeHash(t *testing.T) {
	a, b := baseRecipe(), baseRecipe()
	if a.hash() != b.hash() {
		t.Error("the same recipe has two hashes")
	}
	b.files["etc/motd"] = "hello"
	if a.hash() == b.hash() {
		t.Error("a changed recipe has the same hash")
	}
}
