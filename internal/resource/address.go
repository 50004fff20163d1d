package resource

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// arpTable is what the kernel knows of its neighbours, see proc(5).
const arpTable = "/proc/net/arp"

// arpPatience is how long a neighbour may take to answer.
const arpPatience = time.Second

// AddressFree makes sure that nobody uses an IPv4 address that the host is about to
// share with peers. It writes nothing.
type AddressFree struct {
	Address string
	Peers   []string // addresses of those who may have it already
	Unless  string   // a file that shows that the host shares it already
	For     string   // the parameter that names the address
}

var _ Resource = (*AddressFree)(nil)

// Key returns "address " and the address.
func (a *AddressFree) Key() string { return "address " + a.Address }

// Diff is never a change; it fails if a machine that is no peer answers for the address.
func (a *AddressFree) Diff(ctx context.Context, h *Host) (Change, error) {
	ip, err := netip.ParseAddr(a.Address)
	if err != nil || !ip.Is4() || exists(h, a.Unless) {
		return Change{}, nil
	}
	for cidr := range h.Facts.Addresses {
		if own, err := netip.ParsePrefix(cidr); err == nil && own.Addr() == ip {
			return Change{}, nil
		}
	}
	seen, err := neighbours(ctx, h, append([]string{a.Address}, a.Peers...))
	if err != nil {
		return Change{}, err
	}
	who := seen[a.Address]
	if who == "" {
		return Change{}, nil
	}
	for _, peer := range a.Peers {
		if seen[peer] == who {
			return Change{}, nil
		}
	}
	return Change{}, fmt.Errorf("%s is in use by a machine that is none of the nodes that share it (%s): choose another %s", a.Address, who, a.For)
}

// Apply is never called.
func (a *AddressFree) Apply(context.Context, *Host) error { return nil }

// neighbours returns the link-layer addresses of those of addresses that answer
// in the networks that the host is in.
func neighbours(ctx context.Context, h *Host, addresses []string) (map[string]string, error) {
	for _, a := range addresses { // whatever is sent makes the kernel ask
		if c, err := net.Dial("udp4", net.JoinHostPort(a, "9")); err == nil {
			_, _ = c.Write([]byte{0})
			_ = c.Close()
		}
	}
	for end := time.Now().Add(arpPatience); ; {
		data, err := h.Files.Read(arpTable)
		if err != nil {
			return nil, err
		}
		out := map[string]string{}
		for line := range strings.Lines(string(data)) {
			if f := strings.Fields(line); len(f) > 3 && f[2] != "0x0" { // 0x0 has not answered
				out[f[0]] = f[3]
			}
		}
		missing := false
		for _, a := range addresses {
			missing = missing || out[a] == ""
		}
		if !missing || time.Now().After(end) {
			return out, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
