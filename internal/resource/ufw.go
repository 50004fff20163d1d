package resource

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"slices"
	"strings"
)

// ufwComment marks our rules.
const ufwComment = "pigsty"

// ufw is the firewall of Ubuntu, which keeps its rules in files of its own and
// takes changes by its command.
type ufw struct{}

// ufwFiles are where ufw keeps its rules. Each is preceded by a line
// "### tuple ### ACTION PROTOCOL TO-PORT TO FROM-PORT FROM in comment=HEX".
var ufwFiles = []string{"/etc/ufw/user.rules", "/etc/ufw/user6.rules"}

func (ufw) rules(h *Host) (ours, others []string, err error) {
	for _, file := range ufwFiles {
		data, err := h.Files.Read(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, err
		}
		for line := range strings.Lines(string(data)) {
			switch rule, mine := ufwRule(line); {
			case rule == "":
			case mine && !slices.Contains(ours, rule):
				ours = append(ours, rule)
			case !mine:
				others = append(others, rule)
			}
		}
	}
	return ours, others, nil
}

// ufwRule reads a rule that lets in a network, or everybody to a port, and
// whether it is one of ours; "" for other lines.
func ufwRule(line string) (rule string, ours bool) {
	tuple, ok := strings.CutPrefix(strings.TrimSpace(line), "### tuple ### ")
	f := strings.Fields(tuple)
	if !ok || len(f) < 7 || f[0] != "allow" || f[4] != "any" || f[6] != "in" {
		return "", false
	}
	everybody := func(address string) bool { return address == "0.0.0.0/0" || address == "::/0" }
	ours = len(f) > 7 && f[7] == "comment="+hex.EncodeToString([]byte(ufwComment))
	switch {
	case !everybody(f[3]):
	case f[1] == "any" && f[2] == "any":
		return "trust " + network(f[5]), ours
	case f[2] != "any" && everybody(f[5]):
		return "open " + f[2] + "/" + f[1], ours
	}
	return "", false
}

func (u ufw) set(ctx context.Context, h *Host, rules []string) error {
	have, _, err := u.rules(h)
	if err != nil {
		return err
	}
	run := func(args ...string) error {
		_, err := h.Commands.Run(ctx, Command{Args: append([]string{"ufw"}, args...)})
		return err
	}
	for _, rule := range rules { // the new ones first, so that nothing is shut in between
		if !slices.Contains(have, rule) {
			if err := run(append(ufwWords(rule), "comment", ufwComment)...); err != nil {
				return err
			}
		}
	}
	for _, rule := range have {
		if !slices.Contains(rules, rule) {
			if err := run(append([]string{"--force", "delete"}, ufwWords(rule)...)...); err != nil {
				return err
			}
		}
	}
	return nil
}

// ufwWords writes a rule as the command takes it.
func ufwWords(rule string) []string {
	if port, ok := strings.CutPrefix(rule, "open "); ok {
		return []string{"allow", port}
	}
	return []string{"allow", "from", strings.TrimPrefix(rule, "trust ")}
}

func (ufw) on(_ context.Context, h *Host) (bool, error) {
	data, err := h.Files.Read("/etc/ufw/ufw.conf")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	for line := range strings.Lines(string(data)) {
		if strings.EqualFold(strings.TrimSpace(line), "ENABLED=yes") {
			return true, nil
		}
	}
	return false, nil
}

func (ufw) turn(on bool) Command {
	return Command{Args: []string{"ufw", "--force", map[bool]string{true: "enable", false: "disable"}[on]}}
}
