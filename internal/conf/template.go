// Package conf writes an inventory to begin with: it has templates, fills them
// in with what is known of the machine and what a user asks for, and checks
// whether the machine is fit to be deployed on.
//
// A template is a complete inventory, with Pigsty's placeholder addresses and
// published passwords. Filling it in replaces values where they stand in the
// text, so that its comments and its layout stay.
package conf

import (
	"cmp"
	"embed"
	"net/netip"
	"slices"
	"strings"
)

//go:embed templates/*.yml templates/ha/*.yml
var files embed.FS

// Template is an inventory to start from.
type Template struct {
	Name  string       // meta, ha/trio
	About string       // one line
	Hosts []netip.Addr // the placeholders of its hosts, in ascending order; the first is the admin node
	// Fixed is set when the addresses and the profiles are part of what the
	// template describes: those of sandbox hosts, whatever machine this is.
	Fixed bool

	text string
}

// DefaultTemplate is the template that is used when none is named.
const DefaultTemplate = "meta"

// sandboxTemplate describes the hosts of `pigsty sandbox up`.
const sandboxTemplate = "sandbox"

// Templates returns every template: single machines first, then those of
// several hosts, the smallest first.
func Templates() []Template {
	var list []Template
	for _, dir := range []string{"templates", "templates/ha"} {
		entries, err := files.ReadDir(dir)
		if err != nil {
			panic("conf: " + err.Error()) // it is embedded
		}
		for _, e := range entries {
			if name, ok := strings.CutSuffix(e.Name(), ".yml"); ok {
				list = append(list, read(strings.TrimPrefix(dir+"/"+name, "templates/")))
			}
		}
	}
	slices.SortStableFunc(list, func(a, b Template) int {
		return cmp.Or(cmp.Compare(len(a.Hosts), len(b.Hosts)), cmp.Compare(rank(a), rank(b)))
	})
	return list
}

// rank puts the default template before all others.
func rank(t Template) int {
	if t.Name == DefaultTemplate {
		return 0
	}
	return 1
}

// Lookup returns the template called name.
func Lookup(name string) (Template, bool) {
	for _, t := range Templates() {
		if t.Name == name {
			return t, true
		}
	}
	return Template{}, false
}

// read parses the embedded template called name. Its second line is
// "# NAME: what it is".
func read(name string) Template {
	data, err := files.ReadFile("templates/" + name + ".yml")
	if err != nil {
		panic("conf: " + err.Error())
	}
	t := Template{Name: name, Fixed: name == sandboxTemplate, text: string(data)}
	_, rest, _ := strings.Cut(t.text, "\n")
	line, _, _ := strings.Cut(rest, "\n")
	var ok bool
	if t.About, ok = strings.CutPrefix(line, "# "+name+": "); !ok {
		panic("conf: the second line of " + name + " does not describe it")
	}
	d, err := parse(t.text)
	if err != nil {
		panic("conf: " + name + ": " + err.Error())
	}
	t.Hosts = d.hosts()
	return t
}

// Sets reports whether t gives all hosts the variable called name.
func (t Template) Sets(name string) bool {
	d, err := parse(t.text)
	return err == nil && value(value(d.all, "vars"), name) != nil
}
