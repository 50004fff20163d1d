package resource

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Ways of Firewall.
const (
	FirewallZone   = "zone"   // on, with our rules
	FirewallOff    = "off"    // off, without our rules
	FirewallAbsent = "absent" // as it was before us
)

const (
	// firewallUndo is the transient unit that turns a firewall off again unless
	// the control side was heard through it.
	firewallUndo = "pigsty-firewall-undo"
	// firewallGrace is how long that takes.
	firewallGrace = time.Minute
	// firewallPatience is how long the control side may take to be heard. It is
	// less than the silence after which that gives a host up, so that it still
	// learns what became of the firewall.
	firewallPatience = 6 * time.Second
	// firewallMemory is the name under which the manifest knows what the firewall
	// was before we turned it on.
	firewallMemory = "firewall"
)

// Firewall is firewalld or ufw, whichever the host has, with rules of ours that
// trust Networks and open Ports to everybody. Rules of others stay.
//
// It never cuts the host off from those who work on it: rules of ours that would
// are refused, and where rules of others do, a firewall that was turned on is turned
// off again with its rules as they were.
type Firewall struct {
	Mode     string   // FirewallZone, FirewallOff or FirewallAbsent
	Networks []string // addresses or CIDR
	Ports    []int    // TCP

	// For messages: the parameters that Networks and Ports come from.
	NetworksOf, PortsOf string
}

var (
	_ Resource = (*Firewall)(nil)
	_ Requirer = (*Firewall)(nil)
)

// Key returns "firewall".
func (*Firewall) Key() string { return "firewall" }

// Requires returns the packages, one of which may be the firewall.
func (*Firewall) Requires() []string { return []string{packagesKey} }

// Diff compares our rules, and whether the firewall is on.
func (f *Firewall) Diff(ctx context.Context, h *Host) (Change, error) {
	w := firewallOf(h)
	if w == nil {
		return Change{Skipped: "neither firewalld nor ufw is installed"}, nil
	}
	is, have, want, err := f.observe(ctx, h, w)
	if err != nil {
		return Change{}, err
	}
	var c Change
	to := f.wants(h, is)
	c.Differs("on", yes(is.running), yes(to.running))
	c.Differs("on at boot", yes(is.enabled), yes(to.enabled))
	for _, rule := range have.all() {
		if !slices.Contains(want, rule) {
			c.Differs("rule", rule, "")
		}
	}
	for _, rule := range want {
		if !have.has(rule) {
			c.Differs("rule", have.opposed[rule].shown, rule)
		}
	}
	if c.Action == None {
		return c, nil
	}
	return c, f.refuse(h, have, want)
}

// Apply sets the rules and turns the firewall on or off.
func (f *Firewall) Apply(ctx context.Context, h *Host) error {
	w := firewallOf(h)
	if w == nil {
		return nil
	}
	is, have, want, err := f.observe(ctx, h, w)
	if err != nil {
		return err
	}
	if err := f.refuse(h, have, want); err != nil {
		return err
	}
	before, err := readPages(h, w.files())
	if err != nil {
		return err
	}
	to := f.wants(h, is)
	if to.running && !is.running {
		if err := heard(ctx, h); err != nil {
			return fmt.Errorf("with the firewall off no new connection to this host can be made (%w), so nobody could tell whether the firewall "+
				"lets one in, and it is left as it is: make one possible, or set node_firewall_mode: none", err)
		}
	}
	if is != to && !to.running { // off before the rules go that let us in
		if _, err := h.Commands.Run(ctx, w.turn(to)); err != nil {
			return fmt.Errorf("turn the firewall off: %w", err)
		}
	}
	if !slices.Equal(have.kept, want) || !slices.Equal(have.live, want) {
		if err := w.set(ctx, h, have, want); err != nil {
			return fmt.Errorf("set the rules of the firewall: %w", err)
		}
	}
	switch {
	case is == to || !to.running:
	case is.running:
		_, err = h.Commands.Run(ctx, w.turn(to))
	default:
		err = f.turnOn(ctx, h, w, is, before)
	}
	switch {
	case err != nil:
	case f.Mode != FirewallZone:
		h.Manifest.ForgetUnit(firewallMemory)
	case is != to:
		remember(h, is)
	}
	return err
}

