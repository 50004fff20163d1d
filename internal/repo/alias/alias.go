// Package alias knows the words of pg_packages, pg_extensions, repo_packages and
// the like that stand for several packages, or for one that distributions call
// differently. What it does not know is the name of a package.
package alias

import (
	_ "embed"
	"fmt"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"pigsty/internal/diag"
	"pigsty/internal/inventory"
	"pigsty/internal/resource"
)

//go:embed alias.yml
var text []byte

// bySystem maps what packages are for, a family (deb, rpm) or a release of it
// (debian13, ubuntu24, el10), and a word to words.
var bySystem = func() map[string]map[string]string {
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

// meaning returns what word stands for on a system: its release has it said
// differently, or it is the same for the family. A system that is not known
// counts as deb.
func meaning(on resource.Facts, word string) (string, bool) {
	family, distribution := "deb", on.OS
	if on.Family == "rpm" {
		family, distribution = "rpm", "el"
	}
	release, _, _ := strings.Cut(on.Version, ".")
	if list, ok := bySystem[distribution+release][word]; ok {
		return list, true
	}
	list, ok := bySystem[family][word]
	return list, ok
}

// forMajor matches aliases for one major version: pg17-main.
var forMajor = regexp.MustCompile(`^pg(\d\d)-([a-z]+)$`)

// Expand returns the packages that words stand for on a system, in order.
// version is the major version of PostgreSQL that $v stands for.
func Expand(on resource.Facts, version string, words ...string) []Package {
	var out []Package
	var add func(word, version string, spare bool)
	add = func(word, version string, spare bool) {
		if m := forMajor.FindStringSubmatch(word); m != nil {
			if _, ok := meaning(on, "pgsql-"+m[2]); ok {
				add("pgsql-"+m[2], m[1], spare)
				return
			}
		}
		if list, ok := meaning(on, word); ok {
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

// Check warns of words in list, the value of a parameter, that must have been
// meant for an alias. Others may be names of packages, which nothing here knows.
func Check(parameter string, list inventory.Value, l *diag.List) {
	for _, line := range list.Items {
		for word := range Words(line.Text) {
			if near := nearest(word); near != "" {
				l.Warn(line.Pos, "unknown-package", parameter+" names "+word+", which stands for no packages and so is taken for the name of one",
					"write "+near+" if that was meant")
			}
		}
	}
}

// all are the aliases that any system has, sorted; meant are the words that they
// stand for.
var all, meant = func() ([]string, map[string]bool) {
	known, meant := map[string]bool{}, map[string]bool{}
	for _, words := range bySystem {
		for word, list := range words {
			known[word] = true
			for w := range strings.FieldsSeq(list) {
				meant[w] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(known)), meant
}()

// nearest returns the alias that a person who wrote word most likely meant, ""
// if word is one or none is close. Names of packages are many and alike, so a
// single slip is allowed, and nobody is taken to have meant a short alias.
func nearest(word string) string {
	const slips, short = 1, 4
	candidates := all
	if major, _, ok := strings.Cut(word, "-"); ok && forMajor.MatchString(major+"-x") {
		candidates = nil
		for _, a := range all {
			if of, ok := strings.CutPrefix(a, "pgsql-"); ok {
				candidates = append(candidates, major+"-"+of)
			}
		}
	}
	if slices.Contains(candidates, word) || meant[word] {
		return ""
	}
	return diag.NearestWithin(word, slips, func(yield func(string) bool) {
		for _, a := range candidates {
			if len(a) > short && !yield(a) {
				return
			}
		}
	})
}
