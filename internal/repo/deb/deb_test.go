package deb

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pigsty/internal/repo/want"
)

// From the rules of Debian Policy 5.6.12; dpkg, where it is installed, is asked too.
func TestCompare(t *testing.T) {
	dpkg, _ := exec.LookPath("dpkg")
	for _, c := range []struct {
		a, op, b string
	}{
		{"1.0", "eq", "1.0"}, {"1.0", "lt", "1.1"}, {"1.9", "lt", "1.10"}, {"1.0", "lt", "1:0.1"},
		{"1.0~rc1", "lt", "1.0"}, {"1.0", "lt", "1.0a"}, {"1.0a", "lt", "1.0+"}, {"1.0-1", "lt", "1.0-1.1"},
		{"1.0-1~deb12u1", "lt", "1.0-1"}, {"1.0-1", "lt", "1.0-1+b1"}, {"17.6-1.pgdg13+1", "gt", "17.6-0+deb13u1"},
		{"0:1.0", "eq", "1.0"}, {"1.00", "eq", "1.0"}, {"1.0-0", "eq", "1.0"}, {"2:1-1-1", "gt", "2:1-1"},
		{"1.0~~", "lt", "1.0~"}, {"1.0~~a", "lt", "1.0~"}, {"a", "gt", "1"}, {"20250101123456789012345", "gt", "9"},
	} {
		got := Compare(c.a, c.b)
		want := map[string]bool{"lt": got < 0, "eq": got == 0, "gt": got > 0}[c.op]
		back := Compare(c.b, c.a)
		if !want || (got < 0) != (back > 0) {
			t.Errorf("Compare(%q, %q) = %d and back %d, want %s", c.a, c.b, got, back, c.op)
		}
		if dpkg != "" && exec.Command(dpkg, "--compare-versions", c.a, c.op, c.b).Run() != nil {
			t.Errorf("dpkg does not think that %s %s %s", c.a, c.op, c.b)
		}
	}
}

