package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"pigsty/internal/agent"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// inFlight is how many steps one host works on at once.
const inFlight = 8

// leaderPatience is how long a step waits for its cluster to have a leader.
const leaderPatience = 90 * time.Second

// Outcome is what became of one step of an apply.
type Outcome int

// A step was unchanged, or is applied, failed, was blocked by a failure, was
// skipped for the reason that its plan gives, was not begun before an
// interruption, or is lost with a host that could not be reached at all.
const (
	Unchanged Outcome = iota
	Applied
	Failed
	Blocked
	Skipped
	NotBegun
	Lost
)

// Summary is what became of an apply.
type Summary struct {
	Outcomes map[string]Outcome // by step ID
	Errors   map[string]string  // by step ID, of those that Failed
	Hosts    map[string]string  // why a host failed: its first error
	Elapsed  time.Duration
}

// Count returns how many steps had outcome o.
func (s *Summary) Count(o Outcome) int {
	n := 0
	for _, x := range s.Outcomes {
		if x == o {
			n++
		}
	}
	return n
}

// Apply makes the changes of p, each as soon as what it depends on is done.
// When ctx ends no new step begins and those that run are let finish.
func (f *Fleet) Apply(ctx context.Context, g *plan.Graph, p *plan.Plan) *Summary {
	a := &applying{fleet: f, graph: g, ctx: ctx, items: map[string]*plan.Item{}, done: map[string]chan struct{}{},
		places: map[string]chan struct{}{}, leaders: map[string]string{}, groups: map[string]*group{},
		summary: &Summary{Outcomes: map[string]Outcome{}, Errors: map[string]string{}, Hosts: map[string]string{}}}
	began := time.Now()
	for i := range p.Items {
		it := &p.Items[i]
		a.items[it.Step.ID()] = it
		a.done[it.Step.ID()] = make(chan struct{})
		a.join(it)
	}
	for _, h := range p.Hosts {
		a.places[h.Name] = make(chan struct{}, inFlight)
		if h.Error != "" {
			a.summary.Hosts[h.Name] = h.Error
		}
	}
	for _, it := range p.Items { // a host whose plan has an error is not touched
		if it.Error != "" && a.summary.Hosts[it.Step.Host] == "" {
			a.summary.Hosts[it.Step.Host] = it.Step.Resource.Key() + ": " + it.Error
		}
	}
	unfit := map[string]bool{}
	for name := range a.summary.Hosts {
		unfit[name] = true
	}
	var all sync.WaitGroup
	for i := range p.Items {
		it := &p.Items[i]
		all.Go(func() {
			defer close(a.done[it.Step.ID()])
			a.step(it, unfit[it.Step.Host] && it.Step.Cluster == "")
		})
	}
	all.Wait()
	for _, name := range f.order {
		if n := f.hosts[name]; n.lost() == nil {
			all.Go(func() {
				if err := n.client.Save(); err != nil {
					a.failHost(name, fmt.Sprintf("its steps have ended, but not what comes after all of them: %v; apply again", err))
				}
			})
		}
	}
	all.Wait()
	a.summary.Elapsed = time.Since(began)
	return a.summary
}

// applying is one apply under way.
type applying struct {
	fleet  *Fleet
	graph  *plan.Graph
	ctx    context.Context
	items  map[string]*plan.Item
	done   map[string]chan struct{}
	places map[string]chan struct{} // per host, one for each step that it works on
	groups map[string]*group        // by Step.Exclusive

	mu      sync.Mutex
	leaders map[string]string // the last known leader of each cluster
	summary *Summary
}

// step waits for what it depends on and then runs it, if there is anything to do.
func (a *applying) step(it *plan.Item, unfit bool) {
	s := it.Step
	blocker, disturbed := "", false
	for _, id := range a.graph.After(s) {
		<-a.done[id]
		a.mu.Lock()
		switch a.summary.Outcomes[id] {
		case Failed:
			blocker = id
			// One that interrupts and was begun may have left things worse.
			disturbed = disturbed || a.items[id].Error == "" && a.items[id].Change.Impact >= resource.ImpactRestart
		case Blocked, NotBegun:
			blocker = id
		case Lost:
			if s.Cluster == "" { // a cluster has other members
				blocker = id
			}
		case Applied:
			disturbed = true
		}
		a.mu.Unlock()
	}
	ended := a.ctx.Err() != nil
	idle := it.Change.Empty() && it.Change.Skipped == "" && !disturbed
	switch {
	case it.Error != "" && a.fleet.Err(s.Host) != nil:
		a.finish(s, Lost, "")
	case it.Error != "":
		a.finish(s, Failed, it.Error)
		a.fleet.emit(Event{Type: StepFailed, Host: s.Host, Step: s.Resource.Key(), Text: it.Error})
	case idle && !unfit:
		a.finish(s, Unchanged, "") // even if what it needs failed or was not begun: it is as it should be
	case ended && blocker != "" && it.Change.Skipped == "":
		a.finish(s, NotBegun, "")
	case !ended && blocker != "" || unfit:
		a.finish(s, Blocked, "")
		if !it.Change.Empty() {
			a.fleet.emit(Event{Type: StepBlocked, Host: s.Host, Step: s.Resource.Key(), Text: blocker})
		}
	case it.Change.Skipped != "":
		a.finish(s, Skipped, "")
	case ended:
		a.finish(s, NotBegun, "")
	default:
		a.run(it)
	}
}

