package engine

import (
	"sync"

	"pigsty/internal/plan"
)

// group is the steps that share a Step.Exclusive.
type group struct {
	hosts  map[string]*place
	mu     sync.Mutex // held by the host whose turn it is
	broken string     // ID of a step that failed or whose host is lost; guarded by applying.mu
}

// place is one host's part of a group.
type place struct {
	steps []string   // their IDs
	mu    sync.Mutex // held by the step that restarts something
	taken bool       // whether the host has its turn, or had it
}

// join makes the step of it part of its group, if it has one.
func (a *applying) join(it *plan.Item) {
	s := it.Step
	if s.Exclusive == "" {
		return
	}
	g := a.groups[s.Exclusive]
	if g == nil {
		g = &group{hosts: map[string]*place{}}
		a.groups[s.Exclusive] = g
	}
	if g.hosts[s.Host] == nil {
		g.hosts[s.Host] = &place{}
	}
	g.hosts[s.Host].steps = append(g.hosts[s.Host].steps, s.ID())
	if it.Error != "" && g.broken == "" {
		g.broken = s.ID()
	}
}

// turn waits until s may restart something: until no other host of its group
// is at it. The host keeps its turn until all its steps of the group are done,
// of which the last sees to it that what was restarted serves again. A step that
// failed, here or on a host that had its turn before, is the blocker: what is left
// of the group must not be restarted too.
func (a *applying) turn(s *plan.Step) (release func(), blocker string) {
	g := a.groups[s.Exclusive]
	p := g.hosts[s.Host]
	p.mu.Lock()
	if !p.taken {
		g.mu.Lock()
		p.taken = true
		go func() {
			for _, id := range p.steps {
				<-a.done[id]
			}
			g.mu.Unlock()
		}()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return p.mu.Unlock, g.broken
}
