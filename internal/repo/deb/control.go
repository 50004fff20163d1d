// Package deb reads, resolves and writes repositories of Debian packages.
package deb

import (
	"fmt"
	"iter"
	"strconv"
	"strings"
)

// Package is a package of an index.
type Package struct {
	Name, Version, Arch string
	File                string // relative to the repository
	Size                int64
	SHA256              string
	Origin              *Origin

	text     string // its paragraph in the index
	provides string
	priority string
	kept     bool // from the repository that is there already
}

// Origin is where packages come from.
type Origin struct {
	Name string // as people know it: "pgdg", "http://archive.example.com/debian trixie main"
	Base string // URL that File is relative to
	// Pin is apt's priority: 500; 100 or 1 for what is only taken if nothing
	// else has it, such as backports.
	Pin int
}

// needs returns what must be there for the package to be installed.
func (p *Package) needs() []Alternatives {
	return append(parseRelations(field(p.text, "Pre-Depends")), parseRelations(field(p.text, "Depends"))...)
}

// FullVersion returns the version.
func (p *Package) FullVersion() string { return p.Version }

// UpstreamName returns the name of where p comes from.
func (p *Package) UpstreamName() string { return p.Origin.Name }

// String returns name and version.
func (p *Package) String() string { return p.Name + " " + p.Version }

// ParseIndex reads a Packages file.
func ParseIndex(text string, origin *Origin) ([]*Package, error) {
	var all []*Package
	for stanza := range paragraphs(text) {
		p := &Package{Origin: origin, text: stanza}
		for name, value := range fields(stanza) {
			switch name {
			case "Package":
				p.Name = value
			case "Version":
				p.Version = value
			case "Architecture":
				p.Arch = value
			case "Filename":
				p.File = strings.TrimPrefix(value, "./")
			case "SHA256":
				p.SHA256 = value
			case "Provides":
				p.provides = value
			case "Priority":
				p.priority = value
			case "Size":
				n, err := strconv.ParseInt(value, 10, 64)
				if err != nil {
					return nil, fmt.Errorf("package %s: the size %q is no number", p.Name, value)
				}
				p.Size = n
			}
		}
		switch {
		case p.Name == "" || p.Version == "" || p.File == "":
			return nil, fmt.Errorf("a paragraph lacks Package, Version or Filename: %.60q", stanza)
		case p.SHA256 == "" || p.Size == 0:
			return nil, fmt.Errorf("package %s has no size or no SHA256", p.Name)
		case strings.Contains("/"+p.File+"/", "/../"):
			return nil, fmt.Errorf("package %s has the file name %q", p.Name, p.File)
		}
		all = append(all, p)
	}
	return all, nil
}

// paragraphs returns the paragraphs of a control file, which empty lines part.
func paragraphs(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for text != "" {
			stanza := text
			if i := strings.Index(text, "\n\n"); i >= 0 {
				stanza, text = text[:i+1], text[i+2:]
			} else {
				text = ""
			}
			if stanza = strings.TrimLeft(stanza, "\n"); stanza != "" && !yield(stanza) {
				return
			}
		}
	}
}

// fields returns the fields of a paragraph with their first lines.
func fields(stanza string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for line := range strings.Lines(stanza) {
			if line[0] == ' ' || line[0] == '\t' || line[0] == '#' {
				continue
			}
			name, value, ok := strings.Cut(line, ":")
			if ok && !yield(name, strings.TrimSpace(value)) {
				return
			}
		}
	}
}

// field returns the value of a field of a paragraph, all its lines, "" if it is
// not there. Names are not case-sensitive.
func field(stanza, name string) string {
	value, within := "", false
	for line := range strings.Lines(stanza) {
		switch {
		case line[0] == '#':
		case line[0] == ' ' || line[0] == '\t':
			if within {
				value += "\n" + strings.TrimSpace(line)
			}
		case within:
			return value
		default:
			key, rest, _ := strings.Cut(line, ":")
			if within = strings.EqualFold(key, name); within {
				value = strings.TrimSpace(rest)
			}
		}
	}
	return value
}
