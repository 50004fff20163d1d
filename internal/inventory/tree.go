package inventory

import (
	"slices"
	"strings"

	"pigsty/internal/diag"
)

// connect joins the groups into one tree below "all", as Ansible does, once all
// inventories are read.
func (b *builder) connect() {
	inv := b.inv
	all := inv.groupNamed["all"]
	b.join()
	for _, g := range inv.groups {
		if g != all && len(g.parents) == 0 {
			all.addChild(g)
		}
	}
	b.ungrouped(all)
	setDepths(all)
	for _, h := range inv.hosts {
		if g := inv.groupNamed[h.name]; g != nil {
			b.diags.Add(diag.Diagnostic{
				Severity: diag.Warning, Code: "host-is-group", Pos: h.pos,
				Message: "\"" + h.name + "\" is the name of both a host and a group", Advice: "rename one of them: -l " + h.name + " means the group",
			})
		}
	}
}

// settle ends the reading of variables.
func (b *builder) settle() {
	for _, g := range b.inv.groups {
		g.own = settle(g.own)
		for i := range g.beside {
			g.beside[i] = settle(g.beside[i])
		}
	}
	for _, h := range b.inv.hosts {
		h.own = settle(h.own)
	}
}

// join makes the edges parents and children, except those that close a cycle.
func (b *builder) join() {
	below := map[*Group][]edge{}
	for _, e := range b.edges {
		below[e.parent] = append(below[e.parent], e)
	}
	const (
		unseen = iota
		open   // on the way down to the group at hand
		done
	)
	state := make([]int, len(b.inv.groups))
	var path []*Group
	var visit func(g *Group)
	visit = func(g *Group) {
		state[g.index] = open
		path = append(path, g)
		for _, e := range below[g] {
			switch {
			case state[e.child.index] == open || e.child.name == "all":
				b.cycle(e, path)
				continue
			case state[e.child.index] == unseen:
				visit(e.child)
			}
			g.addChild(e.child)
		}
		path = path[:len(path)-1]
		state[g.index] = done
	}
	for _, g := range b.inv.groups {
		if state[g.index] == unseen {
			visit(g)
		}
	}
}

// cycle reports that e leads back to a group of path.
func (b *builder) cycle(e edge, path []*Group) {
	if e.child.name == "all" {
		b.errorf(e.pos, "group-cycle", "remove it here", `"all" cannot be a child: every group stands below it`)
		return
	}
	var names []string
	for _, g := range path[slices.Index(path, e.child):] {
		names = append(names, g.name)
	}
	names = append(names, e.child.name)
	b.errorf(e.pos, "group-cycle", "remove one of these from the children of the other", "group %q stands below itself: %s", e.child.name, strings.Join(names, " > "))
}

// ungrouped collects the hosts that no group but "all" names. That group exists
// in Ansible whether declared or not, but here only when there is a use for it.
func (b *builder) ungrouped(all *Group) {
	g := b.inv.groupNamed["ungrouped"]
	for _, h := range b.inv.hosts {
		other := slices.ContainsFunc(h.groups, func(in *Group) bool { return in != all && in != g })
		switch {
		case other && g != nil && g.member[h]:
			delete(g.member, h)
			h.groups = slices.DeleteFunc(h.groups, func(in *Group) bool { return in == g })
		case !other:
			if g == nil {
				g = b.inv.addGroup("ungrouped", diag.Pos{})
				all.addChild(g)
			}
			g.addHost(h)
		}
	}
	if g != nil {
		g.hosts = slices.DeleteFunc(g.hosts, func(h *Host) bool { return !g.member[h] })
	}
}

// setDepths gives every group the length of the longest way down to it.
func setDepths(all *Group) {
	var order []*Group // children before parents
	seen := map[*Group]bool{}
	var visit func(g *Group)
	visit = func(g *Group) {
		seen[g] = true
		for _, child := range g.children {
			if !seen[child] {
				visit(child)
			}
		}
		order = append(order, g)
	}
	visit(all)
	for _, g := range slices.Backward(order) {
		for _, child := range g.children {
			child.depth = max(child.depth, g.depth+1)
		}
	}
}
