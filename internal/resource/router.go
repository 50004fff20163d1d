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
	"time"
)

// routerPatience is how long virtual routers are listened for: three of the
// intervals of a second in which they announce themselves unless told otherwise.
const routerPatience = 3500 * time.Millisecond

// VirtualRouter is a virtual router (VRRP) as one who holds it announces it.
type VirtualRouter struct {
	Source netip.Addr
	ID     int // 1 to 255
}

// RouterFree makes sure that nobody but its members announces the virtual router
// of an IPv4 address that the host is about to share: two that have one number in
// one network would take each other for the same. It writes nothing.
type RouterFree struct {
	Address   string
	Interface string
	ID        int      // 1 to 255
	Members   []string // addresses of those who share it
	Unless    string   // keepalived's file that shows that the host takes part already
	Advice    string   // how to have another number

	InterfaceOf string // for messages: the parameter that names the interface
}

var _ Resource = (*RouterFree)(nil)

// Key returns "virtual router ", the number and the interface.
func (r *RouterFree) Key() string { return fmt.Sprintf("virtual router %d on %s", r.ID, r.Interface) }

// Diff is never a change; it fails if a machine that is no member announces the router.
func (r *RouterFree) Diff(ctx context.Context, h *Host) (Change, error) {
	if ip, err := netip.ParseAddr(r.Address); err != nil || !ip.Is4() {
		return Change{}, nil
	}
	if part, err := r.takesPart(h); err != nil || part {
		return Change{}, err
	}
	heard, err := h.Network.Routers(ctx, r.Interface, routerPatience)
	if err != nil {
		return Change{}, fmt.Errorf("listen for virtual routers on %s: %w; %s names another interface", r.Interface, err, r.InterfaceOf)
	}
	for _, other := range heard {
		if other.ID == r.ID && !slices.Contains(r.Members, other.Source.String()) {
			return Change{}, fmt.Errorf("%s announces virtual router %d on the network of %s, and is none of the nodes that share this one: %s",
				other.Source, r.ID, r.Interface, r.Advice)
		}
	}
	return Change{}, nil
}

// Apply is never called.
func (r *RouterFree) Apply(context.Context, *Host) error { return nil }

// takesPart reports whether keepalived's file has the router at its interface already.
func (r *RouterFree) takesPart(h *Host) (bool, error) {
	data, err := h.Files.Read(r.Unless)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	said := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 2 {
			said[f[0]] = f[1]
		}
	}
	return said["interface"] == r.Interface && said["virtual_router_id"] == strconv.Itoa(r.ID), nil
}
