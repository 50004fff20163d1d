package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"pigsty/internal/diag"
	"pigsty/internal/engine"
	"pigsty/internal/inventory"
	"pigsty/internal/module"
	"pigsty/internal/plan"
)

// run is one plan or apply: some plays on some hosts.
type run struct {
	*deployment
	req   plan.Request
	plays []*module.Play
	yes   []string // names of what may be destroyed

	only func([]*plan.Step) []*plan.Step // narrows what the plays declare; nil for all of it

	selected   []string // hosts that -l names, all without it
	registrars []string // hosts that are reached for registration alone

	site  *module.Site
	fleet *engine.Fleet
	graph *plan.Graph
	plan  *plan.Plan
}

// prepare loads and checks the inventory and finds the hosts that the plays
// concern, all without touching one.
func (a *app) prepare(req plan.Request) (*run, []*module.Host, error) {
	var extra []string
	for _, e := range req.Extra {
		extra = append(extra, e.Reveal())
	}
	d, err := a.load(extra)
	if err != nil {
		return nil, nil, err
	}
	req.Shown = inventory.ShownExtra(extra, d.hides)
	if err := d.check(); err != nil {
		return nil, nil, err
	}
	r := &run{deployment: d, req: req}
	for _, name := range req.Plays {
		p := findPlay(a.modules, name)
		if p == nil {
			known := diag.Nearest(name, slices.Values(a.playNames()))
			return nil, nil, status(exitInvalid, "there is no play %q%s; plays are %s", name, didYouMean(known), strings.Join(a.playNames(), ", "))
		}
		r.plays = append(r.plays, p)
	}
	if err := r.checkTags(); err != nil {
		return nil, nil, err
	}
	r.site = d.site(d.knownFacts())
	hosts, err := d.selected(r.site, req.Limit)
	if err != nil {
		return nil, nil, err
	}
	for _, h := range hosts {
		r.selected = append(r.selected, h.Name())
	}
	concerned := r.concerned(hosts)
	if len(concerned)+len(r.registrars) == 0 {
		return nil, nil, r.unconcerned(hosts)
	}
	return r, concerned, nil
}

// unconcerned says why the run has no step for any of hosts. That nothing
// carries a tag is how things are: a repository's where there is none.
func (r *run) unconcerned(hosts []*module.Host) error {
	plays, tags := strings.Join(r.req.Plays, ", "), r.req.Tags
	r.req.Tags = nil
	if len(tags) > 0 && len(r.concerned(hosts)) > 0 {
		fmt.Fprintf(r.app.err, "nothing to do: with this inventory no step of %s carries the tag %s\n", plays, strings.Join(tags, " or "))
		return status(exitDone, "")
	}
	return status(exitInvalid, "%s concerns none of the selected hosts; `pigsty list` shows what each host has", plays)
}

// hosts returns the hosts called names as the site has them now.
func (r *run) hosts(names []string) []*module.Host {
	out := make([]*module.Host, len(names))
	for i, name := range names {
		out[i] = r.site.Host(name)
	}
	return out
}

// registration returns the steps that the plays bring along on other hosts for the
// selected ones, but for those that steps have already: the play infra declares
// those of infra nodes, too.
func (r *run) registration(steps []*plan.Step) []*plan.Step {
	have := make(map[string]bool, len(steps))
	for _, s := range steps {
		if s.Tagged(r.req.Tags) {
			have[s.ID()] = true
		}
	}
	var out []*plan.Step
	for _, p := range r.plays {
		for _, s := range r.site.Registration(p, r.hosts(r.selected)) {
			if !have[s.ID()] {
				out = append(out, s)
			}
		}
	}
	return out
}

// concerned returns those of hosts that some step of the run is for. Those beyond
// them that are told of something become registrars.
func (r *run) concerned(hosts []*module.Host) []*module.Host {
	needed := map[string]bool{}
	for _, p := range r.plays {
		for _, s := range p.Steps(r.site, hosts) {
			if s.Tagged(r.req.Tags) {
				needed[s.Host] = true
			}
			if s.Tagged(r.req.Tags) && s.Cluster != "" {
				for _, m := range s.Members {
					needed[m] = true
				}
			}
		}
	}
	told := map[string]bool{}
	for _, s := range r.registration(nil) {
		told[s.Host] = told[s.Host] || s.Tagged(r.req.Tags)
	}
	var out []*module.Host
	for _, h := range r.site.Hosts() {
		switch name := h.Name(); {
		case needed[name] && slices.Contains(hosts, h):
			out = append(out, h)
		case told[name]:
			r.registrars = append(r.registrars, name)
		}
	}
	return out
}

