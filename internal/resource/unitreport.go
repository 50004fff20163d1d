package resource

import "context"

// UnitReport only observes: its Diff says, in attributes, how a service is.
type UnitReport struct {
	Name     string   // of the unit, with its suffix
	Packages []string // that bring it, of which the host has one at most; the best known first
}

var _ Resource = (*UnitReport)(nil)

// Key returns "unit report " and the name.
func (r *UnitReport) Key() string { return "unit report " + r.Name }

// Diff returns the attributes "state" (running, what systemd calls it otherwise,
// or "not installed" and "not set up") and "version", that of the package.
func (r *UnitReport) Diff(ctx context.Context, h *Host) (Change, error) {
	st, err := h.Units.Show(ctx, r.Name)
	if err != nil {
		return Change{}, err
	}
	installed, err := h.Packages.Installed(r.Packages...)
	if err != nil {
		return Change{}, err
	}
	state := st.Active
	switch {
	case isRunning(st):
		state = "running"
	case st.Load == "not-found" && len(installed) == 0:
		state = "not installed"
	case st.Load == "not-found":
		state = "not set up"
	}
	c := Change{Attrs: []Attr{{Name: "state", New: state}}}
	for _, name := range r.Packages {
		if version := installed[name]; version != "" {
			c.Attrs = append(c.Attrs, Attr{Name: "version", New: version})
			break
		}
	}
	return c, nil
}

// Apply does nothing.
func (r *UnitReport) Apply(context.Context, *Host) error { return nil }
