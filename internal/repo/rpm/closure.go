package rpm

import (
	"fmt"
	"slices"
	"strings"

	"pigsty/internal/repo/want"
)

// resolver follows requirements from the packages that are wanted.
type resolver struct {
	pool  *pool
	trail want.Trail[*Package]
	names map[string][]provider // what the chosen packages offer
	later []conditional
}

// conditional is a requirement that depends on what else is chosen.
type conditional struct {
	of   *Package
	need need
}

func (r *resolver) choose(x, by *Package, parameter string) {
	if !r.trail.Choose(x, by, parameter) {
		return
	}
	for o := range x.offers() {
		r.names[o.Name] = append(r.names[o.Name], provider{x, o})
	}
}

// require makes sure that what x requires is chosen.
func (r *resolver) require(x *Package, relation Relation) error {
	n, err := parseNeed(relation.Name)
	if err != nil {
		return fmt.Errorf("%s of %s: %w", x, x.Origin.Name, err)
	}
	if n.op == "" && n.relation.Op == "" {
		n.relation = relation
	}
	r.need(x, n)
	return nil
}

// need makes sure that n is satisfied, or remembers what is missing.
func (r *resolver) need(x *Package, n need) {
	switch n.op {
	case "and":
		for _, arg := range n.args {
			r.need(x, arg)
		}
	case "if", "unless":
		r.later = append(r.later, conditional{x, n})
	default:
		if r.chosen(n) {
			return
		}
		if y := r.pool.best(n); y != nil {
			r.choose(y, x, "")
			return
		}
		if n.op == "or" { // an argument that is a condition itself
			for _, arg := range n.args {
				if r.pool.possible(arg) {
					r.need(x, arg)
					return
				}
			}
		}
		r.trail.Miss(&want.Missing{What: n.String(), Chain: r.trail.Chain(x), Origin: x.Origin.Name, Have: r.pool.stock.Instead(n.name())})
	}
}

// conditions looks at the requirements that depend on others, and reports
// whether something was chosen for them.
func (r *resolver) conditions() bool {
	before := len(r.later)
	waiting := r.later
	r.later = nil
	acted := false
	for _, c := range waiting {
		holds := r.chosen(c.need.args[1])
		switch {
		case holds == (c.need.op == "if"):
			r.need(c.of, c.need.args[0])
			acted = true
		case len(c.need.args) == 3:
			r.need(c.of, c.need.args[2])
			acted = true
			if c.need.op == "if" { // the condition may come to hold
				c.need.args = c.need.args[:2:2]
				r.later = append(r.later, c)
			}
		case c.need.op == "if":
			r.later = append(r.later, c)
		}
	}
	return acted || len(r.later) != before
}

// chosen reports whether the packages chosen satisfy n.
func (r *resolver) chosen(n need) bool {
	switch n.op {
	case "and":
		return !slices.ContainsFunc(n.args, func(a need) bool { return !r.chosen(a) })
	case "or":
		return slices.ContainsFunc(n.args, r.chosen)
	case "if", "unless":
		return false
	}
	for _, name := range n.names() {
		for _, have := range r.names[name] {
			if have.satisfies(n) {
				return true
			}
		}
	}
	return false
}

// best returns the preferred package that satisfies n, nil if there is none.
func (p *pool) best(n need) *Package {
	if n.op == "or" {
		for _, arg := range n.args {
			if arg.op == "if" || arg.op == "unless" || arg.op == "and" {
				return nil
			}
			if x := p.best(arg); x != nil {
				return x
			}
		}
		return nil
	}
	for _, name := range n.names() {
		for _, x := range p.providers[name] {
			if x.satisfies(n) {
				return x.Package
			}
		}
		if strings.HasPrefix(name, "/") {
			p.noFile[name] = true
		}
	}
	return nil
}

// possible reports whether every relation of n, but those of conditions, can be had.
func (p *pool) possible(n need) bool {
	switch n.op {
	case "and":
		return !slices.ContainsFunc(n.args, func(a need) bool { return !p.possible(a) })
	case "or":
		return slices.ContainsFunc(n.args, p.possible)
	case "if", "unless":
		return p.possible(n.args[0])
	}
	return p.best(n) != nil
}

// satisfies reports whether one package alone satisfies n, a relation or what
// with and without say of one package.
func (x provider) satisfies(n need) bool {
	switch n.op {
	case "":
		if n.relation.Name == x.relation.Name {
			return n.relation.overlaps(x.relation)
		}
		for o := range x.offers() {
			if n.relation.Name == o.Name && n.relation.overlaps(o) {
				return true
			}
		}
		return false
	case "with":
		return !slices.ContainsFunc(n.args, func(a need) bool { return !x.satisfies(a) })
	case "without":
		return x.satisfies(n.args[0]) && !slices.ContainsFunc(n.args[1:], x.satisfies)
	case "or":
		return slices.ContainsFunc(n.args, x.satisfies)
	}
	return false
}

// names returns the names by which packages that satisfy n are found.
func (n need) names() []string {
	switch n.op {
	case "":
		return []string{n.relation.Name}
	case "or":
		var out []string
		for _, a := range n.args {
			out = append(out, a.names()...)
		}
		return out
	}
	return n.args[0].names()
}

// name is the first name in n.
func (n need) name() string {
	for n.op != "" {
		n = n.args[0]
	}
	return n.relation.Name
}
