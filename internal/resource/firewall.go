package resource

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
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
	// firewallMemory is the name under which the manifest knows that it was us
	// who turned the firewall on.
	firewallMemory = "firewall"
)

// Firewall is firewalld or ufw, whichever the host has, with rules of ours that
// trust Networks and open Ports to everybody. Rules of others stay.
//
// It never cuts the connection that the host is worked on through: rules that
// would are refused, and what turns a firewall on is undone after a minute
// unless the control side was heard meanwhile.
type Firewall struct {
	Mode     string   // FirewallZone, FirewallOff or FirewallAbsent
	Networks []string // addresses or CIDR
	Ports    []int    // TCP

	// For messages: the parameters that Networks and Ports come from.
	NetworksOf, PortsOf string
}

// wall is one kind of firewall.
type wall interface {
	// rules returns our rules that the host has, as firewallRules writes them,
	// and those of others that say the same as one of ours could.
	rules(h *Host) (ours, others []string, err error)
	// set makes our rules those and no others.
	set(ctx context.Context, h *Host, rules []string) error
	on(ctx context.Context, h *Host) (bool, error)
	turn(on bool) Command
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
	on, have, want, err := f.state(ctx, h, w)
	if err != nil {
		return Change{}, err
	}
	var c Change
	c.Differs("on", yes(on), yes(f.wantsOn(h, on)))
	for _, rule := range have {
		if !slices.Contains(want, rule) {
			c.Differs("rule", rule, "")
		}
	}
	for _, rule := range want {
		if !slices.Contains(have, rule) {
			c.Differs("rule", "", rule)
		}
	}
	if c.Action == None {
		return c, nil
	}
	return c, f.cuts(h)
}

// Apply sets the rules and turns the firewall on or off.
func (f *Firewall) Apply(ctx context.Context, h *Host) error {
	w := firewallOf(h)
	if w == nil {
		return nil
	}
	on, have, want, err := f.state(ctx, h, w)
	if err != nil {
		return err
	}
	if err := f.cuts(h); err != nil {
		return err
	}
	wanted := f.wantsOn(h, on)
	if on && !wanted { // off before the rules go that let us in
		if _, err := h.Commands.Run(ctx, w.turn(false)); err != nil {
			return fmt.Errorf("turn the firewall off: %w", err)
		}
	}
	if !slices.Equal(have, want) {
		if err := w.set(ctx, h, want); err != nil {
			return fmt.Errorf("set the rules of the firewall: %w", err)
		}
	}
	if f.Mode != FirewallZone {
		h.Manifest.ForgetUnit(firewallMemory)
	}
	if on || !wanted {
		return nil
	}
	h.Manifest.SetUnit(firewallMemory, Loaded{})
	return f.turnOn(ctx, h, w)
}

// turnOn turns the firewall on, and has systemd turn it off again unless the
// control side is heard. Whether others may connect is a matter of the rules,
// which cuts has looked at: a firewall lets connections pass that it knows.
func (f *Firewall) turnOn(ctx context.Context, h *Host, w wall) error {
	run := func(args ...string) error {
		_, err := h.Commands.Run(ctx, Command{Args: args})
		return err
	}
	disarm := func() error { return run("systemctl", "stop", firewallUndo+".timer") }
	_ = disarm() // of a run that was cut off
	undo := w.turn(false).Args
	if path, ok := h.Commands.Look(undo[0]); ok {
		undo = append([]string{path}, undo[1:]...)
	}
	arm := append([]string{"systemd-run", "--quiet", "--collect", "--unit=" + firewallUndo,
		fmt.Sprintf("--on-active=%ds", int(firewallGrace.Seconds())), "--timer-property=AccuracySec=1s", "--"}, undo...)
	if err := run(arm...); err != nil {
		return fmt.Errorf("prepare to turn the firewall off again: %w", err)
	}
	if _, err := h.Commands.Run(ctx, w.turn(true)); err != nil {
		return fmt.Errorf("turn the firewall on: %w", err)
	}
	heard, cancel := context.WithTimeout(ctx, firewallGrace/2)
	defer cancel()
	if err := h.Control.Ping(heard); err != nil {
		return fmt.Errorf("the control side was not heard through the firewall, which is turned off again within %s: %w", firewallGrace, err)
	}
	if err := disarm(); err != nil {
		return fmt.Errorf("keep the firewall on: %w", err)
	}
	return nil
}

// state returns whether the firewall is on, our rules that it has, and those
// that it should have.
func (f *Firewall) state(ctx context.Context, h *Host, w wall) (on bool, have, want []string, err error) {
	if on, err = w.on(ctx, h); err != nil {
		return
	}
	have, others, err := w.rules(h)
	if err != nil {
		return
	}
	switch {
	case f.Mode == FirewallZone:
		want = slices.DeleteFunc(firewallRules(f.Networks, f.Ports), func(r string) bool { return slices.Contains(others, r) })
	case f.wantsOn(h, on): // goes on without us, but not without those who work on it
		for _, rule := range have {
			if h.Session != nil && h.Session.passes(rule) {
				want = append(want, rule)
			}
		}
	}
	slices.Sort(have)
	slices.Sort(want)
	return on, have, want, nil
}

func (f *Firewall) wantsOn(h *Host, on bool) bool {
	switch f.Mode {
	case FirewallZone:
		return true
	case FirewallOff:
		return false
	}
	_, ours := h.Manifest.Unit(firewallMemory)
	return on && !ours
}

// cuts returns an error if the rules would not let in who works on the host now.
func (f *Firewall) cuts(h *Host) error {
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

// Session is the SSH connection that a host is worked on through.
type Session struct {
	Peer netip.Addr // not valid if it could not be found out
	Port int        // of the host
}

// passes reports whether rule lets the session in.
func (s *Session) passes(rule string) bool {
	if s.Peer.IsLoopback() {
		return true
	}
	if port, ok := strings.CutPrefix(rule, "open "); ok {
		return port == fmt.Sprintf("%d/tcp", s.Port)
	}
	network, err := netip.ParsePrefix(strings.TrimPrefix(rule, "trust "))
	return err == nil && network.Contains(s.Peer.Unmap())
}

// firewallRules writes rules as "trust 10.0.0.0/8" and "open 22/tcp", sorted.
func firewallRules(networks []string, ports []int) []string {
	var out []string
	for _, n := range networks {
		out = append(out, "trust "+network(n))
	}
	for _, p := range ports {
		out = append(out, "open "+strconv.Itoa(p)+"/tcp")
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// network writes an address or CIDR in the one form that all firewalls share.
func network(text string) string {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked().String()
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()).String()
	}
	return text
}

// firewallOf returns the host's firewall, nil if it has none.
func firewallOf(h *Host) wall {
	switch {
	case looks(h, "firewall-cmd"):
		return firewalld{}
	case looks(h, "ufw"):
		return ufw{}
	}
	return nil
}
