package module

import (
	"slices"

	"pigsty/internal/plan"
)

// Registration is what a play has other hosts know of its own: infra nodes, and
// the load balancers that publish for them.
type Registration int

// A play that Registers has others watch, name and publish what its module runs
// on its hosts; one that Deregisters has them forget that. Other plays leave it
// as it is.
const (
	Registers Registration = iota + 1
	Deregisters
)

// Registration returns the steps by which others, whichever hosts a run is about,
// come to know of what p does on hosts: those that carry a tag of p, so that a
// play about services alone brings along no more than them.
func (s *Site) Registration(p *Play, hosts []*Host) []*plan.Step {
	if p.Registration == 0 {
		return nil
	}
	owner := slices.IndexFunc(s.Modules, func(m Module) bool {
		return slices.ContainsFunc(m.Plays, func(other Play) bool { return other.Name == p.Name })
	})
	var all []*plan.Step
	for _, m := range s.Modules {
		if m.Register != nil && owner >= 0 {
			all = append(all, m.Register(s, s.Modules[owner].Declaration.Name, hosts, p.Registration)...)
		}
	}
	var out []*plan.Step
	for _, step := range all {
		if step.Tagged(p.Tags) {
			own := *step
			own.Tags = slices.DeleteFunc(slices.Clone(step.Tags), func(tag string) bool { return !slices.Contains(p.Tags, tag) })
			out = append(out, &own)
		}
	}
	return out
}
