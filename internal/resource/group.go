package resource

import (
	"context"
	"fmt"
	"strconv"
)

// Group is a group of the host.
type Group struct {
	Name   string
	GID    int  // 0: any
	KeepID bool // a group that exists keeps its id, and GID is for a new one only
	System bool
}

var _ Resource = (*Group)(nil)

// Key returns "group " and the name.
func (g *Group) Key() string { return "group " + g.Name }

// Diff creates what is absent. An existing group with another id is an error:
// files would belong to nobody after a silent change.
func (g *Group) Diff(_ context.Context, h *Host) (Change, error) {
	gid, ok, err := h.Accounts.Group(g.Name)
	if err != nil {
		return Change{}, err
	}
	if ok && g.GID != 0 && gid != g.GID && !g.KeepID {
		return Change{}, fmt.Errorf("group %s exists with gid %d, not %d: set the inventory to %d, or change it by hand "+
			"(groupmod -g %d %s, then chgrp its files)", g.Name, gid, g.GID, gid, g.GID, g.Name)
	}
	if ok {
		return Change{}, nil
	}
	c := Change{Action: Create, Reason: "does not exist"}
	if g.GID != 0 {
		c.Attrs = append(c.Attrs, Attr{Name: "gid", New: strconv.Itoa(g.GID)})
	}
	return c, nil
}

// Apply adds the group.
func (g *Group) Apply(ctx context.Context, h *Host) error {
	if _, ok, err := h.Accounts.Group(g.Name); ok || err != nil {
		return err
	}
	return h.Accounts.AddGroup(ctx, g.Name, g.GID, g.System)
}
