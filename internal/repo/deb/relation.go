package deb

import "strings"

// Relation is a package that another one needs, in some version.
type Relation struct {
	Name    string
	Op      string // <<, <=, =, >=, >>; empty where any version will do
	Version string
}

// String writes r as control files do.
func (r Relation) String() string {
	if r.Op == "" {
		return r.Name
	}
	return r.Name + " (" + r.Op + " " + r.Version + ")"
}

// Alternatives are relations of which one is enough, the preferred first.
type Alternatives []Relation

// String writes a as control files do.
func (a Alternatives) String() string {
	words := make([]string, len(a))
	for i, r := range a {
		words[i] = r.String()
	}
	return strings.Join(words, " | ")
}

// parseRelations reads a field such as Depends. Qualifiers of architectures
// (python3:any) are dropped: a repository here is of one.
func parseRelations(text string) []Alternatives {
	var all []Alternatives
	for part := range strings.SplitSeq(text, ",") {
		var one Alternatives
		for alt := range strings.SplitSeq(part, "|") {
			if r, ok := parseRelation(alt); ok {
				one = append(one, r)
			}
		}
		if len(one) > 0 {
			all = append(all, one)
		}
	}
	return all
}

func parseRelation(text string) (Relation, bool) {
	name, rest, versioned := strings.Cut(text, "(")
	name, _, _ = strings.Cut(strings.TrimSpace(name), ":")
	r := Relation{Name: strings.TrimSpace(name)}
	if versioned {
		rest, _, _ = strings.Cut(rest, ")")
		rest = strings.TrimSpace(rest)
		n := strings.IndexFunc(rest+"0", func(c rune) bool { return !strings.ContainsRune("<>=", c) })
		r.Op, r.Version = rest[:n], strings.TrimSpace(rest[n:])
		switch r.Op { // as obsolete files have it
		case "<":
			r.Op = "<="
		case ">":
			r.Op = ">="
		}
	}
	return r, r.Name != ""
}

// accepts reports whether version is one that r asks for.
func (r Relation) accepts(version string) bool {
	if r.Op == "" {
		return true
	}
	c := Compare(version, r.Version)
	switch r.Op {
	case "<<":
		return c < 0
	case "<=":
		return c <= 0
	case "=":
		return c == 0
	case ">=":
		return c >= 0
	case ">>":
		return c > 0
	}
	return false
}