func (r *run) checkTags() error {
	known := map[string]bool{"all": true}
	for _, p := range r.plays {
		for _, t := range p.Tags {
			known[t] = true
		}
	}
	for _, t := range r.req.Tags {
		if !known[t] {
			names := slices.Sorted(maps.Keys(known))
			return status(exitInvalid, "there is no tag %q%s; --list-tags lists them", t, didYouMean(diag.Nearest(t, slices.Values(names))))
		}
	}
	return nil
}

func didYouMean(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", name)
}

// connect starts the agents, learns the facts and compiles the steps.
func (r *run) connect(ctx context.Context, hosts []*module.Host, sink engine.Sink) error {
	if r.only != nil {
		r.registrars = nil
	}
	names := make([]string, len(hosts), len(hosts)+len(r.registrars))
	for i, h := range hosts {
		names[i] = h.Name()
	}
	names = append(names, r.registrars...)
	sign, err := r.signer()
	if err != nil {
		return err
	}
	dial, err := r.dialer()
	if err != nil {
		return err
	}
	registerResources()
	r.fleet = engine.Connect(ctx, names, dial, sign, sink)
	if ctx.Err() != nil {
		return errInterrupted
	}
	facts := r.knownFacts()
	for name, f := range r.fleet.Facts() {
		facts[name] = f
	}
	if err := r.rememberFacts(facts); err != nil {
		return fmt.Errorf("keep the facts of hosts: %w", err)
	}
	r.site = r.deployment.site(facts)
	var steps []*plan.Step
	for _, p := range r.plays {
		steps = append(steps, p.Steps(r.site, r.hosts(names[:len(hosts)]))...)
	}
	if r.only != nil {
		steps = r.only(steps)
	} else {
		steps = append(steps, r.registration(steps)...)
	}
	r.graph, err = plan.Arrange(steps, r.req.Tags)
	return err
}

// observe asks the hosts and refuses what destroys data that nobody asked for by name.
func (r *run) observe(ctx context.Context) error {
	var err error
	if r.plan, err = r.fleet.Observe(ctx, r.graph, r.req); err != nil {
		return err
	}
	for i, h := range r.plan.Hosts {
		r.plan.Hosts[i].Label = label(r.site.Host(h.Name))
		if slices.Contains(r.registrars, h.Name) {
			r.plan.Hosts[i].Only = "registration"
		}
	}
	r.refuseLoss()
	return nil
}

// holder says who holds a host's lock while this runs.
func holder() string {
	who := "somebody"
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	host, _ := os.Hostname()
	return fmt.Sprintf("%s@%s, process %d, since %s", who, host, os.Getpid(), time.Now().Format(time.DateTime))
}

// close ends the connections; what agents say then is only worth a warning.
func (r *run) close() {
	if r.fleet == nil {
		return
	}
	if err := r.fleet.Close(); err != nil {
		fmt.Fprintf(r.app.err, "warning: %v\n", err)
	}
}

// planOutcome is the exit status of a plan that was only looked at.
func (r *run) planOutcome(detailed bool) error {
	n := r.plan.Count()
	switch {
	case n.Unreachable == n.Hosts && n.Hosts > 0:
		return status(exitHosts, "no host was reached")
	case n.Unreachable > 0:
		return status(exitHosts, "%s not reached", count(n.Unreachable, "host"))
	case n.Errors > 0:
		return status(exitError, "the plan has %s", count(n.Errors, "error"))
	case detailed && !r.plan.Empty():
		return status(exitChanges, "")
	}
	return nil
}

// lockAll takes the hosts' locks, or says who has them.
func (r *run) lockAll() error {
	err := r.fleet.Lock(holder())
	if errors.Is(err, engine.ErrLocked) {
		return status(exitLocked, "%v; it ends by itself with that apply, or with its connection", err)
	}
	return err
}

func (a *app) playNames() []string {
	var names []string
	for _, m := range a.modules {
		for _, p := range m.Plays {
			names = append(names, p.Name)
		}
	}
	return names
}
