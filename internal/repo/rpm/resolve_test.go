package rpm

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pigsty/internal/repo/want"
)

// index has packages written as name version-release, and after semicolons what
// they provide (+), require (-) and the files that they have (/).
func index(name string, lines ...string) *Index {
	x := &Index{Source: Source{Name: name}}
	relation := func(text string) Relation {
		if strings.HasPrefix(text, "(") {
			return Relation{Name: text}
		}
		words := strings.Fields(text)
		r := Relation{Name: words[0]}
		if len(words) == 3 {
			r.Op, r.EVR = words[1], parseEVR(words[2])
		}
		return r
	}
	for _, line := range lines {
		parts := strings.Split(line, "; ")
		name, version, _ := strings.Cut(parts[0], " ")
		p := &Package{Name: name, EVR: parseEVR(version), Arch: "x86_64", Origin: &Origin{Name: x.Source.Name}}
		for _, part := range parts[1:] {
			switch text := strings.TrimSpace(part[1:]); part[0] {
			case '+':
				p.provides = append(p.provides, relation(text))
			case '-':
				p.requires = append(p.requires, relation(text))
			default:
				p.files = append(p.files, part)
			}
		}
		x.Packages = append(x.Packages, p)
	}
	return x
}

func TestResolve(t *testing.T) {
	base := index("base",
		"glibc 2.34-1; + libc.so.6()(64bit)", "bash 5-1; /usr/bin/bash; /bin/sh",
		"app 1.0-1; - libc.so.6()(64bit); - /bin/sh",
		"lib 1-1; + abi = 1", "lib 2-1; + abi = 2", "old-user 1-1; - abi = 1",
		"langs 1-1", "config 1-1", "else-user 1-1; - (langs if nothing else config)", "if-user 1-1; - (langs if glibc); - glibc",
		"if-not 1-1; - (langs if bash)", "rich-or 1-1; - (nobody-has or lib)", "rich-and 1-1; - (lib and bash)", "rich-deep 1-1; - ((nobody-has and lib) or bash)",
		"py 3-1; + dist(x) = 3", "py4 4-1; + dist(x) = 5", "with-user 1-1; - (dist(x) >= 2 with dist(x) < 4)", "without-user 1-1; - (dist(x) without py)",
		"unless-user 1-1; - (langs unless bash)",
		"broken 1-1; - glibc >= 2.99", "deep 1-1; - broken", "file-user 1-1; - /usr/bin/nothing", "bad 1-1; - (a or",
		"two 1-1; + perl(X); + perl(X) = 4", "two-user 1-1; - perl(X) >= 3",
	)
	pgdg := index("pgdg", "app 2.0-1PGDG; - glibc >= 2.30", "glibc 2.39-1; + libc.so.6()(64bit)")
	for name, c := range map[string]struct {
		wants    string
		kept     *Index
		packages string
		leftOut  string
		err      string
	}{
		"the newest":                    {wants: "app", packages: "app 2.0-1PGDG, glibc 2.39-1"},
		"a version that is asked for":   {wants: "app=1.0", packages: "app 1.0-1, bash 5-1, glibc 2.39-1"},
		"an older version":              {wants: "old-user lib", packages: "lib 1-1, lib 2-1, old-user 1-1"},
		"a provided name":               {wants: "abi", packages: "lib 2-1"},
		"what is there stays":           {wants: "app", kept: index("kept", "app 1.5-1; - glibc", "glibc 2.31-1"), packages: "app 1.5-1, glibc 2.31-1"},
		"if, which holds":               {wants: "if-user", packages: "glibc 2.39-1, if-user 1-1, langs 1-1"},
		"if, which does not":            {wants: "if-not", packages: "if-not 1-1"},
		"if, which holds in the end":    {wants: "if-not rich-and", packages: "bash 5-1, if-not 1-1, langs 1-1, lib 2-1, rich-and 1-1"},
		"else":                          {wants: "else-user", packages: "config 1-1, else-user 1-1"},
		"or":                            {wants: "rich-or", packages: "lib 2-1, rich-or 1-1"},
		"or of conditions":              {wants: "rich-deep", packages: "bash 5-1, rich-deep 1-1"},
		"with":                          {wants: "with-user", packages: "py 3-1, with-user 1-1"},
		"without":                       {wants: "without-user", packages: "py4 4-1, without-user 1-1"},
		"unless":                        {wants: "unless-user", packages: "langs 1-1, unless-user 1-1"},
		"unless, which does not":        {wants: "unless-user bash", packages: "bash 5-1, unless-user 1-1"},
		"one name provided twice":       {wants: "two-user", packages: "two 1-1, two-user 1-1"},
		"optional":                      {wants: "lib nobody-has?", packages: "lib 2-1", leftOut: "nobody-has"},
		"nobody has what is required":   {wants: "deep", err: "glibc >= 2.99 is wanted by broken 1-1, by deep 1-1, by repo_packages, but no upstream has it (there is glibc 2.39-1 in pgdg, glibc 2.34-1 in base); base, which broken 1-1 comes from, or what it builds upon should"},
		"nobody has the file":           {wants: "file-user", err: "/usr/bin/nothing is wanted by file-user 1-1, by repo_packages, but no upstream has it; base, which file-user 1-1 comes from, or what it builds upon should"},
		"nobody has what is wanted":     {wants: "ap", err: "ap is wanted by repo_packages, but no upstream has it (there is app)"},
		"a condition that has no sense": {wants: "bad", err: `bad 1-1 of base: the requirement "(a or" cannot be read`},
	} {
		t.Run(name, func(t *testing.T) {
			var wants []want.Package
			for w := range strings.FieldsSeq(c.wants) {
				name, optional := strings.CutSuffix(w, "?")
				name, version, _ := strings.Cut(name, "=")
				wants = append(wants, want.Package{Name: name, Version: version, For: "repo_packages", Optional: optional})
			}
			got, err := Resolve(context.Background(), []*Index{base, pgdg}, c.kept, wants, nil)
			if c.err != "" {
				if err == nil || err.Error() != c.err {
					t.Errorf("error %v\nwant %s", err, c.err)
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
			if d := cmp.Diff(c.packages+"|"+c.leftOut, strings.Join(packages, ", ")+"|"+strings.Join(left, ", ")); d != "" {
				t.Error(d)
			}
		})
	}
}
