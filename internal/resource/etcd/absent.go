package etcd

import (
	"context"
	"errors"

	"pigsty/internal/resource"
)

// AccountAbsent removes a user and the role of the same name.
type AccountAbsent struct {
	API   // as root
	Name  string
	After []string // keys of resources that come before
}

var _ resource.Requirer = AccountAbsent{}

// Key returns "etcd account absent NAME".
func (a AccountAbsent) Key() string { return "etcd account absent " + a.Name }

// Requires returns After.
func (a AccountAbsent) Requires() []string { return a.After }

// Diff looks for the user and the role.
func (a AccountAbsent) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	c, err := a.client(h)
	if err != nil {
		return outside(err)
	}
	_, user, err := c.UserRoles(ctx, a.Name)
	if err != nil {
		return unreachable(err)
	}
	_, role, err := c.rolePermissions(ctx, a.Name)
	if err != nil || !user && !role {
		return resource.Change{}, err
	}
	return resource.Change{Action: resource.Remove, Reason: "declared absent"}, nil
}

// Apply deletes the user and the role.
func (a AccountAbsent) Apply(ctx context.Context, h *resource.Host) error {
	c, err := a.client(h)
	if err != nil {
		return err
	}
	if err := c.call(ctx, "/v3/auth/user/delete", map[string]any{"name": a.Name}, nil); err != nil && !says(err, "user name not found") {
		return err
	}
	if err := c.call(ctx, "/v3/auth/role/delete", map[string]any{"role": a.Name}, nil); err != nil && !says(err, saysNoRole) {
		return err
	}
	return nil
}

// errNoCA is what a host lacks that nothing was ever deployed on.
var errNoCA = errors.New("not there yet")

// outside is unreachable for what is to be removed: a host that was never made
// to trust etcd has nothing there.
func outside(err error) (resource.Change, error) {
	if errors.Is(err, errNoCA) {
		return resource.Change{Skipped: err.Error()}, nil
	}
	return unreachable(err)
}
