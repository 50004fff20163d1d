package resource

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// settle is how long a unit that just started is given to fail on a mistake in
// its configuration, which most programs do at once.
const settle = 150 * time.Millisecond

// startTimeout is the default of Unit.StartTimeout.
const startTimeout = 2 * time.Minute

// Unit is a systemd unit in the state that is wanted, with the files that it
// has read: a restart or reload happens when one of them changed since, and
// only then, also when an earlier run broke off between the two.
type Unit struct {
	Name    string // with its suffix: "haproxy.service"
	Enabled bool
	Running bool

	// IfRunning leaves a unit that does not run as it is: what it reads changes,
	// but whether there is such a unit is not for this plan to say.
	IfRunning bool

	// Sockets are units that listen for this one. They start, stop and restart
	// with it, by their own word, and their files are as good as its own.
	Sockets []string

	// ReloadOn and RestartOn are what the unit reads: files, or whole
	// directories if they end in "/".
	ReloadOn, RestartOn []string

	// Check is a command that must succeed before the unit is started, reloaded
	// or restarted.
	Check []string

	// Workers says how to tell that a reload is over.
	Workers Workers

	// RestartImpact is the impact of a restart or stop; 0 means ImpactRestart.
	RestartImpact Impact

	StartTimeout time.Duration // 0 means two minutes

	// After holds keys of more resources that come before this one.
	After []string
}

var (
	_ Resource = (*Unit)(nil)
	_ Requirer = (*Unit)(nil)
)

// Key returns "unit " and the name.
func (u *Unit) Key() string { return "unit " + u.Name }

// Requires returns whatever may write the files that the unit reads, and its
// own unit file.
func (u *Unit) Requires() []string {
	paths := slices.Concat(u.files(), u.ReloadOn, u.RestartOn)
	keys := append(make([]string, 0, len(u.After)+len(writers)*len(paths)), u.After...)
	for _, p := range paths {
		for _, kind := range writers {
			keys = append(keys, kind+p)
		}
	}
	return keys
}

// writers begin the keys of resources that may write a file.
var writers = []string{"file ", "cert ", "link ", "absent ", "prune ", "htpasswd "}

// files are where the unit itself is configured by the administrator.
func (u *Unit) files() []string {
	var out []string
	for _, name := range append([]string{u.Name}, u.Sockets...) {
		out = append(out, "/etc/systemd/system/"+name, "/etc/systemd/system/"+name+".d/")
	}
	return out
}

// Diff compares enabled and running, and what the unit reads with what it has read.
func (u *Unit) Diff(ctx context.Context, h *Host) (Change, error) {
	st, err := u.show(ctx, h)
	if err != nil {
		return Change{}, err
	}
	var c Change
	if u.IfRunning && !isRunning(st) {
		return c, nil
	}
	if !st.Static && st.Load != "not-found" || u.Enabled && st.Load == "not-found" {
		c.Differs("enabled", yes(st.Enabled), yes(u.Enabled))
	}
	running := u.isRunning(st)
	c.Differs("running", yes(running), yes(u.Running))
	switch {
	case u.Running && !running && st.Load == "not-found":
		c.Action, c.Reason = Create, "does not exist"
	case u.Running && !running:
		c.Reason = "the unit is " + st.Active
	case !u.Running && running:
		c.Reason, c.Impact = "the unit should not run", u.restartImpact()
	case u.Running:
		if err := u.diffLoaded(h, st, true, &c); err != nil {
			return Change{}, err
		}
	}
	if c.Action == None {
		file, pending := "", false
		for _, p := range u.files() {
			if file, pending = h.pendingPath(p); pending {
				break
			}
		}
		if pending {
			c.Action, c.Reason = Reload, file+" changes"
		} else if st.Stale {
			c.Action, c.Reason = Reload, "its unit file changed"
		}
		if c.Action == Reload {
			c.Note = "systemd reads the unit file again; the unit goes on as it is"
		}
	}
	return c, nil
}

// diffLoaded finds out whether a running unit has yet to read something. What
// other resources are about to write counts when planning.
func (u *Unit) diffLoaded(h *Host, st UnitState, planning bool, c *Change) error {
	restart, err := stale(h, u.Name, st, planning, u.RestartOn)
	if err != nil {
		return err
	}
	if restart != "" {
		c.Action, c.Reason, c.Impact = Restart, restart, u.restartImpact()
		return nil
	}
	reload, err := stale(h, u.Name, st, planning, u.ReloadOn)
	if err != nil {
		return err
	}
	if reload != "" {
		c.Action, c.Reason, c.Impact = Reload, reload, ImpactReload
	}
	return nil
}

