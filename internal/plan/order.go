package plan

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"pigsty/internal/resource"
)

// packagesKey is the key of the one resource.Packages that a host's are merged into.
const packagesKey = "packages"

// Graph is steps with all their edges, in an order in which each comes after
// those it depends on.
type Graph struct {
	Steps []*Step
	nodes []node
	byID  map[string]int // place in nodes
}

// node is a step before it has its place in the order.
type node struct {
	step  *Step
	after []int32 // places in Graph.nodes
	mark  mark
}

// Arrange selects the steps that carry one of tags, joins those that several
// plays declare alike, merges each host's packages into one transaction, and
// orders what is left: what a step declares (After), what
// its resource requires, and packages between early and other steps. It fails
// when two steps share an ID or when the order has a cycle, which are mistakes
// of a module and not of an inventory.
func Arrange(steps []*Step, tags []string) (*Graph, error) {
	g := &Graph{nodes: make([]node, 0, len(steps)), byID: make(map[string]int, len(steps))}
	hosts := map[string]*mates{}
	for _, s := range steps {
		if !s.Tagged(tags) {
			continue
		}
		id := s.ID()
		if i, ok := g.byID[id]; ok {
			joined, err := g.nodes[i].step.join(s)
			if err != nil {
				return nil, err
			}
			g.nodes[i].step = joined
			continue
		}
		i := len(g.nodes)
		g.byID[id] = i
		g.nodes = append(g.nodes, node{step: s})
		if hosts[s.Host] == nil {
			hosts[s.Host] = &mates{}
		}
		hosts[s.Host].places = append(hosts[s.Host].places, int32(i))
	}
	l := linker{Graph: g}
	for i := range g.nodes {
		l.link(i, hosts[g.nodes[i].step.Host])
	}
	if err := g.sort(); err != nil {
		return nil, err
	}
	return g, nil
}

// join returns a step for both s and other, which has the same ID: the same
// resource that another play declares, or more packages for the same transaction.
func (s *Step) join(other *Step) (*Step, error) {
	both := *s
	switch p := s.Resource.(type) {
	case *resource.Packages:
		both.Resource = p.Merge(other.Resource.(*resource.Packages))
	default:
		if !reflect.DeepEqual(s.Resource, other.Resource) {
			return nil, fmt.Errorf("two different steps share the name %q", s.ID())
		}
	}
	both.Tags = union(s.Tags, other.Tags)
	both.After = union(s.After, other.After)
	return &both, nil
}

func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, x := range b {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

// After returns the IDs of the steps that s directly comes after.
func (g *Graph) After(s *Step) []string {
	i, ok := g.byID[s.ID()]
	if !ok {
		return nil
	}
	var ids []string
	for _, on := range g.nodes[i].after {
		ids = append(ids, g.nodes[on].step.ID())
	}
	return ids
}

// Step returns the step with the given ID, nil if there is none.
func (g *Graph) Step(id string) *Step {
	if i, ok := g.byID[id]; ok {
		return g.nodes[i].step
	}
	return nil
}

// mark says how far sorting has come with a step.
type mark uint8

const (
	unseen mark = iota
	open        // what it comes after is being sorted
	sorted
)

// sort puts the steps in topological order, keeping the given order otherwise.
func (g *Graph) sort() error {
	g.Steps = make([]*Step, 0, len(g.nodes))
	var path []int32
	var visit func(i int32) error
	visit = func(i int32) error {
		n := &g.nodes[i]
		path = append(path, i)
		switch n.mark {
		case open:
			return fmt.Errorf("steps wait for each other: %s", g.names(path))
		case unseen:
			n.mark = open
			for _, on := range n.after {
				if err := visit(on); err != nil {
					return err
				}
			}
			n.mark = sorted
			g.Steps = append(g.Steps, n.step)
		}
		path = path[:len(path)-1]
		return nil
	}
	for i := range g.nodes {
		if err := visit(int32(i)); err != nil {
			return err
		}
	}
	return nil
}

// names lists the steps at places for a message.
func (g *Graph) names(places []int32) string {
	var ids []string
	for _, i := range places {
		ids = append(ids, g.nodes[i].step.ID())
	}
	return strings.Join(ids, " → ")
}
