// Package inventory reads the declarative inventory pigsty.yml: hosts, groups
// and variables in the shape of Ansible's YAML inventories. It merges several
// files, works out the effective variables of a host, and selects hosts by
// Ansible's patterns. Every value knows its file, line and column.
package inventory

import (
	"os"
	"sync"

	"pigsty/internal/diag"
)

// Source is the text of one inventory file. Name is the path as the user gave
// it; it is what positions show.
type Source struct {
	Name string
	Data []byte
}

// ReadFile reads the file at path.
func ReadFile(path string) (Source, error) {
	data, err := os.ReadFile(path)
	return Source{Name: path, Data: data}, err
}

// Inventory is what the sources declare together. Reading it is safe from
// several goroutines; SetExtra and SetDefaults are not to run at the same time.
type Inventory struct {
	hosts      []*Host
	groups     []*Group
	hostNamed  map[string]*Host
	groupNamed map[string]*Group

	mu       sync.Mutex // guards what follows
	layers   map[string]*layer
	extra    []Variable // by name
	defaults func(name string) (Value, bool)
	refs     *references
}

// Load reads sources in order: groups and hosts of the same name merge, and a
// variable given again in the same group or host replaces the earlier one. It
// returns as much as could be read, even with errors. References between
// variables are not looked at: that is Check's part, since SetExtra can still
// define what they name.
func Load(sources ...Source) (*Inventory, diag.List) {
	var diags diag.List
	inv := &Inventory{hostNamed: map[string]*Host{}, groupNamed: map[string]*Group{}}
	b := builder{inv: inv, diags: &diags}
	inv.addGroup("all", diag.Pos{})
	for _, src := range sources {
		if top, ok := parseYAML(src, &diags); ok {
			b.source(top)
		}
	}
	b.finish()
	inv.reset()
	return inv, diags.Sorted()
}

// reset forgets all effective variables.
func (inv *Inventory) reset() {
	inv.layers = map[string]*layer{}
	inv.refs = newReferences(inv)
	for _, h := range inv.hosts {
		h.raw = nil
		h.vars.Store(nil)
	}
}

// Hosts returns all hosts, in order of first appearance.
func (inv *Inventory) Hosts() []*Host { return inv.hosts }

// Host returns the host with that name, nil if there is none.
func (inv *Inventory) Host(name string) *Host { return inv.hostNamed[name] }

// Groups returns all groups: "all", then in order of first appearance. The
// group "ungrouped" is among them when it is declared or has hosts.
func (inv *Inventory) Groups() []*Group { return inv.groups }

// Group returns the group with that name, nil if there is none.
func (inv *Inventory) Group(name string) *Group { return inv.groupNamed[name] }

func (inv *Inventory) addGroup(name string, pos diag.Pos) *Group {
	g, ok := inv.groupNamed[name]
	if !ok {
		g = &Group{name: name, index: len(inv.groups), member: map[*Host]bool{}}
		inv.groupNamed[name] = g
		inv.groups = append(inv.groups, g)
	}
	if g.pos.IsZero() {
		g.pos = pos
	}
	return g
}

func (inv *Inventory) addHost(name string, pos diag.Pos) *Host {
	h, ok := inv.hostNamed[name]
	if !ok {
		h = &Host{inv: inv, name: name, pos: pos, index: len(inv.hosts)}
		inv.hostNamed[name] = h
		inv.hosts = append(inv.hosts, h)
	}
	return h
}