func TestRelations(t *testing.T) {
	text := "libc6 (>= 2.38), python3:any (<< 3.14) | python3.13,\n debconf (>= 0.5) | debconf-2.0 , old (> 1)"
	var got []string
	for _, a := range parseRelations(text) {
		got = append(got, a.String())
	}
	want := []string{"libc6 (>= 2.38)", "python3 (<< 3.14) | python3.13", "debconf (>= 0.5) | debconf-2.0", "old (>= 1)"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// index writes a Packages file: lines of name, version and other fields.
func index(t *testing.T, origin string, pin int, lines ...string) []*Package {
	t.Helper()
	var b strings.Builder
	for _, line := range lines {
		parts := strings.Split(line, "; ")
		name, version, _ := strings.Cut(parts[0], " ")
		b.WriteString("Package: " + name + "\nVersion: " + version + "\nArchitecture: amd64\n")
		b.WriteString(strings.Join(append(parts[1:], "Filename: pool/"+name+".deb", "Size: 1", "SHA256: 00"), "\n") + "\n\n")
	}
	list, err := ParseIndex(b.String(), &Origin{Name: origin, Pin: pin})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestResolve(t *testing.T) {
	base := index(t, "base", 500,
		"libc 2.41; Priority: required",
		"app 1.0; Depends: libc (>= 2.40), awk, ssl (>= 3) | ssl1",
		"mawk 1.3; Priority: required; Provides: awk",
		"gawk 5.0; Priority: optional; Provides: awk",
		"ssl1 1.1",
		"abi-user 1; Depends: abi (= 2)", "abi-old 1; Provides: abi (= 1)", "abi-new 1; Provides: abi (= 2)",
		"picky 1; Depends: libc (<< 2.42)",
		"loop-a 1; Depends: loop-b", "loop-b 1; Pre-Depends: loop-a",
		"broken 1; Depends: libc (>= 2.99)",
		"deep 1; Depends: broken",
	)
	pgdg := index(t, "pgdg", 500, "app 2.0; Depends: libc", "libc 2.50")
	backports := index(t, "backports", 100, "app 9.0", "only-there 1")
	for name, c := range map[string]struct {
		wants    []want.Package
		kept     []*Package
		packages string
		leftOut  string
		err      []string
	}{
		"newest, not from backports": {
			wants:    []want.Package{{Name: "app", For: "repo_packages"}},
			packages: "app 2.0, libc 2.50",
		},
		"a version that is asked for, alternatives, a virtual package": {
			wants:    []want.Package{{Name: "app", Version: "1", For: "repo_packages"}},
			packages: "app 1.0, libc 2.50, mawk 1.3, ssl1 1.1",
		},
		"what a package that is wanted provides is enough": {
			wants:    []want.Package{{Name: "gawk"}, {Name: "app", Version: "1.0"}},
			packages: "app 1.0, gawk 5.0, libc 2.50, ssl1 1.1",
		},
		"an older version where one is needed": {
			wants:    []want.Package{{Name: "app"}, {Name: "picky"}},
			packages: "app 2.0, libc 2.41, libc 2.50, picky 1",
		},
		"what is there stays":          {wants: []want.Package{{Name: "app"}}, kept: index(t, "kept", 500, "libc 2.30", "app 0.9; Depends: libc (>= 2.31)"), packages: "app 0.9, libc 2.50"},
		"backports where nothing else": {wants: []want.Package{{Name: "only-there"}}, packages: "only-there 1"},
		"versioned provides":           {wants: []want.Package{{Name: "abi-user"}}, packages: "abi-new 1, abi-user 1"},
		"a virtual name":               {wants: []want.Package{{Name: "awk"}}, packages: "mawk 1.3"},
		"the first name there is":      {wants: []want.Package{{Name: "none", Or: "mawk gawk"}}, packages: "mawk 1.3"},
		"a loop":                       {wants: []want.Package{{Name: "loop-a"}}, packages: "loop-a 1, loop-b 1"},
		"optional":                     {wants: []want.Package{{Name: "libc"}, {Name: "nobody-has", Optional: true}}, packages: "libc 2.50", leftOut: "nobody-has"},
		"nobody has what is needed": {
			wants: []want.Package{{Name: "deep", For: "pg_extensions"}},
			err: []string{"libc (>= 2.99) is wanted by broken 1, by deep 1, by pg_extensions, but no upstream has it " +
				"(there is libc 2.50 in pgdg, libc 2.41 in base); base, which broken 1 comes from, or what it builds upon should"},
		},
		"nobody has what is wanted": {
			wants: []want.Package{{Name: "ap", For: "repo_packages"}, {Name: "app", Version: "3", For: "pg_packages"}},
			err: []string{"ap is wanted by repo_packages, but no upstream has it (there is app)",
				"app 3 is wanted by pg_packages, but no upstream has it (there is app 2.0 in pgdg, app 1.0 in base, app 9.0 in backports)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var upstream []*Package
			for _, list := range [][]*Package{base, pgdg, backports} {
				upstream = append(upstream, list...)
			}
			got, err := NewPool(upstream, c.kept).Resolve(c.wants)
			if len(c.err) > 0 {
				if err == nil || err.Error() != strings.Join(c.err, "\n") {
					t.Errorf("error %v\nwant %s", err, strings.Join(c.err, "\n"))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var packages, left []string
			for _, p := range got.Packages {
				packages = append(packages, p.String())
			}
			for _, w := range got.LeftOut {
				left = append(left, w.Name)
			}
			if d := cmp.Diff(c.packages, strings.Join(packages, ", ")); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(c.leftOut, strings.Join(left, ", ")); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestSources(t *testing.T) {
	got := append(parseLines(`# comment
deb http://deb.example.org/debian trixie main contrib # more
deb-src http://deb.example.org/debian trixie main
deb [arch=arm64] http://other.example.org/ trixie main
deb [arch=amd64,arm64 signed-by=/etc/apt/keyrings/a.asc check-valid-until=no] http://apt.example.org/pg/ trixie-pgdg main
deb [trusted=yes] file:///srv/flat ./
deb http://broken.example.org
`, "amd64"), parseStanzas(`Types: deb deb-src
URIs: http://one.example.org/debian/ http://two.example.org/debian
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://off.example.org
Suites: x
Components: main

# a key in the file itself
Types: deb
URIs: http://key.example.org
Suites: stable
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEY
 -----END PGP PUBLIC KEY BLOCK-----
`, "amd64")...)
	want := []Source{
		{URI: "http://deb.example.org/debian", Suite: "trixie", Components: []string{"main", "contrib"}, CheckValid: true},
		{URI: "http://apt.example.org/pg", Suite: "trixie-pgdg", Components: []string{"main"}, SignedBy: "/etc/apt/keyrings/a.asc"},
		{URI: "file:///srv/flat", Suite: "./", Components: []string{}, Trusted: true, CheckValid: true},
	}
	for _, uri := range []string{"http://one.example.org/debian", "http://two.example.org/debian"} {
		for _, suite := range []string{"trixie", "trixie-updates"} {
			want = append(want, Source{URI: uri, Suite: suite, Components: []string{"main"}, CheckValid: true,
				SignedBy: "/usr/share/keyrings/debian-archive-keyring.gpg"})
		}
	}
	want = append(want, Source{URI: "http://key.example.org", Suite: "stable", Components: []string{"main"}, CheckValid: true,
		SignedBy: "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEY\n-----END PGP PUBLIC KEY BLOCK-----\n"})
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestSourceHidesPasswords(t *testing.T) {
	s := Source{URI: "https://user:geheim@apt.example.org/pg", Suite: "trixie", Components: []string{"main"}}
	if got := s.String(); got != "https://apt.example.org/pg trixie main" {
		t.Error(got)
	}
}

// BenchmarkIndex writes the index of 2000 packages.
func BenchmarkIndex(b *testing.B) {
	entries := make([]string, 2000)
	for i := range entries {
		entries[i] = fmt.Sprintf("Package: package-%d\nVersion: 1.%d-1\nArchitecture: amd64\nDepends: %s\nDescription: what it is good for\nFilename: ./package-%d.deb\nSize: 1000\nSHA256: %064x\n",
			i, i, strings.Repeat("libsomething (>= 1.2), ", 20), i, i)
	}
	for b.Loop() {
		if _, err := NewIndex("test", "amd64", entries, time.Unix(0, 0)); err != nil {
			b.Fatal(err)
		}
	}
}
