package postgres

// Opt is a value that may be absent, which means: leave the attribute alone. It
// exists because gob drops pointers to zero values, so that a *bool pointing to
// false would arrive at the agent as "not declared".
type Opt[T any] struct {
	Set   bool
	Value T
}

// Some returns v as declared.
func Some[T any](v T) Opt[T] { return Opt[T]{Set: true, Value: v} }

// Maybe returns *p as declared, or nothing when p is nil.
func Maybe[T any](p *T) Opt[T] {
	if p == nil {
		return Opt[T]{}
	}
	return Some(*p)
}

// State says whether an object is to exist.
type State string

// Present is also what the zero State means. Recreate is for databases only.
const (
	Present  State = "create"
	Absent   State = "absent"
	Recreate State = "recreate"
)
