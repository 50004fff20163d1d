// Package alias knows the words of pg_packages, pg_extensions, repo_packages and
// the like that stand for several packages, or for one that distributions call
// differently. What it does not know is the name of a package.
package alias

import (
	_ "embed"
	"fmt"
	"iter"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

//go:embed alias.yml
var text []byte

// byFamily maps a family of packages (deb, rpm) and a word to words.
var byFamily = func() map[string]map[string]string {
	var out map[string]map[string]string
	if err := yaml.Unmarshal(text, &out); err != nil {
		panic(fmt.Sprintf("alias.yml: %v", err)) // it is part of the binary
	}
	return out
}()

// Spare are the aliases whose packages one can do without: what repositories do
// not have of them is left out. They gather what is useful rather than what is
// needed.
var Spare = map[string]bool{
	"pgsql-basic": true, "pgsql-utility": true, "pgsql-gis": true, "pgsql-time": true, "pgsql-rag": true, "pgsql-fts": true,
	"pgsql-olap": true, "pgsql-feat": true, "pgsql-lang": true, "pgsql-type": true, "pgsql-util": true, "pgsql-func": true,
	"pgsql-admin": true, "pgsql-stat": true, "pgsql-sec": true, "pgsql-fdw": true, "pgsql-sim": true, "pgsql-etl": true,
	"node-bootstrap": true, "node-package1": true, "node-package2": true, "node-package3": true,
	"infra-package": true, "infra-addons": true, "extra-modules": true, "java-runtime": true,
}

// Package is a name that a word stands for.
type Package struct {
	Name string
	// Versioned is set if the major version of PostgreSQL is part of the name.
	Versioned bool
	// Spare is set if the name came from an alias of Spare.
	Spare bool
}

// forMajor matches aliases for one major version: pg17-main.
var forMajor = regexp.MustCompile(`^pg(\d\d)-([a-z]+)$`)

// Expand returns the packages that words stand for on systems of family, in
// order. version is the major version of PostgreSQL that $v stands for.
func Expand(family, version string, words ...string) []Package {
	if family != "rpm" {
		family = "deb"
	}
	var out []Package
	var add func(word, version string, spare bool)
	add = func(word, version string, spare bool) {
		if m := forMajor.FindStringSubmatch(word); m != nil {
			if _, ok := byFamily[family]["pgsql-"+m[2]]; ok {
				add("pgsql-"+m[2], m[1], spare)
				return
			}
		}
		if list, ok := byFamily[family][word]; ok {
			for w := range strings.FieldsSeq(list) {
				add(w, version, spare || Spare[word])
			}
			return
		}
		name := strings.ReplaceAll(strings.ReplaceAll(word, "${pg_version}", version), "$v", version)
		out = append(out, Package{Name: name, Versioned: name != word, Spare: spare})
	}
	for w := range Words(words...) {
		add(w, version, false)
	}
	return out
}

// Words returns what lines hold, parted by commas and blanks.
func Words(lines ...string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range lines {
			for w := range strings.FieldsFuncSeq(line, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' || r == '\n' }) {
				if !yield(w) {
					return
				}
			}
		}
	}
}
