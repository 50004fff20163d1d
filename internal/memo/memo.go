// Package memo keeps what is asked for again and again.
package memo

import "sync"

// Table keeps what was made of each key. The zero value is ready for use, by
// several goroutines too.
type Table[K comparable, V any] struct{ made sync.Map }

// Of returns what compute makes of key, computed the first time. It must depend
// on key alone, and what it returns must not be changed.
func (t *Table[K, V]) Of(key K, compute func(K) V) V {
	if v, ok := t.made.Load(key); ok {
		return v.(V)
	}
	v, _ := t.made.LoadOrStore(key, compute(key))
	return v.(V)
}
