package etcd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"pigsty/internal/resource"
	"pigsty/internal/secret"
)

// Auth makes clients authenticate, with user root having the API's password.
// It runs on one member of the cluster.
type Auth struct {
	API     // Username is root's
	Cluster string
	Former  []secret.Value // passwords that root may still have, and then no longer has
	After   []string       // keys of resources that come before
}

// Account is a user with a role of the same name, which may read and write the
// keys under a prefix. It runs on any one host; the API's user is root.
type Account struct {
	API
	Name   string
	Secret secret.Value // the account's own password
	Prefix string       // /pg/pg-meta/
	After  []string     // keys of resources that come before
}

var (
	_ resource.Requirer = Auth{}
	_ resource.Requirer = Account{}
)

const root = "root"

// Key returns "etcd auth CLUSTER".
func (a Auth) Key() string { return "etcd auth " + a.Cluster }

// Requires returns After.
func (a Auth) Requires() []string { return a.After }

func (a Auth) client(h *resource.Host) (*Client, error) {
	if a.Username == "" {
		a.Username = root
	}
	return a.API.client(h)
}

// unreachable is the Diff of what cannot be observed.
func unreachable(err error) (resource.Change, error) {
	if errors.Is(err, ErrUnreachable) {
		return resource.Change{Unknown: after}, nil
	}
	return resource.Change{}, err
}

// Diff asks whether authentication is enabled and root's password works.
func (a Auth) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	c, err := a.client(h)
	if err != nil {
		return unreachable(err)
	}
	enabled, err := c.AuthEnabled(ctx)
	if err != nil {
		return unreachable(err)
	}
	var change resource.Change
	if !enabled {
		change.Differs("authentication", "disabled", "enabled")
		return change, nil
	}
	switch err := c.Authenticate(ctx); {
	case err == nil:
		return change, nil
	case !says(err, saysWrongPassword):
		return unreachable(err)
	}
	if c, err = a.former(ctx, c); err != nil {
		return unreachable(err)
	} else if c == nil {
		return change, errors.New("etcd's root user has another password than the declared one; change it with etcdctl user passwd root, or declare the one it has")
	}
	change.Differs("password of root", secret.Mask, secret.Mask+" (new)")
	return change, nil
}

// former returns a client with one of the passwords that root had, nil if none works.
func (a Auth) former(ctx context.Context, c *Client) (*Client, error) {
	for _, password := range a.Former {
		old := c.as(c.api.Username, password)
		if err := old.Authenticate(ctx); err == nil {
			return old, nil
		} else if !says(err, saysWrongPassword) {
			return nil, err
		}
	}
	return nil, nil
}

// Apply creates user and role root and enables authentication, or changes
// root's password.
func (a Auth) Apply(ctx context.Context, h *resource.Host) error {
	c, err := a.client(h)
	if err != nil {
		return err
	}
	enabled, err := c.AuthEnabled(ctx)
	if err != nil {
		return err
	}
	if enabled {
		if err := c.Authenticate(ctx); err == nil || !says(err, saysWrongPassword) {
			return err
		}
		old, err := a.former(ctx, c)
		if err != nil {
			return err
		}
		if old == nil {
			return errors.New("etcd's root user has another password than the declared one")
		}
		return old.ChangePassword(ctx, c.api.Username, a.Password)
	}
	if err := c.AddUser(ctx, root, a.Password); says(err, saysUserExists) {
		err = c.ChangePassword(ctx, root, a.Password) // of an apply that was interrupted
		if err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	if err := c.AddRole(ctx, root); err != nil && !says(err, saysRoleExists) {
		return err
	}
	if err := c.GrantRole(ctx, root, root); err != nil {
		return err
	}
	return c.EnableAuth(ctx)
}

// Key returns "etcd account NAME".
func (a Account) Key() string { return "etcd account " + a.Name }

// Requires returns After.
func (a Account) Requires() []string { return a.After }

// account is what there is of an Account.
type account struct {
	user, password, role, member, prefix bool
}

// observe looks as the account itself, which may see its own user and role:
// etcd takes its time to check a password, and one is enough. What it may not
// see, because its password differs or the role is not its own, c sees as root.
func (a Account) observe(ctx context.Context, c *Client) (have account, err error) {
	asking := c
	own := c.as(a.Name, a.Secret)
	switch err := own.Authenticate(ctx); {
	case err == nil: // also while authentication is disabled and nothing can be checked
		have.password, asking = true, own
	case !says(err, saysWrongPassword):
		return have, err
	}
	roles, user, err := asking.UserRoles(ctx, a.Name)
	if err != nil {
		return have, err
	}
	have.user, have.member = user, slices.Contains(roles, a.Name)
	if !have.member {
		asking = c
	}
	perms, role, err := asking.rolePermissions(ctx, a.Name)
	if err != nil {
		return have, err
	}
	have.role = role
	have.prefix = slices.ContainsFunc(perms, func(p permission) bool {
		return p.Type == "READWRITE" && string(p.Key) == a.Prefix && bytes.Equal(p.End, prefixEnd(a.Prefix))
	})
	return have, nil
}

// Diff authenticates as the account and compares its role.
func (a Account) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	c, err := a.client(h)
	if err != nil {
		return unreachable(err)
	}
	have, err := a.observe(ctx, c)
	if err != nil {
		return unreachable(err)
	}
	var change resource.Change
	if !have.user {
		change = resource.Change{Action: resource.Create, Reason: "does not exist"}
	} else if !have.password {
		change.Differs("password", secret.Mask, secret.Mask+" (new)")
	}
	if !have.prefix {
		change.Differs("read and write", "", a.Prefix)
	}
	if !have.member {
		change.Differs("role", "", a.Name)
	}
	return change, nil
}

// Apply creates the user and the role, or changes what differs.
func (a Account) Apply(ctx context.Context, h *resource.Host) error {
	if a.Prefix == "" {
		return fmt.Errorf("etcd account %s has no prefix", a.Name)
	}
	c, err := a.client(h)
	if err != nil {
		return err
	}
	have, err := a.observe(ctx, c)
	if err != nil {
		return err
	}
	if !have.role {
		if err := c.AddRole(ctx, a.Name); err != nil && !says(err, saysRoleExists) {
			return err
		}
	}
	if !have.prefix {
		if err := c.GrantPrefix(ctx, a.Name, a.Prefix); err != nil {
			return err
		}
	}
	switch {
	case !have.user:
		if err := c.AddUser(ctx, a.Name, a.Secret); err != nil {
			return err
		}
	case !have.password:
		if err := c.ChangePassword(ctx, a.Name, a.Secret); err != nil {
			return err
		}
	}
	if !have.member {
		return c.GrantRole(ctx, a.Name, a.Name)
	}
	return nil
}
