package module

import "fmt"

// Limit is a number that the open files a host allows may force down.
type Limit struct {
	Value int
	Want  int // what it is on a host that allows enough
	Host  int // the most open files that a unit of the host may ask for; 0 when not known
}

// OpenFiles returns how many open files something on h may ask for, want at
// most. Asking for more than the host allows keeps a unit from starting.
func OpenFiles(h *Host, want int) Limit {
	l := Limit{Value: want, Want: want, Host: h.Facts.MaxFiles}
	if l.Host > 0 {
		l.Value = min(want, l.Host)
	}
	return l
}

// String returns the number.
func (l Limit) String() string { return fmt.Sprint(l.Value) }

// Lowered says why the number is lower than usual; "" if it is not.
func (l Limit) Lowered() string {
	if l.Value == l.Want {
		return ""
	}
	return fmt.Sprintf("%d, were this host not limited to %d open files", l.Want, l.Host)
}

// Note is Lowered for a plan.
func (l Limit) Note() string {
	if l.Value == l.Want {
		return ""
	}
	return fmt.Sprintf("%d open files; %s", l.Value, l.Lowered())
}
