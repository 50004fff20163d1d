package inventory

import (
	"slices"

	"pigsty/internal/diag"
)

// Group is a named set of hosts with variables.
type Group struct {
	name     string
	pos      diag.Pos
	index    int // in the inventory
	depth    int // the longest way down from "all"
	priority int // ansible_group_priority
	hosts    []*Host
	member   map[*Host]bool // hosts, as a set
	children []*Group
	parents  []*Group
	own      []Variable   // by name, once loaded
	beside   [][]Variable // those of its files below group_vars, as own, for each of the inventory's varsDirs
}

// Name returns the group's name.
func (g *Group) Name() string { return g.name }

// Pos returns where the group is first declared. It is zero for a group that no
// source mentions ("all" and "ungrouped" exist anyhow).
func (g *Group) Pos() diag.Pos { return g.pos }

// Children returns the groups directly below g, in the order declared.
func (g *Group) Children() []*Group { return g.children }

// Parents returns the groups that g stands directly below, in the order
// declared. Only "all" has none.
func (g *Group) Parents() []*Group { return g.parents }

// Own returns the hosts that the group itself names, in the order declared.
func (g *Group) Own() []*Host { return g.hosts }

// Hosts returns the group's own hosts and then those of its descendants, level
// by level, in the order declared, each once.
func (g *Group) Hosts() []*Host {
	seen := map[*Host]bool{}
	var hosts []*Host
	for _, d := range closure(g, (*Group).Children) {
		for _, h := range d.hosts {
			if !seen[h] {
				seen[h] = true
				hosts = append(hosts, h)
			}
		}
	}
	return hosts
}

// closure returns start and all that next leads to from it, level by level.
func closure(start *Group, next func(*Group) []*Group) []*Group {
	seen := map[*Group]bool{start: true}
	found := []*Group{start}
	for i := 0; i < len(found); i++ {
		for _, g := range next(found[i]) {
			if !seen[g] {
				seen[g] = true
				found = append(found, g)
			}
		}
	}
	return found
}

func (g *Group) addHost(h *Host) {
	if !g.member[h] {
		g.member[h] = true
		g.hosts = append(g.hosts, h)
		h.groups = append(h.groups, g)
	}
}

func (g *Group) addChild(child *Group) {
	if !slices.Contains(child.parents, g) {
		g.children = append(g.children, child)
		child.parents = append(child.parents, g)
	}
}
