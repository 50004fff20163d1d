// Package inventory reads the declarative inventory pigsty.yml: hosts, groups
// and variables in the shape of Ansible's YAML inventories. It merges several
// files, works out the effective variables of a host, and selects hosts by
// Ansible's patterns. Every value knows its file, line and column.
package inventory

import (
	"slices"
	"sync"

	"pigsty/internal/diag"
	"pigsty/internal/secret"
	"pigsty/internal/vault"
)

// Inventory is what the sources declare together. Reading it is safe from
// several goroutines; the methods whose names begin with Set are not to run at
// the same time.
type Inventory struct {
	hosts      []*Host
	groups     []*Group
	hostNamed  map[string]*Host
	groupNamed map[string]*Group
	varsDirs   []string // those of VarsFile, from weak to strong
	opener     opener

	mu       sync.Mutex // guards what follows
	layers   map[string]*layer
	extra    []Variable // by name
	defaults func(name string) (Value, bool)
	secrets  SecretsOf
	refs     *references
}

// Load reads sources in order: groups and hosts of the same name merge, and a
// variable given again in the same group or host replaces the earlier one. It
// returns as much as could be read, even with errors. References between
// variables are not looked at: that is Check's part, since SetExtra can still
// define what they name. What is encrypted stays so.
func Load(sources ...Source) (*Inventory, diag.List) { return LoadLocked(nil, sources...) }

// LoadLocked is Load with the keys of what is encrypted in the sources, and in
// the files that SetExtra will read.
func LoadLocked(keys *vault.Keyring, sources ...Source) (*Inventory, diag.List) {
	var diags diag.List
	inv := &Inventory{hostNamed: map[string]*Host{}, groupNamed: map[string]*Group{}, opener: opener{keys: keys}}
	b := builder{inv: inv, diags: &diags}
	inv.addGroup("all", diag.Pos{})
	var vars []Source
	for _, src := range sources {
		if src.Vars != nil {
			vars = append(vars, src)
		} else if top, ok := parseYAML(src, &inv.opener, &diags); ok {
			b.source(top)
		}
	}
	b.sound = !diags.HasErrors()
	b.connect()
	for _, src := range vars {
		b.varsFile(src)
	}
	b.settle()
	inv.reset()
	return inv, diags.Sorted()
}

// Decrypted returns the texts that were encrypted in what was read so far.
func (inv *Inventory) Decrypted() []secret.Value { return slices.Clone(inv.opener.texts) }

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
