package want

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pigsty/internal/diag"
)

// Item is a package that somebody has.
type Item interface {
	comparable
	fmt.Stringer          // name and version
	FullVersion() string  // as its family writes it
	UpstreamName() string // of where it comes from
}

// Stock is the packages that there are to choose from.
type Stock[P Item] struct {
	Named    map[string][]P              // the preferred version first
	Provides func(name string) (P, bool) // the preferred package that provides a name
}

// Choose begins a trail with the packages wanted, or the first that provide
// them. It returns those that are optional and that nobody has.
func (s Stock[P]) Choose(wants []Package, t *Trail[P], choose func(x P, parameter string)) (leftOut []Package) {
	for _, w := range wants {
		x, ok := s.find(w)
		switch {
		case ok:
			choose(x, w.For)
		case w.Optional:
			leftOut = append(leftOut, w)
		default:
			t.Miss(&Missing{What: w.String(), Chain: []string{w.For}, Have: s.Instead(w.Name)})
		}
	}
	return leftOut
}

func (s Stock[P]) find(w Package) (x P, ok bool) {
	for _, name := range w.Names() {
		for _, x := range s.Named[name] {
			if w.Accepts(x.FullVersion()) {
				return x, true
			}
		}
		if w.Version == "" && len(s.Named[name]) == 0 {
			if x, ok := s.Provides(name); ok {
				return x, true
			}
		}
	}
	return x, false
}

// Instead says what there is of a name: other versions, or the nearest name.
func (s Stock[P]) Instead(name string) string {
	var versions []string
	for _, x := range s.Named[name] {
		versions = append(versions, x.String()+" in "+x.UpstreamName())
	}
	if len(versions) == 0 {
		return diag.Nearest(name, slices.Values(slices.Sorted(maps.Keys(s.Named))))
	}
	return strings.Join(versions, ", ")
}

// First orders what is so before what is not.
func First(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}
