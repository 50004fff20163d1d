package inventory

import (
	"cmp"
	"encoding/binary"
	"iter"
	"slices"
	"sort"
	"strings"

	"pigsty/internal/diag"
)

// OriginKind says what gave a variable its value.
type OriginKind int

// What can give a variable its value, from weak to strong.
const (
	OriginGroup OriginKind = iota
	OriginHost
	OriginExtra
)

// Origin is what gave a variable its value: a group or host by name, or the
// command line (-e), where Name is the file that the option named, if any.
type Origin struct {
	Kind OriginKind
	Name string
}

// String describes o in a message, such as "group pg-test".
func (o Origin) String() string {
	switch {
	case o.Kind == OriginGroup:
		return "group " + o.Name
	case o.Kind == OriginHost:
		return "host " + o.Name
	case o.Name != "":
		return "extra variables of " + o.Name
	}
	return "extra variables"
}

// Variable is one variable with the value that holds.
type Variable struct {
	Name    string
	NamePos diag.Pos
	Value   Value
	Origin  Origin
	// Overrides are the weaker values that this one replaces, nearest first,
	// as written (references in them are not expanded).
	Overrides []Variable

	refs bool // Value holds references to other variables
	away bool // Value holds what may be references to secrets outside
}

// Vars are the effective variables of one host.
type Vars struct{ list []*Variable } // by name

// Len returns how many variables there are.
func (v Vars) Len() int { return len(v.list) }

// Get returns the variable called name.
func (v Vars) Get(name string) (Variable, bool) {
	if found := find(v.list, name); found != nil {
		return *found, true
	}
	return Variable{}, false
}

// All returns the variables in the order of their names.
func (v Vars) All() iter.Seq[Variable] {
	return func(yield func(Variable) bool) {
		for _, variable := range v.list {
			if !yield(*variable) {
				return
			}
		}
	}
}

func find(list []*Variable, name string) *Variable {
	i := sort.Search(len(list), func(i int) bool { return list[i].Name >= name })
	if i < len(list) && list[i].Name == name {
		return list[i]
	}
	return nil
}

// variables returns what the entries of a mapping set.
func variables(pairs []Pair, origin Origin) []Variable {
	list := make([]Variable, len(pairs))
	for i, p := range pairs {
		list[i] = Variable{Name: p.Key, NamePos: p.KeyPos, Value: p.Value, Origin: origin, refs: hasReference(p.Value), away: hasAway(p.Value)}
	}
	return list
}

// settle sorts what was set in one place by name. Of a variable set more than
// once there the last holds.
func settle(list []Variable) []Variable {
	slices.SortStableFunc(list, func(a, b Variable) int { return strings.Compare(a.Name, b.Name) })
	out := list[:0]
	for _, v := range list {
		if last := len(out) - 1; last >= 0 && out[last].Name == v.Name {
			out[last] = v.over(out[last])
		} else {
			out = append(out, v)
		}
	}
	return slices.Clip(out)
}

// over returns v with what it replaces.
func (v Variable) over(weaker Variable) Variable {
	chain := append(slices.Clone(v.Overrides), weaker)
	chain = append(chain, weaker.Overrides...)
	chain[len(v.Overrides)].Overrides = nil
	v.Overrides = chain
	return v
}

// overlay returns weak with strong on top, both by name. What strong leaves
// alone is shared, not copied.
func overlay(weak []*Variable, strong []Variable) []*Variable {
	if len(strong) == 0 {
		return weak
	}
	out := make([]*Variable, 0, len(weak)+len(strong))
	for i := range strong {
		v := &strong[i]
		for len(weak) > 0 && weak[0].Name < v.Name {
			out, weak = append(out, weak[0]), weak[1:]
		}
		if len(weak) > 0 && weak[0].Name == v.Name {
			merged := v.over(*weak[0])
			v, weak = &merged, weak[1:]
		}
		out = append(out, v)
	}
	return slices.Clip(append(out, weak...))
}

// layer is what hosts of the same groups share.
type layer struct {
	groups []*Group    // from weak to strong
	vars   []*Variable // of the groups together
}

// layer returns the layer of h's groups. inv.mu must be held.
func (inv *Inventory) layer(h *Host) *layer {
	var key []byte
	for _, g := range h.groups {
		key = binary.AppendUvarint(key, uint64(g.index))
	}
	if l, ok := inv.layers[string(key)]; ok {
		return l
	}
	l := &layer{}
	seen := map[*Group]bool{}
	for _, g := range h.groups {
		for _, ancestor := range closure(g, (*Group).Parents) {
			if !seen[ancestor] {
				seen[ancestor] = true
				l.groups = append(l.groups, ancestor)
			}
		}
	}
	slices.SortFunc(l.groups, func(a, b *Group) int {
		return cmp.Or(cmp.Compare(a.depth, b.depth), cmp.Compare(a.priority, b.priority), strings.Compare(a.name, b.name))
	})
	for _, g := range l.groups {
		l.vars = overlay(l.vars, g.own)
	}
	for _, part := range [][]*Group{l.groups[:1], l.groups[1:]} { // "all" is first
		for dir := range inv.varsDirs {
			for _, g := range part {
				if dir < len(g.beside) {
					l.vars = overlay(l.vars, g.beside[dir])
				}
			}
		}
	}
	inv.layers[string(key)] = l
	return l
}

// rawVars returns h's effective variables with references as written. inv.mu
// must be held.
func (inv *Inventory) rawVars(h *Host) []*Variable {
	if h.raw == nil {
		h.raw = overlay(overlay(inv.layer(h).vars, h.own), inv.extra)
	}
	return h.raw
}

// GroupVars returns what g itself gives its hosts, by name: what the inventory
// and group_vars say of it. References to other variables are as written, since
// they are expanded for a host.
func (inv *Inventory) GroupVars(g *Group) []Variable {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	list := overlay(nil, g.own)
	for _, beside := range g.beside {
		list = overlay(list, beside)
	}
	out := make([]Variable, len(list))
	for i, v := range list {
		out[i] = *v
		out[i].Value, _ = inv.refs.fetch(nil, v, v.Value)
	}
	return out
}
