package node

import (
	"fmt"

	"pigsty/internal/module"
)

// limit is a number that the open files a host allows may force down.
type limit struct {
	Value int
	Want  int // what it is on a host that allows enough
	Host  int // the most open files that a unit of the host may ask for; 0 when not known
}

// limited returns how many open files something on h may ask for, want at
// most. Asking for more than the host allows keeps a unit from starting.
func limited(h *module.Host, want int) limit {
	l := limit{Value: want, Want: want, Host: h.Facts.MaxFiles}
	if l.Host > 0 {
		l.Value = min(want, l.Host)
	}
	return l
}

// String returns the number.
func (l limit) String() string { return fmt.Sprint(l.Value) }

// Note says in a comment why the number is lower than usual; "" if it is not.
func (l limit) Note() string {
	if l.Value == l.Want {
		return ""
	}
	return fmt.Sprintf("# %d, were this host not limited to %d open files", l.Want, l.Host)
}
