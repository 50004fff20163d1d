package resource

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

const firewalldUnit = "firewalld.service"

// firewalld is the firewall of EL. Our rules are files of our own: a zone that
// trusts networks, and a policy for what everybody may reach, so that a rule
// that goes leaves nothing behind in the zones of others.
type firewalld struct{}

func (w firewalld) rules(ctx context.Context, h *Host) (walled, error) {
	zone, policy, err := w.read(h)
	if err != nil {
		return walled{}, err
	}
	have := walled{kept: firewalldRules(zone, policy)}
	have.live = slices.Clone(have.kept)
	if is, err := w.state(ctx, h); err != nil {
		return walled{}, err
	} else if is.running {
		if have.live, err = w.live(ctx, h); err != nil {
			return walled{}, err
		}
	}
	return have, w.neighbours(h, &have)
}

// live returns our rules that work now: what was read from the files last, and
// what somebody did to it since. It asks firewalld over the bus, as its own
// command does, which takes a second to start.
func (firewalld) live(ctx context.Context, h *Host) ([]string, error) {
	ask := func(kind, method, name string) (string, error) {
		const bus = "org.fedoraproject.FirewallD1"
		out, err := h.Commands.Run(ctx, Command{Args: []string{"busctl", "call", bus, "/org/fedoraproject/FirewallD1", bus + "." + kind, method, "s", name}})
		var failed *CommandError
		if errors.As(err, &failed) && strings.Contains(failed.Error(), "INVALID_"+strings.ToUpper(kind)) {
			return "", nil // it has none of that name
		}
		if err != nil {
			return "", fmt.Errorf("ask firewalld what it does now: %w", err)
		}
		return string(out), nil
	}
	sources, err := ask("zone", "getSources", firewalldZoneName)
	if err != nil {
		return nil, err
	}
	settings, err := ask("policy", "getPolicySettings", firewalldPolicyName)
	if err != nil {
		return nil, err
	}
	var rules []string
	for _, source := range quoted.FindAllStringSubmatch(sources, -1) {
		rules = append(rules, "trust "+network(source[1]))
	}
	for _, port := range quotedPair.FindAllStringSubmatch(livePorts.FindString(settings), -1) {
		rules = append(rules, "open "+port[1]+"/"+port[2])
	}
	return rules, nil
}

// What busctl prints: as 1 "10.0.0.0/8", and among others "ports" a(ss) 1 "22" "tcp".
var (
	quoted     = regexp.MustCompile(`"([^"]*)"`)
	quotedPair = regexp.MustCompile(`"(\d[^"]*)" "([^"]*)"`)
	livePorts  = regexp.MustCompile(`"ports" a\(ss\) \d+( "[^"]*" "[^"]*")*`)
)

func (w firewalld) set(ctx context.Context, h *Host, _ walled, rules []string) error {
	zone := zoneXML{Target: "ACCEPT", Short: "pigsty: networks that are trusted"}
	policy := policyXML{Target: "CONTINUE", Priority: -1, Short: "pigsty: ports that are open to everybody",
		Ingress: nameXML{"ANY"}, Egress: nameXML{"HOST"}}
	for _, rule := range rules {
		if port, ok := strings.CutPrefix(rule, "open "); ok {
			number, protocol, _ := strings.Cut(port, "/")
			policy.Ports = append(policy.Ports, portXML{protocol, number})
			continue
		}
		// firewalld takes a single address without its length only.
		address := strings.TrimPrefix(rule, "trust ")
		if p, err := netip.ParsePrefix(address); err == nil && p.IsSingleIP() {
			address = p.Addr().String()
		}
		zone.Sources = append(zone.Sources, sourceXML{address})
	}
	oldZone, oldPolicy, err := w.read(h)
	if err != nil {
		return err
	}
	if err := w.write(h, zone, policy); err != nil {
		return err
	}
	run := func(args ...string) error {
		_, err := h.Commands.Run(ctx, Command{Args: args})
		return err
	}
	if err := run("firewall-offline-cmd", "--check-config"); err != nil { // it would not start with these
		return errors.Join(err, w.write(h, oldZone, oldPolicy))
	}
	if is, err := w.state(ctx, h); err != nil || !is.running {
		return err
	}
	return run("firewall-cmd", "--reload")
}

func (firewalld) state(ctx context.Context, h *Host) (wallState, error) {
	st, err := h.Units.Show(ctx, firewalldUnit)
	if err != nil {
		return wallState{}, fmt.Errorf("look at %s: %w", firewalldUnit, err)
	}
	return wallState{running: isRunning(st), enabled: st.Enabled}, nil
}

func (firewalld) turn(to wallState) Command {
	switch {
	case to == wallOn:
		return Command{Args: []string{"systemctl", "enable", "--now", firewalldUnit}}
	case to == wallOff:
		return Command{Args: []string{"systemctl", "disable", "--now", firewalldUnit}}
	case to.running:
		return Command{Args: []string{"systemctl", "disable", firewalldUnit}}
	}
	return Command{Args: []string{"systemctl", "stop", firewalldUnit}}
}
