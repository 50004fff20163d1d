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
	byID  map[string]*Step
	deps  map[string][]string
}

// Arrange selects the steps that carry one of tags, joins those that several
// plays declare alike, merges each host's packages into one transaction, and
// orders what is left: what a step declares (After), what
// its resource requires, and packages between early and other steps. It fails
// when two steps share an ID or when the order has a cycle, which are mistakes
// of a module and not of an inventory.
func Arrange(steps []*Step, tags []string) (*Graph, error) {
	g := &Graph{byID: make(map[string]*Step, len(steps)), deps: make(map[string][]string, len(steps))}
	var selected []*Step
	for _, s := range steps {
		if !s.Tagged(tags) {
			continue
		}
		have := g.byID[s.ID()]
		if have == nil {
			copied := *s
			g.byID[s.ID()] = &copied
			selected = append(selected, &copied)
			continue
		}
		if err := have.join(s); err != nil {
			return nil, err
		}
	}
	hosts := map[string][]*Step{}
	for _, s := range selected {
		hosts[s.Host] = append(hosts[s.Host], s)
	}
	for _, s := range selected {
		g.link(s, hosts[s.Host])
	}
	if err := g.sort(selected); err != nil {
		return nil, err
	}
	return g, nil
}

// join makes s stand for other too, which has the same ID: the same resource
// that another play declares, or more packages for the same transaction.
func (s *Step) join(other *Step) error {
	switch p := s.Resource.(type) {
	case *resource.Packages:
		s.Resource = p.Merge(other.Resource.(*resource.Packages))
	default:
		if !reflect.DeepEqual(s.Resource, other.Resource) {
			return fmt.Errorf("two different steps share the name %q", s.ID())
		}
	}
	s.Tags = union(s.Tags, other.Tags)
	s.After = union(s.After, other.After)
	return nil
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
func (g *Graph) After(s *Step) []string { return g.deps[s.ID()] }

// Step returns the step with the given ID, nil if there is none.
func (g *Graph) Step(id string) *Step { return g.byID[id] }

// link finds the steps that s comes after.
func (g *Graph) link(s *Step, mates []*Step) {
	id := s.ID()
	add := func(on string) {
		if on != id && g.byID[on] != nil && !slices.Contains(g.deps[id], on) {
			g.deps[id] = append(g.deps[id], on)
		}
	}
	for _, a := range s.After {
		add(a)
	}
	if r, ok := s.Resource.(resource.Requirer); ok {
		for _, key := range r.Requires() {
			if !strings.HasSuffix(key, "/") {
				add(ID(s.Host, key))
				continue
			}
			for _, m := range mates {
				if strings.HasPrefix(m.Resource.Key(), key) {
					add(m.ID())
				}
			}
		}
	}
	switch {
	case s.Resource.Key() == packagesKey:
		for _, m := range mates {
			if m.Early {
				add(m.ID())
			}
		}
	case !s.Early:
		add(ID(s.Host, packagesKey))
	}
}

// sort puts selected in topological order, keeping the given order otherwise.
func (g *Graph) sort(selected []*Step) error {
	const (
		unseen = iota
		open
		done
	)
	mark := make(map[string]int, len(selected))
	var visit func(s *Step, path []string) error
	visit = func(s *Step, path []string) error {
		id := s.ID()
		switch mark[id] {
		case done:
			return nil
		case open:
			return fmt.Errorf("steps wait for each other: %s", strings.Join(append(path, id), " → "))
		}
		mark[id] = open
		for _, on := range g.deps[id] {
			if err := visit(g.byID[on], append(path, id)); err != nil {
				return err
			}
		}
		mark[id] = done
		g.Steps = append(g.Steps, s)
		return nil
	}
	for _, s := range selected {
		if err := visit(s, nil); err != nil {
			return err
		}
	}
	return nil
}
