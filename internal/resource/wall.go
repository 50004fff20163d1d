package resource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// wall is one kind of firewall.
type wall interface {
	// rules returns what the host has of rules.
	rules(ctx context.Context, h *Host) (walled, error)
	// set makes our rules those and no others.
	set(ctx context.Context, h *Host, have walled, rules []string) error
	// state tells whether the firewall works now, and whether it will after a boot.
	state(ctx context.Context, h *Host) (wallState, error)
	turn(to wallState) Command
	// files are those that have its rules while it is off, and whether it starts at
	// boot, as far as we change them and its own word for off does not.
	files() []string
	// dir is where all of its rules are, those of others too.
	dir() string
}

// walled are the rules of a host that matter here, as firewallRules writes them.
type walled struct {
	kept []string // ours, as they will be after a boot
	live []string // ours, as they work now; like kept where the firewall is off

	others  []string           // those of others that say the same as one of ours could
	opposed map[string]opposed // what keeps ours from working, and goes, by what ours say
	taken   map[string]error   // why ours cannot be had
}

// opposed is a rule that keeps one of ours from working: the opposite of it, or
// the same where it comes too late.
type opposed struct {
	action string // allow, deny or reject, as the firewall writes it
	shown  string
}

// has reports whether rule works now and will after a boot.
func (w walled) has(rule string) bool {
	return slices.Contains(w.kept, rule) && slices.Contains(w.live, rule)
}

// all returns our rules, whether they work now or will after a boot.
func (w walled) all() []string {
	all := slices.Concat(w.kept, w.live)
	slices.Sort(all)
	return slices.Compact(all)
}

// wallState is what a firewall is now and after a boot.
type wallState struct{ running, enabled bool }

var (
	wallOn  = wallState{true, true}
	wallOff = wallState{}
)

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

// page is what one of a firewall's files says; nil text if there is none.
type page struct {
	path string
	text []byte
	info FileInfo
}

func readPages(h *Host, paths []string) ([]page, error) {
	pages := make([]page, len(paths))
	for i, path := range paths {
		info, err := h.Files.Stat(path)
		var text []byte
		if err == nil {
			text, err = h.Files.Read(path)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		pages[i] = page{path, text, info}
	}
	return pages, nil
}

func writePages(h *Host, pages []page) error {
	var errs []error
	for _, p := range pages {
		if p.text == nil {
			errs = append(errs, h.Files.Remove(p.path))
		} else {
			errs = append(errs, h.Files.Write(p.path, p.text, p.info.Mode.Perm(), p.info.Owner))
		}
	}
	return errors.Join(errs...)
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
