// Package module says what a module is and what modules are compiled from: a
// site, which is an inventory with typed parameters and the facts of its hosts.
//
// Modules are pure: the same site gives the same steps.
package module

import (
	"pigsty/internal/diag"
	"pigsty/internal/param"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// Module is one part of the product: NODE, ETCD, PGSQL and so on.
type Module struct {
	Declaration param.Module
	// Check finds mistakes that only show across values or hosts. It may be nil.
	Check func(*Site) diag.List
	// Ports returns what of the module listens on which hosts. It may be nil.
	Ports func(*Site) []Port
	// Advise finds what works but is worth a word, such as passwords that
	// everybody can look up. It is asked when there are no errors. It may be nil.
	Advise func(*Site) diag.List
	// Instances returns what of the module runs, or should run, on hosts. It may be nil.
	Instances func(s *Site, hosts []*Host) []Instance
	// Repository returns how a host reaches the deployment's own software
	// repository, nil if there is none for it. It may be nil.
	Repository func(*Site, *Host) *Repository
	// Register returns the steps by which other hosts come to know of what the
	// module called name runs on hosts, or forget it. It may be nil.
	Register func(s *Site, name string, hosts []*Host, how Registration) []*plan.Step
	// Extras returns steps that only observe: the attributes of their Diff name
	// what is on hosts and not in the inventory, its kind as Name and its name
	// as New. It may be nil.
	Extras func(s *Site, hosts []*Host) []*plan.Step
	// Plays are what the module can do; none for a module whose parameters are
	// known but which this version does not manage.
	Plays []Play
}

// Instance is one running thing of a module on a host.
type Instance struct {
	Host     *Host
	Cluster  string
	Name     string   // pg-test-1
	Role     string   // what the inventory calls it: primary, replica …; empty where the module has no roles
	Services []string // name:port of the services that its cluster offers

	// Report only observes: the attributes of its Diff say how the instance is now.
	Report resource.Resource
}

// Play compiles the steps of one thing that a user can ask for by name, what
// Pigsty calls a playbook: "pgsql", "pgsql-rm", "node".
type Play struct {
	Name  string
	Short string   // one line of help
	Tags  []string // every tag that its steps can carry, in the order of the play

	// Deploy ranks the play in `pigsty deploy`, lowest first; 0 leaves it out.
	Deploy int

	// Registration is what the play has other hosts know of its own.
	Registration Registration

	// Steps returns the steps for hosts, which are all that the play is asked
	// to cover; it passes over hosts that the play does not concern.
	Steps func(s *Site, hosts []*Host) []*plan.Step

	// Removes is set for plays that destroy something: the names that a user
	// must confirm (clusters, usually), and the reasons why a safeguard refuses.
	Removes func(s *Site, hosts []*Host) (names []string, refused diag.List)
}