// run has a host work on the step and records what comes of it.
func (a *applying) run(it *plan.Item) {
	s := it.Step
	if s.Exclusive != "" && it.Change.Impact >= resource.ImpactRestart {
		release, blocker := a.turn(s)
		defer release()
		if blocker != "" && a.ctx.Err() == nil {
			a.finish(s, Blocked, "")
			a.fleet.emit(Event{Type: StepBlocked, Host: s.Host, Step: s.Resource.Key(), Text: blocker})
			return
		}
	}
	places := a.places[s.Host]
	places <- struct{}{}
	defer func() { <-places }()
	if a.ctx.Err() != nil {
		a.finish(s, NotBegun, "")
		return
	}
	a.fleet.emit(Event{Type: StepStart, Host: s.Host, Step: s.Resource.Key(), Change: &it.Change})
	host, r, err := a.dispatch(s)
	e := Event{Host: host, Step: s.Resource.Key(), Change: &r.Change, Elapsed: r.Elapsed}
	switch {
	case err != nil:
		e.Type, e.Text = StepFailed, err.Error()
		a.finish(s, Failed, e.Text)
	case r.Error != "":
		e.Type, e.Text = StepFailed, r.Error
		a.finish(s, Failed, e.Text)
	case r.Change.Skipped != "":
		e.Type = StepDone
		a.finish(s, Skipped, "")
	case r.Applied:
		e.Type = StepDone
		a.finish(s, Applied, "")
	default:
		e.Type = StepDone
		a.finish(s, Unchanged, "")
	}
	a.fleet.emit(e)
}

// dispatch applies s on its host, or on whichever member leads its cluster, and
// says which host that was. A leader that changes meanwhile is followed.
func (a *applying) dispatch(s *plan.Step) (string, agent.Result, error) {
	deadline := time.Now().Add(leaderPatience)
	for {
		var last error
		for _, name := range a.likeliest(s) {
			n := a.fleet.hosts[name]
			if n == nil || n.lost() != nil {
				continue
			}
			answer := n.await(s.ID())
			if err := n.client.Apply(s.ID()); err != nil {
				last = err
				continue
			}
			r, err := n.result(context.WithoutCancel(a.ctx), answer) // a step that runs is let finish
			if err != nil {
				last = err
				a.failHost(name, err.Error())
				continue
			}
			if r.NotLeader {
				continue
			}
			if s.Cluster != "" && r.Error != "" && r.Change.Unknown != "" { // a member that is not up cannot tell whether it leads
				last = errors.New(r.Error)
				continue
			}
			if s.Cluster != "" && r.Error == "" {
				a.mu.Lock()
				a.leaders[s.Cluster] = name
				a.mu.Unlock()
			}
			return name, r, nil
		}
		if s.Cluster == "" {
			return s.Host, agent.Result{}, fmt.Errorf("the host broke off: %w", orLost(last))
		}
		if time.Now().After(deadline) || a.ctx.Err() != nil {
			err := fmt.Errorf("no member of %s became its leader within %s", s.Cluster, leaderPatience)
			if last != nil {
				err = fmt.Errorf("%w; the last word: %w", err, last)
			}
			return s.Host, agent.Result{}, err
		}
		time.Sleep(500 * time.Millisecond)
	}
}

func orLost(err error) error {
	if err == nil {
		return fmt.Errorf("the connection was lost")
	}
	return err
}

// likeliest are the hosts to try for s, the known leader first.
func (a *applying) likeliest(s *plan.Step) []string {
	names := candidates(s)
	a.mu.Lock()
	leader := a.leaders[s.Cluster]
	a.mu.Unlock()
	if s.Cluster == "" || leader == "" || leader == names[0] {
		return names
	}
	out := []string{leader}
	for _, n := range names {
		if n != leader {
			out = append(out, n)
		}
	}
	return out
}

func (a *applying) finish(s *plan.Step, o Outcome, problem string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.summary.Outcomes[s.ID()] = o
	if o == Failed {
		if g := a.groups[s.Exclusive]; g != nil && g.broken == "" {
			g.broken = s.ID()
		}
		a.summary.Errors[s.ID()] = problem
		if a.summary.Hosts[s.Host] == "" {
			a.summary.Hosts[s.Host] = s.Resource.Key() + ": " + problem
		}
	}
}

func (a *applying) failHost(name, why string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.summary.Hosts[name] == "" {
		a.summary.Hosts[name] = why
		go a.fleet.emit(Event{Type: HostDown, Host: name, Text: why})
	}
}
