package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"pigsty/internal/conf"
	"pigsty/internal/inventory"
	"pigsty/internal/module"
	"pigsty/internal/transport"
)

// checkMachine checks this machine as a host of the template, by the address
// that is given or found.
func (a *app) checkMachine(ctx context.Context, f *initFlags) error {
	t, err := f.lookup()
	if err != nil {
		return err
	}
	m, err := conf.ThisMachine(ctx)
	if err != nil {
		return err
	}
	addresses, _, err := a.chooseAddresses(ctx, f, t, m)
	if err != nil {
		return err
	}
	filled, err := t.Fill(conf.Values{Addresses: addresses})
	if err != nil {
		return status(exitInvalid, "%v", err)
	}
	checks, err := a.preflight(ctx, m, filled.Text)
	if err != nil {
		return err
	}
	if len(checks) == 0 {
		return errors.New("none of the addresses is this machine's: name one that is with -i")
	}
	if a.json {
		err = a.initJSON(nil, checks)
	} else {
		for _, c := range checks {
			a.printCheck(c)
		}
	}
	failed := 0
	for _, c := range checks {
		if c.State == conf.Failure {
			failed++
		}
	}
	if err == nil && failed > 0 {
		return status(exitError, "this machine is not fit to be deployed on: %s", count(failed, "failure"))
	}
	return err
}

// preflight checks this machine for what the inventory text wants of it,
// nothing if it is not among the hosts.
func (a *app) preflight(ctx context.Context, m conf.Machine, text []byte) ([]conf.Check, error) {
	fromText := *a
	fromText.in, fromText.inventories = bytes.NewReader(text), []string{"-"}
	d, err := fromText.load(nil)
	if err != nil {
		return nil, err
	}
	for _, h := range d.site(nil).Hosts() {
		ip, err := netip.ParseAddr(h.Name())
		if err != nil || !m.Has(ip) {
			continue
		}
		ports := conf.Ports(func(name string) (inventory.Value, bool) {
			if v, ok := h.Vars.Get(name); ok {
				return v.Value, true
			}
			if p, ok := d.catalogue.Lookup(name); ok {
				return p.Default, true
			}
			return inventory.Value{}, false
		})
		return append(m.Preflight(ports), a.checkLogin(ctx, h)), nil
	}
	return nil, nil
}

// checkLogin logs in to h as a deployment would, and becomes root.
func (a *app) checkLogin(ctx context.Context, h *module.Host) conf.Check {
	c := conf.Check{Name: "login", State: conf.OK, Found: "ssh to " + h.Name() + " works, and sudo there"}
	t, err := target(h)
	if err != nil {
		return conf.Check{Name: "login", State: conf.Failure, Found: err.Error()}
	}
	const limit = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, 2*limit)
	defer cancel()
	d := transport.New(transport.Options{ConnectTimeout: limit, Log: func(_, line string) { fmt.Fprintln(a.err, line) }})
	defer d.Close()
	if _, err = d.Run(ctx, t, []string{"true"}, nil); err != nil {
		c.State, c.Found = conf.Failure, err.Error()
		c.Advice = "put your public key into ~/.ssh/authorized_keys of this machine (ssh-copy-id " + h.Name() + ")"
		var failed *transport.Error
		if errors.As(err, &failed) && failed.Advice != "" {
			c.Advice = failed.Advice
		}
		return c
	}
	if _, err = d.Run(ctx, t, []string{"sh", "-c", `[ "$(id -u)" = 0 ] || sudo -n true`}, nil); err != nil {
		c.State, c.Found = conf.Failure, "ssh to "+h.Name()+" works, but not sudo without a password"
		c.Advice = "allow it in /etc/sudoers.d, or give ansible_become_password in the inventory"
	}
	return c
}

// printAdvice prints those of checks that a person should know of, and how
// many there were.
func (a *app) printAdvice(checks []conf.Check) {
	problems := 0
	for _, c := range checks {
		if c.State == conf.Failure || c.State == conf.Warning {
			problems++
		}
	}
	switch {
	case len(checks) == 0:
		fmt.Fprintln(a.out, "This machine is not among the hosts, and was not checked.")
	case problems == 0:
		fmt.Fprintln(a.out, "This machine is fit to be deployed on.")
	default:
		fmt.Fprintln(a.out, "Before you deploy on this machine:")
	}
	for _, c := range checks {
		if c.State == conf.Failure || c.State == conf.Warning {
			a.printCheck(c)
		}
	}
}

// printCheck prints one check on a line, and what to do about it on another.
func (a *app) printCheck(c conf.Check) {
	look := map[conf.State][2]string{
		conf.OK: {"32", "✓"}, conf.Warning: {"33", "!"}, conf.Failure: {"31", "✗"}, conf.Skipped: {"36", "-"},
	}[c.State]
	fmt.Fprintf(a.out, "%s %-12s %s\n", a.paint(a.out, look[0], look[1]), c.Name, c.Found)
	if c.Advice != "" {
		fmt.Fprintf(a.out, "  %-12s %s\n", "", c.Advice)
	}
}
