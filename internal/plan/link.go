package plan

import (
	"slices"
	"strings"

	"pigsty/internal/resource"
)

// mates are the steps of one host.
type mates struct {
	places []int32 // in Graph.nodes
	byKey  []int32 // the same, sorted by key; made when first needed
}

// linker finds the edges of a graph. What it needs for one step it uses again
// for the next.
type linker struct {
	*Graph
	after []int32
	found []int32
	id    []byte
}

// link finds the steps that the one at place i comes after.
func (l *linker) link(i int, mates *mates) {
	s := l.nodes[i].step
	l.after = l.after[:0]
	for _, a := range s.After {
		if on, ok := l.byID[a]; ok {
			l.add(i, on)
		}
	}
	if r, ok := s.Resource.(resource.Requirer); ok {
		for _, key := range r.Requires() {
			if strings.HasSuffix(key, "/") {
				l.addUnder(i, key, mates)
			} else {
				l.addKey(i, key)
			}
		}
	}
	switch {
	case s.key() == packagesKey:
		for _, m := range mates.places {
			if l.nodes[m].step.Early {
				l.add(i, int(m))
			}
		}
	case !s.Early:
		l.addKey(i, packagesKey)
	}
	l.nodes[i].after = slices.Clone(l.after)
}

// addKey has the step at place i come after the one for the resource with key
// on its host, if there is one.
func (l *linker) addKey(i int, key string) {
	l.id = append(append(append(l.id[:0], l.nodes[i].step.Host...), ' '), key...)
	if on, ok := l.byID[string(l.id)]; ok {
		l.add(i, on)
	}
}

// addUnder has the step at place i come after all of its mates whose keys begin
// with prefix.
func (l *linker) addUnder(i int, prefix string, mates *mates) {
	key := func(place int32) string { return l.nodes[place].step.key() }
	if mates.byKey == nil {
		mates.byKey = slices.Clone(mates.places)
		slices.SortFunc(mates.byKey, func(a, b int32) int { return strings.Compare(key(a), key(b)) })
	}
	at, _ := slices.BinarySearchFunc(mates.byKey, prefix, func(place int32, prefix string) int { return strings.Compare(key(place), prefix) })
	l.found = l.found[:0]
	for ; at < len(mates.byKey) && strings.HasPrefix(key(mates.byKey[at]), prefix); at++ {
		l.found = append(l.found, mates.byKey[at])
	}
	slices.Sort(l.found) // edges are in the order of steps, on which the order of all depends
	for _, on := range l.found {
		l.add(i, int(on))
	}
}

func (l *linker) add(i, on int) {
	if on != i && !slices.Contains(l.after, int32(on)) {
		l.after = append(l.after, int32(on))
	}
}
