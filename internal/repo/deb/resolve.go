package deb

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"pigsty/internal/diag"
	"pigsty/internal/repo/want"
)

// Pool is all packages that there are to choose from.
type Pool struct {
	byName    map[string][]*Package // the preferred version first
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
	p := &Pool{byName: map[string][]*Package{}, providers: map[string][]provider{}}
	for _, k := range kept {
		k.kept = true
	}
	for _, x := range append(slices.Clip(kept), upstream...) {
		p.byName[x.Name] = append(p.byName[x.Name], x)
	}
	for name, list := range p.byName {
		slices.SortStableFunc(list, prefer)
		// The same version from several upstreams is one package; the first named has it.
		p.byName[name] = slices.CompactFunc(list, func(a, b *Package) bool { return a.Version == b.Version })
	}
	for _, name := range slices.Sorted(maps.Keys(p.byName)) {
		for _, x := range p.byName[name] {
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
			return cmp.Or(first(a.kept, b.kept), cmp.Compare(rank(a.priority), rank(b.priority)))
		})
	}
	return p
}

// prefer orders packages of one name: what is kept, then by apt's priority, then
// the newest.
func prefer(a, b *Package) int {
	if a.kept || b.kept {
		return cmp.Or(first(a.kept, b.kept), Compare(b.Version, a.Version))
	}
	return cmp.Or(cmp.Compare(b.Origin.Pin, a.Origin.Pin), Compare(b.Version, a.Version))
}

// first orders what is so before what is not.
func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
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
	r := resolver{pool: p, chosen: map[*Package]*Package{}, names: map[string][]*Package{}, asked: map[*Package]string{}}
	var out Resolution
	for _, w := range wants {
		x := p.wanted(w)
		switch {
		case x != nil:
			r.choose(x, nil, w.For)
		case w.Optional:
			out.LeftOut = append(out.LeftOut, w)
		default:
			r.miss(&want.Missing{What: w.String(), Chain: []string{w.For}, Have: p.instead(w.Name)})
		}
	}
	for len(r.queue) > 0 {
		x := r.queue[0]
		r.queue = r.queue[1:]
		for _, alts := range x.needs() {
			r.need(x, alts)
		}
	}
	for x := range r.chosen {
		out.Packages = append(out.Packages, x)
	}
	slices.SortFunc(out.Packages, func(a, b *Package) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), Compare(a.Version, b.Version))
	})
	return out, errors.Join(r.missing...)
}

// wanted returns the package that w names, or the first that provides it.
func (p *Pool) wanted(w want.Package) *Package {
	for _, name := range w.Names() {
		for _, x := range p.byName[name] {
			if w.Accepts(x.Version) {
				return x
			}
		}
		if list := p.providers[name]; len(list) > 0 && w.Version == "" && len(p.byName[name]) == 0 {
			return list[0].Package
		}
	}
	return nil
}

// instead says what there is of a name: other versions, or the nearest name.
func (p *Pool) instead(name string) string {
	var versions []string
	for _, x := range p.byName[name] {
		versions = append(versions, x.String()+" in "+x.Origin.Name)
	}
	if len(versions) == 0 {
		return diag.Nearest(name, slices.Values(slices.Sorted(maps.Keys(p.byName))))
	}
	return strings.Join(versions, ", ")
}

type resolver struct {
	pool    *Pool
	chosen  map[*Package]*Package // and the package that first needed it; nil for what is wanted itself
	asked   map[*Package]string   // the parameter behind what is wanted itself
	names   map[string][]*Package // chosen packages by their names and by what they provide
	queue   []*Package
	missing []error
	said    map[string]bool
}

func (r *resolver) choose(x, by *Package, parameter string) {
	if _, ok := r.chosen[x]; ok {
		return
	}
	r.chosen[x] = by
	r.asked[x] = parameter
	r.queue = append(r.queue, x)
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
	r.miss(&want.Missing{What: alts.String(), Chain: r.chain(x), Origin: x.Origin.Name, Have: r.pool.instead(alts[0].Name)})
}

// satisfying returns the preferred package that satisfies rel: one of that name
// before one that provides it.
func (p *Pool) satisfying(rel Relation) *Package {
	for _, x := range p.byName[rel.Name] {
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

// chain returns who needs x: itself, who needs that, and so on to the parameter.
func (r *resolver) chain(x *Package) []string {
	var out []string
	for ; x != nil; x = r.chosen[x] {
		out = append(out, x.String())
		if by := r.asked[x]; by != "" {
			return append(out, by)
		}
	}
	return out
}

// miss remembers what is missing, once for all who need it.
func (r *resolver) miss(m *want.Missing) {
	if r.said == nil {
		r.said = map[string]bool{}
	}
	if !r.said[m.What] {
		r.said[m.What] = true
		r.missing = append(r.missing, m)
	}
}
