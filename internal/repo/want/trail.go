package want

import (
	"iter"
	"maps"
)

// Trail is what a resolver has chosen so far, why, and what it did not find.
// Packages of both families are resolved along one.
type Trail[P comparable] struct {
	Show func(P) string // name and version

	reasons map[P]reason[P]
	queue   []P
	missing []error
	said    map[string]bool
}

// reason is why a package was chosen: another that needs it, or a parameter
// that names it.
type reason[P comparable] struct {
	by        P
	parameter string
}

// Choose takes x for by, or for a parameter if that is given. It reports false
// if x was chosen before.
func (t *Trail[P]) Choose(x, by P, parameter string) bool {
	if t.Has(x) {
		return false
	}
	if t.reasons == nil {
		t.reasons = map[P]reason[P]{}
	}
	t.reasons[x] = reason[P]{by, parameter}
	t.queue = append(t.queue, x)
	return true
}

// Has reports whether x is chosen.
func (t *Trail[P]) Has(x P) bool { _, ok := t.reasons[x]; return ok }

// Next returns the chosen package that was not looked at yet, in the order of choice.
func (t *Trail[P]) Next() (x P, ok bool) {
	if len(t.queue) == 0 {
		return x, false
	}
	x, t.queue = t.queue[0], t.queue[1:]
	return x, true
}

// Chosen returns all that was chosen, in no order.
func (t *Trail[P]) Chosen() iter.Seq[P] { return maps.Keys(t.reasons) }

// Chain returns who needs x: itself, who needs that, and so on to the parameter.
func (t *Trail[P]) Chain(x P) []string {
	var out []string
	for {
		out = append(out, t.Show(x))
		why := t.reasons[x]
		if why.parameter != "" {
			return append(out, why.parameter)
		}
		if !t.Has(why.by) {
			return out
		}
		x = why.by
	}
}

// Miss remembers what is missing, once for all who need it.
func (t *Trail[P]) Miss(m *Missing) {
	if t.said == nil {
		t.said = map[string]bool{}
	}
	if !t.said[m.What] {
		t.said[m.What] = true
		t.missing = append(t.missing, m)
	}
}

// Missing returns a *Missing for each thing that was missed.
func (t *Trail[P]) Missing() []error { return t.missing }
