package rpm

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"

	"pigsty/internal/repo/fetch"
	"pigsty/internal/repo/want"
)

// Resolution is what has to be in a repository.
type Resolution struct {
	Packages []*Package     // by name and version
	LeftOut  []want.Package // optional, and nobody has them
}

// Resolve returns the packages wanted with everything that they require. What is
// only recommended stays out. Packages of kept, the repository that is there
// already, are preferred, so that adding one does not change the others; kept
// may be nil. The error joins a *want.Missing for each thing that no upstream has.
func Resolve(ctx context.Context, upstreams []*Index, kept *Index, wants []want.Package, c *fetch.Client) (Resolution, error) {
	indexes := upstreams
	if kept != nil {
		indexes = append([]*Index{kept}, upstreams...)
		for _, p := range kept.Packages {
			p.kept = true
		}
	}
	looked := map[string]bool{}
	for {
		p := newPool(indexes)
		found, err := p.resolve(wants)
		// The index proper has but a part of all files.
		maps.DeleteFunc(p.noFile, func(path string, _ bool) bool { return looked[path] })
		if len(p.noFile) == 0 {
			return found, err
		}
		for _, x := range indexes {
			if err := x.addFiles(ctx, p.noFile, c); err != nil {
				return Resolution{}, err
			}
		}
		maps.Copy(looked, p.noFile)
	}
}

// pool is all packages that there are to choose from.
type pool struct {
	stock     want.Stock[*Package]
	providers map[string][]provider // of names, and of files
	noFile    map[string]bool       // files that are required and nobody is known to have
}

type provider struct {
	*Package
	relation Relation
}

func newPool(indexes []*Index) *pool {
	p := &pool{providers: map[string][]provider{}, noFile: map[string]bool{}}
	p.stock = want.Stock[*Package]{Named: map[string][]*Package{}, Provides: func(name string) (*Package, bool) {
		if list := p.providers[name]; len(list) > 0 {
			return list[0].Package, true
		}
		return nil, false
	}}
	for _, x := range indexes {
		for _, pkg := range x.Packages {
			p.stock.Named[pkg.Name] = append(p.stock.Named[pkg.Name], pkg)
		}
	}
	for name, list := range p.stock.Named {
		slices.SortStableFunc(list, prefer)
		// The same version from several upstreams is one package; the first named has it.
		p.stock.Named[name] = slices.CompactFunc(list, func(a, b *Package) bool { return Compare(a.EVR, b.EVR) == 0 && a.Arch == b.Arch })
	}
	for _, name := range slices.Sorted(maps.Keys(p.stock.Named)) {
		for _, pkg := range p.stock.Named[name] {
			for r := range pkg.offers() {
				p.providers[r.Name] = append(p.providers[r.Name], provider{pkg, r})
			}
		}
	}
	for name, list := range p.providers {
		// Who has the name itself comes first.
		slices.SortStableFunc(list, func(a, b provider) int {
			return cmp.Or(want.First(a.Name == name, b.Name == name), want.First(a.kept, b.kept))
		})
	}
	return p
}

// offers returns what satisfies requirements for p: its name, what it provides
// and its files.
func (p *Package) offers() iter.Seq[Relation] {
	return func(yield func(Relation) bool) {
		if !yield(Relation{Name: p.Name, Op: "=", EVR: p.EVR}) {
			return
		}
		for _, r := range p.provides {
			if !yield(r) {
				return
			}
		}
		for _, f := range p.files {
			if !yield(Relation{Name: f}) {
				return
			}
		}
	}
}

// prefer orders packages of one name: what is kept, then the newest.
func prefer(a, b *Package) int {
	return cmp.Or(want.First(a.kept, b.kept), Compare(b.EVR, a.EVR), strings.Compare(b.Arch, a.Arch))
}

func (p *pool) resolve(wants []want.Package) (Resolution, error) {
	r := resolver{pool: p, trail: want.Trail[*Package]{Show: (*Package).String}, names: map[string][]provider{}}
	out := Resolution{LeftOut: p.stock.Choose(wants, &r.trail, func(x *Package, parameter string) { r.choose(x, nil, parameter) })}
	for {
		for x, ok := r.trail.Next(); ok; x, ok = r.trail.Next() {
			for _, relation := range x.requires {
				if err := r.require(x, relation); err != nil {
					return out, err
				}
			}
		}
		if !r.conditions() {
			break
		}
	}
	out.Packages = slices.SortedFunc(r.trail.Chosen(), func(a, b *Package) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), Compare(a.EVR, b.EVR), strings.Compare(a.Arch, b.Arch))
	})
	return out, errors.Join(r.trail.Missing()...)
}
