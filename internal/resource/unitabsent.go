package resource

import "context"

// UnitAbsent is a unit that neither runs nor starts at boot, if it exists at all.
type UnitAbsent struct {
	Name   string
	Impact Impact // of stopping it; 0 means ImpactRestart
	Ours   bool   // only if it did not run before we came; others want it then
}

var _ Resource = (*UnitAbsent)(nil)

// Key returns "unit absent " and the name.
func (u *UnitAbsent) Key() string { return "unit absent " + u.Name }

// Diff compares enabled and running.
func (u *UnitAbsent) Diff(ctx context.Context, h *Host) (Change, error) {
	if u.Ours && !u.started(h) {
		return Change{}, nil
	}
	st, err := h.Units.Show(ctx, u.Name)
	if err != nil {
		return Change{}, err
	}
	var c Change
	if !st.Static {
		c.Differs("enabled", yes(st.Enabled), yes(false))
	}
	c.Differs("running", yes(isUp(st)), yes(false))
	if c.Action != None {
		c.Action, c.Reason = Remove, "no longer wanted"
	}
	if isUp(st) {
		c.Impact = u.Impact
		if c.Impact == ImpactNone {
			c.Impact = ImpactRestart
		}
	}
	return c, nil
}

// Apply stops and disables it.
func (u *UnitAbsent) Apply(ctx context.Context, h *Host) error {
	st, err := h.Units.Show(ctx, u.Name)
	if err != nil {
		return err
	}
	unit := Unit{Name: u.Name}
	if isUp(st) {
		if err := h.Units.Stop(ctx, u.Name); err != nil {
			return unit.failure(ctx, h, "stop", err)
		}
	}
	h.Manifest.ForgetUnit(u.Name)
	return unit.enable(ctx, h, st)
}

// started reports whether it was us who first started the unit, as far as we remember.
func (u *UnitAbsent) started(h *Host) bool {
	last, _ := h.Manifest.Unit(u.Name)
	return last.Started
}

// isUp reports whether there is anything to stop: a unit that keeps failing to start, too.
func isUp(st UnitState) bool { return isRunning(st) || st.Active == "activating" }
