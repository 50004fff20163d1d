// Package want is what a repository is asked to have, and how to say that it
// cannot be had.
package want

import (
	"fmt"
	"strings"
)

// Package is a package that somebody asks for.
type Package struct {
	Name string
	// Version, if set, is the version wanted, or its beginning up to a
	// separator: "17.2" accepts 17.2-1.pgdg13+1.
	Version string
	Or      string // other names for the same, separated by blanks; the first that there is counts
	For     string // who asks: "repo_packages", "pg_packages with pg_version 17"
	// Optional is left out, and said to be, where no upstream has it.
	Optional bool
}

// Names returns the names that will do, the preferred first.
func (p Package) Names() []string { return append([]string{p.Name}, strings.Fields(p.Or)...) }

// Accepts reports whether version is the one wanted.
func (p Package) Accepts(version string) bool {
	if p.Version == "" || version == p.Version {
		return true
	}
	if _, v, ok := strings.Cut(version, ":"); ok && !strings.Contains(p.Version, ":") {
		version = v // an epoch that nobody writes
	}
	rest, ok := strings.CutPrefix(version, p.Version)
	return ok && (rest == "" || strings.ContainsAny(rest[:1], ".-+~"))
}

// String returns the name and the version that is asked for.
func (p Package) String() string {
	if p.Version == "" {
		return p.Name
	}
	return p.Name + " " + p.Version
}

// Missing is a package, or something that one needs, that no upstream has.
type Missing struct {
	What   string   // as it is asked for: "libc6 (>= 2.99)"
	Chain  []string // who needs it, the nearest first; the last is the parameter that began it
	Origin string   // the upstream of the package that needs it; empty for what a parameter names
	Have   string   // the versions or names that there are instead; empty if none
}

// Error names the thing, who wants it and which upstream should have it.
func (m *Missing) Error() string {
	text := m.What + " is wanted by " + strings.Join(m.Chain, ", by ") + ", but no upstream has it"
	if m.Have != "" {
		text += " (there is " + m.Have + ")"
	}
	if m.Origin != "" {
		return text + fmt.Sprintf("; %s, which %s comes from, or what it builds upon should", m.Origin, m.Chain[0])
	}
	return text
}
