package resource

import "context"

// Impossible stands for something that this host cannot have, known from its
// facts, so that a plan says so with the reason.
type Impossible struct {
	Name string // what it cannot have: "time server"
	Why  string // "a container shares the clock of its machine"
}

var _ Resource = (*Impossible)(nil)

// Key returns the name.
func (i *Impossible) Key() string { return i.Name }

// Diff is skipped with the reason.
func (i *Impossible) Diff(context.Context, *Host) (Change, error) {
	return Change{Skipped: i.Why}, nil
}

// Apply is never called.
func (i *Impossible) Apply(context.Context, *Host) error { return nil }
