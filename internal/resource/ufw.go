package resource

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

const (
	// ufwComment marks our rules.
	ufwComment = "pigsty"
	// ufwConf says whether it starts at boot.
	ufwConf = "/etc/ufw/ufw.conf"
)

// ufw is the firewall of Ubuntu, which keeps its rules in files of its own and
// takes changes by its command.
type ufw struct{}

// ufwFiles are where ufw keeps its rules. Each is preceded by a line
// "### tuple ### ACTION PROTOCOL TO-PORT TO FROM-PORT FROM in comment=HEX".
var ufwFiles = []string{"/etc/ufw/user.rules", "/etc/ufw/user6.rules"}

func (ufw) files() []string { return append(slices.Clone(ufwFiles), ufwConf) }

func (ufw) dir() string { return "/etc/ufw" }

// rules reads them in their order, since the first that matches counts.
func (ufw) rules(_ context.Context, h *Host) (walled, error) {
	have := walled{opposed: map[string]opposed{}}
	for _, file := range ufwFiles {
		data, err := h.Files.Read(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return walled{}, err
		}
		decided, shut := false, false // what becomes of the session
		for line := range strings.Lines(string(data)) {
			r, ok := parseUfw(line)
			if !ok {
				continue
			}
			if h.Session != nil && r.matches(h.Session) {
				if !decided {
					decided, shut = true, r.denies()
				} else if shut && !r.denies() && r.says != "" {
					have.opposed[r.says] = opposed{r.written, r.says + " behind one that denies it"}
				}
			}
			switch {
			case r.says == "":
			case r.denies():
				have.opposed[r.says] = opposed{r.written, r.written + " " + strings.Join(ufwWords(r.says), " ")}
			case !r.ours:
				have.others = append(have.others, r.says)
			case !slices.Contains(have.kept, r.says):
				have.kept = append(have.kept, r.says)
			}
		}
	}
	without := func(rule string) bool { _, ok := have.opposed[rule]; return ok }
	have.kept, have.others = slices.DeleteFunc(have.kept, without), slices.DeleteFunc(have.others, without)
	have.live = slices.Clone(have.kept)
	return have, nil
}

// ufwRule is a line of the files.
type ufwRule struct {
	action  string // allow, limit, deny or reject
	written string // as the command takes it: the action, with log or log-all
	ours    bool
	// says is the rule as firewallRules would write it; "" if that has no word for it.
	says string

	protocol, ports string
	from            string
}

// parseUfw reads a rule about what comes in.
func parseUfw(line string) (ufwRule, bool) {
	tuple, ok := strings.CutPrefix(strings.TrimSpace(line), "### tuple ### ")
	f := strings.Fields(tuple)
	if !ok || len(f) < 7 || strings.HasPrefix(f[0], "route:") {
		return ufwRule{}, false
	}
	direction := f[6]
	if len(f) > 8 { // names of applications stand before it
		direction = f[8]
	}
	if direction != "in" && !strings.HasPrefix(direction, "in_") {
		return ufwRule{}, false
	}
	action, _, _ := strings.Cut(f[0], "_") // deny_log
	r := ufwRule{action: action, written: strings.ReplaceAll(f[0], "_", " "), protocol: f[1], ports: f[2], from: f[5],
		ours: f[len(f)-1] == "comment="+hex.EncodeToString([]byte(ufwComment))}
	everybody := func(address string) bool { return address == "0.0.0.0/0" || address == "::/0" }
	switch {
	case f[4] != "any" || f[6] != "in" || !everybody(f[3]):
	case f[1] == "any" && f[2] == "any":
		r.says = "trust " + network(f[5])
	case f[2] != "any" && everybody(f[5]):
		r.says = "open " + f[2] + "/" + f[1]
	}
	return r, true
}

func (r ufwRule) denies() bool { return r.action == "deny" || r.action == "reject" }

// matches reports whether r is about the session, as far as can be told: whom it
// comes to, and through which interface, is not looked at.
func (r ufwRule) matches(s *Session) bool {
	from, err := netip.ParsePrefix(network(r.from))
	if err != nil || !from.Contains(s.Peer) || r.protocol != "any" && r.protocol != "tcp" {
		return false
	}
	for ports := range strings.SplitSeq(r.ports, ",") {
		first, last, isRange := strings.Cut(ports, ":")
		low, err := strconv.Atoi(first)
		high := low
		if isRange {
			high, _ = strconv.Atoi(last)
		}
		if ports == "any" || err == nil && low <= s.Port && s.Port <= high {
			return true
		}
	}
	return false
}

// set puts the new ones first, before older rules that deny what they allow.
// ufw does not move a rule that it has, and takes one that says the opposite for
// the same, so that is deleted before.
func (u ufw) set(ctx context.Context, h *Host, have walled, rules []string) error {
	run := func(args ...string) error {
		_, err := h.Commands.Run(ctx, Command{Args: append([]string{"ufw"}, args...)})
		return err
	}
	remove := func(action, rule string) error {
		return run(slices.Concat([]string{"--force", "delete"}, strings.Fields(action), ufwWords(rule))...)
	}
	for _, rule := range rules { // before others go, so that nothing is shut in between
		if have.has(rule) {
			continue
		}
		if was, ok := have.opposed[rule]; ok {
			if err := remove(was.action, rule); err != nil {
				return err
			}
		}
		if err := run(append(append([]string{"prepend", "allow"}, ufwWords(rule)...), "comment", ufwComment)...); err != nil {
			return err
		}
	}
	for _, rule := range have.kept {
		if !slices.Contains(rules, rule) {
			if err := remove("allow", rule); err != nil {
				return err
			}
		}
	}
	return nil
}

// ufwWords writes a rule as the command takes it after allow.
func ufwWords(rule string) []string {
	if port, ok := strings.CutPrefix(rule, "open "); ok {
		return []string{port}
	}
	return []string{"from", strings.TrimPrefix(rule, "trust ")}
}

// state asks the kernel, too: somebody may have emptied its tables.
func (ufw) state(ctx context.Context, h *Host) (wallState, error) {
	data, err := h.Files.Read(ufwConf)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return wallState{}, err
	}
	is := wallState{}
	for line := range strings.Lines(string(data)) {
		is.enabled = is.enabled || strings.EqualFold(strings.TrimSpace(line), "ENABLED=yes")
	}
	if !is.enabled {
		return is, nil // what ufw leaves in the tables when it is turned off lets all pass
	}
	_, err = h.Commands.Run(ctx, Command{Args: []string{"iptables", "--wait", "--check", "INPUT", "--jump", "ufw-before-input"}})
	var failed *CommandError
	switch {
	case errors.As(err, &failed) && failed.Code < 0:
		return is, err
	case err == nil || failed != nil && failed.Code > 2: // without the right to look at them
		is.running = true
	}
	return is, nil
}

func (ufw) turn(to wallState) Command {
	return Command{Args: []string{"ufw", "--force", map[bool]string{true: "enable", false: "disable"}[to.running]}}
}