// Apply enables, starts, restarts, reloads, stops or disables the unit, as needed.
func (u *Unit) Apply(ctx context.Context, h *Host) error {
	st, err := u.show(ctx, h)
	if err != nil || u.IfRunning && !isRunning(st) {
		return err
	}
	if st.Stale || st.Load == "not-found" {
		if err := h.Units.DaemonReload(ctx); err != nil {
			return fmt.Errorf("have systemd read its unit files: %w", err)
		}
		if st, err = u.show(ctx, h); err != nil {
			return err
		}
	}
	if st.Load == "not-found" {
		if !u.Enabled && !u.Running {
			return nil
		}
		return fmt.Errorf("unit %s does not exist on this host: no package or file of the plan brings it", u.Name)
	}
	atBoot := st.Enabled
	if err := u.enable(ctx, h, st); err != nil {
		return err
	}
	running := u.isRunning(st)
	if !u.Running {
		h.Manifest.ForgetUnit(u.Name)
		if !running {
			return nil
		}
		return u.failure(ctx, h, "stop", h.Units.Stop(ctx, u.Name))
	}

	// What is on disk now, before the unit reads it: a change in between shows
	// as one that the unit has not read, never the other way round.
	digests, err := digests(h, u.ReloadOn, u.RestartOn)
	if err != nil {
		return err
	}
	verb, do := "start", h.Units.Start
	if running {
		var c Change
		if err := u.diffLoaded(h, st, false, &c); err != nil {
			return err
		}
		switch c.Action {
		case Restart:
			verb, do = "restart", h.Units.Restart
		case Reload:
			verb, do = "reload", h.Units.Reload
		default:
			return nil
		}
	}
	if len(u.Check) > 0 {
		if _, err := h.Commands.Run(ctx, Command{Args: u.Check}); err != nil {
			return fmt.Errorf("refusing to %s %s, whose configuration is not valid: %w", verb, u.Name, err)
		}
	}
	limit := u.StartTimeout
	if limit == 0 {
		limit = startTimeout
	}
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	before := u.Workers.children(h, st)
	if err := do(within, u.Name); err != nil {
		return u.failure(ctx, h, verb, err)
	}
	if verb == "reload" {
		err = u.replaced(ctx, h, before)
	} else {
		err = u.settled(ctx, h)
	}
	if err != nil {
		return u.failure(ctx, h, verb, err)
	}
	if st, err = h.Units.Show(ctx, u.Name); err != nil {
		return err
	}
	last, known := h.Manifest.Unit(u.Name)
	now := Loaded{Invocation: st.Invocation, Digests: digests,
		Started: last.Started || !known && !running, Disabled: last.Disabled || !known && !atBoot}
	if len(digests) > 0 || now.Started {
		h.Manifest.SetUnit(u.Name, now)
	}
	return nil
}

func (u *Unit) enable(ctx context.Context, h *Host, st UnitState) error {
	if st.Static || st.Enabled == u.Enabled {
		return nil
	}
	verb, do := "disable", h.Units.Disable
	if u.Enabled {
		verb, do = "enable", h.Units.Enable
	}
	if err := do(ctx, u.Name); err != nil {
		return fmt.Errorf("%s %s: %w", verb, u.Name, err)
	}
	return nil
}

// settled returns an error if the unit, just started, is down again already.
func (u *Unit) settled(ctx context.Context, h *Host) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(settle):
	}
	st, err := h.Units.Show(ctx, u.Name)
	if err != nil {
		return err
	}
	// A oneshot unit that does not remain is inactive again when it succeeded.
	if st.Active == "failed" || st.Active == "activating" {
		return fmt.Errorf("it stopped right after it was started")
	}
	return nil
}

// failure adds to err what the unit is doing and what it last said.
func (u *Unit) failure(ctx context.Context, h *Host, verb string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w; %s", verb, u.Name, err, condition(ctx, h, u.Name))
}

// condition is a unit's state and its last 15 log lines.
func condition(ctx context.Context, h *Host, name string) string {
	ctx = context.WithoutCancel(ctx) // the reason is wanted all the more when time ran out
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	state := "not known"
	if st, err := h.Units.Show(ctx, name); err == nil {
		state = st.Active
		if st.Load != "loaded" {
			state = st.Load
		}
	}
	text := fmt.Sprintf("%s is %s", name, state)
	if log := strings.TrimSpace(h.Units.Journal(ctx, name, 15)); log != "" {
		text += ", and its log ends with\n  " + strings.ReplaceAll(log, "\n", "\n  ")
	}
	return text
}

func (u *Unit) show(ctx context.Context, h *Host) (UnitState, error) {
	st, err := h.Units.Show(ctx, u.Name)
	if err != nil {
		return st, fmt.Errorf("look at %s: %w", u.Name, err)
	}
	for _, name := range u.Sockets {
		socket, err := h.Units.Show(ctx, name)
		if err != nil {
			return st, fmt.Errorf("look at %s: %w", name, err)
		}
		st.Stale = st.Stale || socket.Stale
	}
	if st.Load == "masked" && (u.Enabled || u.Running) {
		return st, fmt.Errorf("unit %s is masked, so somebody does not want it to run: systemctl unmask %s and apply again", u.Name, u.Name)
	}
	return st, nil
}

func (u *Unit) restartImpact() Impact {
	if u.RestartImpact == ImpactNone {
		return ImpactRestart
	}
	return u.RestartImpact
}

// isRunning reports whether st is what Running asks about: a unit that keeps
// failing to start is not up when it should be, and not down when it should not.
func (u *Unit) isRunning(st UnitState) bool {
	if u.Running {
		return isRunning(st)
	}
	return isUp(st)
}

func isRunning(st UnitState) bool { return st.Active == "active" || st.Active == "reloading" }

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
