package resource

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// requirement is one package that pip is asked for, with the versions that will
// do: "pandas>=2.2,<3", "psycopg[binary]==3.2.*". See the version specifiers of
// the Python packaging user guide, formerly PEP 440 and PEP 508.
type requirement struct {
	name  string // in its normal form, see pythonName
	specs []versionSpec
}

// versionSpec is one clause: an operator and a version, which for == and != may
// end in a wildcard.
type versionSpec struct{ op, version string }

var (
	requirementForm = regexp.MustCompile(`^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[A-Za-z0-9._, -]*\])?\s*(.*)$`)
	specForm        = regexp.MustCompile(`^(===|==|!=|~=|<=|>=|<|>)\s*([A-Za-z0-9.!+*_-]+)$`)
)

// CheckRequirement returns why text is no requirement that can be compared with
// what a virtual environment has: a name, and versions if need be.
func CheckRequirement(text string) error {
	_, err := parseRequirement(text)
	return err
}

func parseRequirement(text string) (requirement, error) {
	m := requirementForm.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return requirement{}, fmt.Errorf("%q is not the name of a Python package with its version, such as pandas or pandas==2.2.3", text)
	}
	r := requirement{name: pythonName(m[1])}
	rest := strings.TrimSpace(m[2])
	if rest == "" || strings.HasPrefix(rest, "@") { // from a URL: any version will do
		return r, nil
	}
	for clause := range strings.SplitSeq(rest, ",") {
		spec := specForm.FindStringSubmatch(strings.TrimSpace(clause))
		if spec == nil {
			return requirement{}, fmt.Errorf("%q: %q says nothing about versions; write NAME==VERSION, or with >=, <=, ~=, != and commas", text, clause)
		}
		if _, ok := parsePython(strings.TrimSuffix(spec[2], ".*")); !ok && spec[1] != "===" {
			return requirement{}, fmt.Errorf("%q: %q is not a version of Python's", text, spec[2])
		}
		r.specs = append(r.specs, versionSpec{spec[1], spec[2]})
	}
	return r, nil
}

// satisfied reports whether version will do. One that cannot be read will not.
func (r requirement) satisfied(version string) bool {
	for _, s := range r.specs {
		if !s.allows(version) {
			return false
		}
	}
	return true
}

func (s versionSpec) allows(version string) bool {
	if s.op == "===" {
		return strings.EqualFold(version, s.version)
	}
	have, ok := parsePython(version)
	text, wildcard := strings.CutSuffix(s.version, ".*")
	want, ok2 := parsePython(text)
	if !ok || !ok2 {
		return false
	}
	if want.local == "" { // 2.1+cpu is a 2.1
		have.local = ""
	}
	order := have.compare(want)
	switch s.op {
	case "==":
		return order == 0 || wildcard && have.startsWith(want)
	case "!=":
		return order != 0 && !(wildcard && have.startsWith(want))
	case "<=":
		return order <= 0
	case ">=":
		return order >= 0
	case "<": // not what comes before the very release that is excluded
		return order < 0 && !(want.stage[0] == 0 && have.stage[0] < 0 && have.startsWith(want) && want.startsWith(have))
	case ">": // nor after it
		return order > 0 && !(want.stage[1] == 0 && have.stage[1] > 0 && have.startsWith(want) && want.startsWith(have))
	}
	want.release = want.release[:max(len(want.release)-1, 1)] // ~=2.2.3 is >=2.2.3 and ==2.2.*
	return order >= 0 && have.startsWith(want)
}

// pythonVersion is a version of a Python package, in parts that compare.
type pythonVersion struct {
	epoch   int
	release []int
	// stage orders what comes before and after the release itself: development,
	// a, b, rc, the release, post.
	stage  [3]int
	number [3]int
	local  string
}

var pythonForm = regexp.MustCompile(`^v?(?:(\d+)!)?(\d+(?:\.\d+)*)` +
	`(?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?(\d*))?` +
	`(?:-(\d+)|[-_.]?(post|rev|r)[-_.]?(\d*))?` +
	`(?:[-_.]?(dev)[-_.]?(\d*))?(?:\+([a-z0-9._-]+))?$`)

func parsePython(text string) (pythonVersion, bool) {
	m := pythonForm.FindStringSubmatch(strings.ToLower(strings.TrimSpace(text)))
	if m == nil {
		return pythonVersion{}, false
	}
	number := func(s string) int { n, _ := strconv.Atoi(s); return n }
	v := pythonVersion{epoch: number(m[1]), local: strings.NewReplacer("-", ".", "_", ".").Replace(m[10])}
	for part := range strings.SplitSeq(m[2], ".") {
		v.release = append(v.release, number(part))
	}
	pre, post, dev := m[3], m[5] != "" || m[6] != "", m[8] != ""
	switch {
	case pre != "":
		v.stage[0] = map[string]int{"a": -3, "alpha": -3, "b": -2, "beta": -2}[pre]
		if v.stage[0] == 0 {
			v.stage[0] = -1
		}
		v.number[0] = number(m[4])
	case dev && !post:
		v.stage[0] = -4
	}
	if post {
		v.stage[1], v.number[1] = 1, number(m[5]+m[7])
	}
	if dev {
		v.stage[2], v.number[2] = -1, number(m[9])
	}
	return v, true
}

// compare orders v and o as pip does, but for parts of local versions that are numbers.
func (v pythonVersion) compare(o pythonVersion) int {
	if n := cmp.Compare(v.epoch, o.epoch); n != 0 {
		return n
	}
	for i := range max(len(v.release), len(o.release)) {
		if n := cmp.Compare(v.at(i), o.at(i)); n != 0 {
			return n
		}
	}
	for i := range v.stage {
		if n := cmp.Or(cmp.Compare(v.stage[i], o.stage[i]), cmp.Compare(v.number[i], o.number[i])); n != 0 {
			return n
		}
	}
	return cmp.Compare(v.local, o.local)
}

// startsWith reports whether v is o or one of its later parts: 2.2.3 is of 2.2.
func (v pythonVersion) startsWith(o pythonVersion) bool {
	for i := range o.release {
		if v.at(i) != o.at(i) {
			return false
		}
	}
	return v.epoch == o.epoch
}

func (v pythonVersion) at(i int) int {
	if i < len(v.release) {
		return v.release[i]
	}
	return 0
}
