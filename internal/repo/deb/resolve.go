package deb

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"pigsty/internal/repo/want"
)

// Pool is all packages that there are to choose from.
type Pool struct {
	stock     want.Stock[*Package]
	providers map[string][]provider
}

// provider is a package that provides another name.
type provider struct {
	*Package
	version string // of what it provides; empty if it does not say
}

// NewPool prepares packages of upstreams, and those kept from the repository
// that is there already, which are preferred so that adding a package does not
// change the others. kept may be nil.
func NewPool(upstream, kept []*Package) *Pool {
	p := &Pool{providers: map[string][]provider{}}
	p.stock = want.Stock[*Package]{Named: map[string][]*Package{}, Provides: func(name string) (*Package, bool) {
		if list := p.providers[name]; len(list) > 0 {
			return list[0].Package, true
		}
		return nil, false
	}}
	for _, k := range kept {
		k.kept = true
	}
	for _, x := range append(slices.Clip(kept), upstream...) {
		p.stock.Named[x.Name] = append(p.stock.Named[x.Name], x)
	}
	for name, list := range p.stock.Named {
		slices.SortStableFunc(list, prefer)
		// The same version from several upstreams is one package; the first named has it.
		p.stock.Named[name] = slices.CompactFunc(list, func(a, b *Package) bool { return a.Version == b.Version })
	}
	for _, name := range slices.Sorted(maps.Keys(p.stock.Named)) {
		for _, x := range p.stock.Named[name] {
			if x.provides == "" {
				continue
			}
			for _, alts := range parseRelations(x.provides) {
				p.providers[alts[0].Name] = append(p.providers[alts[0].Name], provider{x, alts[0].Version})
			}
		}
	}
	for _, list := range p.providers {
		slices.SortStableFunc(list, func(a, b provider) int {
			return cmp.Or(want.First(a.kept, b.kept), cmp.Compare(rank(a.priority), rank(b.priority)))
		})
	}
	return p
}

// prefer orders packages of one name: what is kept, then by apt's priority, then
// the newest.
func prefer(a, b *Package) int {
	if a.kept || b.kept {
		return cmp.Or(want.First(a.kept, b.kept), Compare(b.Version, a.Version))
	}
	return cmp.Or(cmp.Compare(b.Origin.Pin, a.Origin.Pin), Compare(b.Version, a.Version))
}

// rank orders the priorities of Debian Policy 2.5.
func rank(priority string) int {
	n := slices.Index([]string{"required", "important", "standard", "optional"}, priority)
	if n < 0 {
		return 4
	}
	return n
}

// Resolution is what has to be in a repository.
type Resolution struct {
	Packages []*Package     // by name and version
	LeftOut  []want.Package // optional, and nobody has them
}

// Resolve returns the packages wanted with everything that they need. What is
// only recommended stays out. The error joins a *want.Missing for each thing
// that no upstream has.
func (p *Pool) Resolve(wants []want.Package) (Resolution, error) {
	r := resolver{pool: p, trail: want.Trail[*Package]{Show: (*Package).String}, names: map[string][]*Package{}}
	out := Resolution{LeftOut: p.stock.Choose(wants, &r.trail, func(x *Package, parameter string) { r.choose(x, nil, parameter) })}
	for x, ok := r.trail.Next(); ok; x, ok = r.trail.Next() {
		for _, alts := range x.needs() {
			r.need(x, alts)
		}
	}
	out.Packages = slices.SortedFunc(r.trail.Chosen(), func(a, b *Package) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), Compare(a.Version, b.Version))
	})
	return out, errors.Join(r.trail.Missing()...)
}

type resolver struct {
	pool  *Pool
	trail want.Trail[*Package]
	names map[string][]*Package // chosen packages by their names and by what they provide
}

func (r *resolver) choose(x, by *Package, parameter string) {
	if !r.trail.Choose(x, by, parameter) {
		return
	}
	r.names[x.Name] = append(r.names[x.Name], x)
	for _, alts := range parseRelations(x.provides) {
		r.names[alts[0].Name] = append(r.names[alts[0].Name], x)
	}
}

// need makes sure that one of alts is chosen: one that is already, else the
// first alternative that can be had, as apt does.
func (r *resolver) need(x *Package, alts Alternatives) {
	for _, rel := range alts {
		for _, have := range r.names[rel.Name] {
			if have.satisfies(rel) {
				return
			}
		}
	}
	for _, rel := range alts {
		if y := r.pool.satisfying(rel); y != nil {
			r.choose(y, x, "")
			return
		}
	}
	r.trail.Miss(&want.Missing{What: alts.String(), Chain: r.trail.Chain(x), Origin: x.Origin.Name, Have: r.pool.stock.Instead(alts[0].Name)})
}

// satisfying returns the preferred package that satisfies rel: one of that name
// before one that provides it.
func (p *Pool) satisfying(rel Relation) *Package {
	for _, x := range p.stock.Named[rel.Name] {
		if rel.accepts(x.Version) {
			return x
		}
	}
	for _, x := range p.providers[rel.Name] {
		if rel.Op == "" || x.version != "" && rel.accepts(x.version) {
			return x.Package
		}
	}
	return nil
}

// satisfies reports whether p is, or provides, what rel asks for.
func (p *Package) satisfies(rel Relation) bool {
	if p.Name == rel.Name && rel.accepts(p.Version) {
		return true
	}
	for _, alts := range parseRelations(p.provides) {
		if v := alts[0]; v.Name == rel.Name && (rel.Op == "" || v.Version != "" && rel.accepts(v.Version)) {
			return true
		}
	}
	return false
}