// turnOn turns the firewall on, and back to what it is, with the rules that were
// there before, unless the control side is heard and lets new connections in: rules of
// others may shut out what ours open. Should the host itself not get to that, systemd does.
func (f *Firewall) turnOn(ctx context.Context, h *Host, w wall, is wallState, before []page) error {
	run := func(ctx context.Context, args ...string) error {
		_, err := h.Commands.Run(ctx, Command{Args: args})
		return err
	}
	disarm := func(ctx context.Context) error { return run(ctx, "systemctl", "stop", firewallUndo+".timer") }
	_ = disarm(ctx) // of a run that was cut off
	undo := w.turn(is).Args
	if path, ok := h.Commands.Look(undo[0]); ok {
		undo = append([]string{path}, undo[1:]...)
	}
	arm := append([]string{"systemd-run", "--quiet", "--collect", "--unit=" + firewallUndo,
		fmt.Sprintf("--on-active=%ds", int(firewallGrace.Seconds())), "--timer-property=AccuracySec=1s", "--"}, undo...)
	if err := run(ctx, arm...); err != nil {
		return fmt.Errorf("prepare to turn the firewall off again: %w", err)
	}
	err := f.turnOnHeard(ctx, h, w)
	if err == nil {
		if err = disarm(ctx); err == nil {
			return nil
		}
		err = fmt.Errorf("keep the firewall on: %w", err)
	}
	ctx = context.WithoutCancel(ctx) // the connection may have ended, and with it the run
	if off := run(ctx, w.turn(is).Args...); off != nil {
		return fmt.Errorf("%w; turning it off again failed and is tried once more within %s: %w", err, firewallGrace, off)
	}
	if failed := errors.Join(writePages(h, before), disarm(ctx)); failed != nil {
		return fmt.Errorf("%w; it is off again, but: %w", err, failed)
	}
	return fmt.Errorf("%w; it is off again, with the rules that it had", err)
}

// turnOnHeard turns the firewall on and returns nil if the control side was heard through it.
func (f *Firewall) turnOnHeard(ctx context.Context, h *Host, w wall) error {
	if _, err := h.Commands.Run(ctx, w.turn(wallOn)); err != nil {
		return fmt.Errorf("turn the firewall on: %w", err)
	}
	if err := heard(ctx, h); err != nil {
		return fmt.Errorf("the firewall shut out whoever works on this host, by rules in %s that are not ours (%w): take them out there, or set node_firewall_mode: none", w.dir(), err)
	}
	return nil
}

// heard returns nil once the control side has answered and made a new connection.
func heard(ctx context.Context, h *Host) error {
	ctx, cancel := context.WithTimeout(ctx, firewallPatience)
	defer cancel()
	err := h.Control.Ping(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", firewallPatience)
	}
	return err
}

// observe returns whether the firewall is on, its rules, and those of ours that
// it should have.
func (f *Firewall) observe(ctx context.Context, h *Host, w wall) (is wallState, have walled, want []string, err error) {
	if is, err = w.state(ctx, h); err != nil {
		return
	}
	if have, err = w.rules(ctx, h); err != nil {
		return
	}
	switch {
	case f.Mode == FirewallZone:
		want = slices.DeleteFunc(firewallRules(f.Networks, f.Ports), func(r string) bool { return slices.Contains(have.others, r) })
	case f.wants(h, is).running: // goes on without us, but not without those who work on it
		for _, rule := range have.all() {
			if h.Session != nil && h.Session.passes(rule) {
				want = append(want, rule)
			}
		}
	}
	slices.Sort(have.kept)
	slices.Sort(have.live)
	return is, have, want, nil
}

// wants returns what the firewall should be. One that was on before us is left on.
func (f *Firewall) wants(h *Host, is wallState) wallState {
	switch f.Mode {
	case FirewallZone:
		return wallOn
	case FirewallOff:
		return wallOff
	}
	was, ours := h.Manifest.Unit(firewallMemory)
	if !ours {
		return is
	}
	return wallState{
		running: is.running && was.Digests["running"] == yes(true),
		enabled: is.enabled && was.Digests["enabled"] == yes(true),
	}
}

// remember keeps what the firewall was before we turned it on.
func remember(h *Host, is wallState) {
	if _, known := h.Manifest.Unit(firewallMemory); !known {
		h.Manifest.SetUnit(firewallMemory, Loaded{Digests: map[string]string{"running": yes(is.running), "enabled": yes(is.enabled)}})
	}
}

// refuse returns an error if rules cannot be had, or would not let in who works
// on the host now.
func (f *Firewall) refuse(h *Host, have walled, want []string) error {
	for _, rule := range want {
		if err := have.taken[rule]; err != nil {
			return err
		}
	}
	if f.Mode != FirewallZone || h.Session == nil {
		return nil
	}
	s := h.Session
	if !s.Peer.IsValid() {
		return errors.New("it cannot be told where the connection to this host comes from, so its firewall is left as it is: " +
			"log in without a program in between, or set node_firewall_mode: none")
	}
	if slices.ContainsFunc(firewallRules(f.Networks, f.Ports), s.passes) {
		return nil
	}
	return fmt.Errorf("these rules would cut the connection from %s to port %d that this host is worked on through: add %d to %s, or the network of %s to %s",
		s.Peer, s.Port, s.Port, f.PortsOf, s.Peer, f.NetworksOf)
}
