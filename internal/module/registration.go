package module

import (
	"slices"

	"pigsty/internal/plan"
)

// Registration is what a play has infra nodes know of its hosts.
type Registration int

// A play that Registers has infra nodes watch, name and publish what its module
// runs on its hosts; one that Deregisters has them forget that. Other plays
// leave it as it is.
const (
	Registers Registration = iota + 1
	Deregisters
)

// Registration returns the steps by which infra nodes, whichever hosts a run is
// about, come to know of what p does on hosts.
func (s *Site) Registration(p *Play, hosts []*Host) []*plan.Step {
	if p.Registration == 0 {
		return nil
	}
	owner := slices.IndexFunc(s.Modules, func(m Module) bool {
		return slices.ContainsFunc(m.Plays, func(other Play) bool { return other.Name == p.Name })
	})
	var out []*plan.Step
	for _, m := range s.Modules {
		if m.Register != nil && owner >= 0 {
			out = append(out, m.Register(s, s.Modules[owner].Declaration.Name, hosts, p.Registration)...)
		}
	}
	return out
}
