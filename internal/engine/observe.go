package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pigsty/internal/agent"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// ErrInterrupted says that the context of an observation ended before the
// hosts had answered. An observation changes nothing.
var ErrInterrupted = errors.New("interrupted while the hosts were looked at")

// Observe asks every host, in one exchange each, what the steps of g would
// change there. A step of a cluster is asked of all its members and answered
// by the one that leads. It ends with ctx, and the error is ErrInterrupted then.
func (f *Fleet) Observe(ctx context.Context, g *plan.Graph, req plan.Request) (*plan.Plan, error) {
	sent := map[string][]agent.Step{}
	answers := map[string]map[string]<-chan agent.Result{} // step → host → its answer
	for _, s := range g.Steps {
		answers[s.ID()] = map[string]<-chan agent.Result{}
		for _, name := range candidates(s) {
			n := f.hosts[name]
			if n == nil || n.lost() != nil {
				continue
			}
			n.expect(s)
			answers[s.ID()][name] = n.await(s.ID())
			sent[name] = append(sent[name], agent.Step{ID: s.ID(), Resource: s.Resource, After: g.After(s), Given: s.Given})
		}
	}
	for name, steps := range sent {
		n := f.hosts[name]
		if err := n.client.Observe(steps); err != nil {
			n.lose(err)
			_ = n.conn.Close() // which ends the waiting for its answers
		}
	}

	p := &plan.Plan{Created: time.Now(), Request: req}
	for _, s := range g.Steps {
		p.Items = append(p.Items, f.observed(ctx, s, answers[s.ID()]))
	}
	if ctx.Err() != nil {
		return nil, ErrInterrupted
	}
	for _, name := range f.order {
		h := plan.HostState{Name: name}
		if err := f.hosts[name].lost(); err != nil {
			h.Error = err.Error()
		} else {
			h.Observing = f.hosts[name].client.Observing()
		}
		p.Hosts = append(p.Hosts, h)
	}
	return p, nil
}

// candidates are the hosts that a step may run on, the likeliest first.
func candidates(s *plan.Step) []string {
	if s.Cluster == "" {
		return []string{s.Host}
	}
	out := []string{s.Host}
	for _, m := range s.Members {
		if m != s.Host {
			out = append(out, m)
		}
	}
	return out
}

// observed waits for the answers about s and makes one item of them.
func (f *Fleet) observed(ctx context.Context, s *plan.Step, answers map[string]<-chan agent.Result) plan.Item {
	it := plan.Item{Step: s}
	var unknown, failed *agent.Result
	followers, lost := 0, 0
	for _, name := range candidates(s) {
		answer, asked := answers[name]
		if !asked {
			lost++
			continue
		}
		r, err := f.hosts[name].result(ctx, answer)
		switch {
		case err != nil:
			lost++
			it.Error = err.Error()
		case r.NotLeader:
			followers++
		case r.Error != "":
			failed = &r
		case r.Change.Unknown != "" && s.Cluster != "":
			if unknown == nil {
				unknown = &r
			}
		default:
			it.Error, it.Change = "", r.Change
			return it
		}
	}
	switch {
	case failed != nil:
		it.Error = failed.Error
	case followers > 0 && lost > 0 && unknown == nil:
		it.Error = ""
		it.Change = resource.Change{Skipped: fmt.Sprintf("the leader of %s is not among the hosts of this run", s.Cluster)}
	case followers > 0 && unknown == nil:
		it.Error = fmt.Sprintf("no member of %s leads it now; `pigsty status` shows why", s.Cluster)
	case unknown != nil:
		it.Error, it.Change = "", unknown.Change
	case it.Error == "":
		it.Error = "the host was not reached"
	}
	return it
}

// result waits for an answer, the end of the connection or that of ctx.
func (n *node) result(ctx context.Context, answer <-chan agent.Result) (agent.Result, error) {
	select {
	case r := <-answer:
		return r, nil
	case <-ctx.Done():
		return agent.Result{}, ErrInterrupted
	case <-n.client.Done():
	}
	select {
	case r := <-answer: // it may have arrived just before the end
		return r, nil
	default:
	}
	n.lose(n.client.Err())
	return agent.Result{}, n.lost()
}
