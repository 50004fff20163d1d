package inventory

import (
	"slices"
	"sync/atomic"

	"pigsty/internal/diag"
)

// Host is one host of an inventory.
type Host struct {
	inv    *Inventory
	name   string
	pos    diag.Pos
	index  int      // in the inventory
	groups []*Group // that name it, in the order declared
	own    []Variable

	raw  []*Variable // effective variables before references are expanded; guarded by inv.mu
	vars atomic.Pointer[Vars]
}

// Name returns the name the inventory gives the host: an address, most often.
func (h *Host) Name() string { return h.name }

// Pos returns where the host first appears.
func (h *Host) Pos() diag.Pos { return h.pos }

// Groups returns all groups that the host belongs to, their ancestors included,
// from the weakest variables to the strongest: "all" comes first.
func (h *Host) Groups() []*Group {
	h.inv.mu.Lock()
	defer h.inv.mu.Unlock()
	return slices.Clone(h.inv.layer(h).groups)
}

// Vars returns the host's effective variables. They are worked out once; the
// precedence is Ansible's, from weak to strong: all, parent groups, child
// groups (at the same depth by ansible_group_priority, then by name), then what
// group_vars has for all, and for the other groups in the same order, the host
// itself, host_vars, extra variables. A stronger value replaces a weaker one
// whole.
func (h *Host) Vars() Vars {
	if v := h.vars.Load(); v != nil {
		return *v
	}
	h.inv.mu.Lock()
	defer h.inv.mu.Unlock()
	if v := h.vars.Load(); v != nil {
		return *v
	}
	v := Vars{h.inv.refs.expandAll(h)}
	h.vars.Store(&v)
	return v
}

// Written returns the value of the variable called name as it is written, with
// references not expanded.
func (h *Host) Written(name string) (Value, bool) {
	h.inv.mu.Lock()
	defer h.inv.mu.Unlock()
	if v := find(h.inv.rawVars(h), name); v != nil {
		return v.Value, true
	}
	return Value{}, false
}
