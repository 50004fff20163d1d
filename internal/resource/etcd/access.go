package etcd

import (
	"context"
	"encoding/base64"
	"slices"

	"pigsty/internal/secret"
)

// AuthEnabled reports whether clients must authenticate. etcd tells only root
// whether they must; that nobody else is told says it too.
func (c *Client) AuthEnabled(ctx context.Context) (bool, error) {
	var out struct{ Enabled bool }
	nobody := c.as("", secret.Value{})
	err := nobody.call(ctx, "/v3/auth/status", empty{}, &out)
	if unserved(err) { // before etcd 3.5; what else only root may see answers the same
		out.Enabled = false
		err = nobody.call(ctx, "/v3/auth/user/list", empty{}, &empty{})
	}
	if says(err, saysNobody) || says(err, saysDenied) {
		return true, nil
	}
	return out.Enabled, err
}

// EnableAuth makes clients authenticate from now on. User root with role root must exist.
func (c *Client) EnableAuth(ctx context.Context) error {
	return c.call(ctx, "/v3/auth/enable", empty{}, &empty{})
}

// AddUser adds a user.
func (c *Client) AddUser(ctx context.Context, name string, password secret.Value) error {
	return c.call(ctx, "/v3/auth/user/add", map[string]any{"name": name, "password": password.Reveal()}, &empty{})
}

// ChangePassword sets a user's password.
func (c *Client) ChangePassword(ctx context.Context, name string, password secret.Value) error {
	return c.call(ctx, "/v3/auth/user/changepw", map[string]any{"name": name, "password": password.Reveal()}, &empty{})
}

// UserRoles returns a user's roles; ok is false when there is no such user.
func (c *Client) UserRoles(ctx context.Context, name string) (roles []string, ok bool, err error) {
	var out struct{ Roles []string }
	err = c.call(ctx, "/v3/auth/user/get", map[string]any{"name": name}, &out)
	if says(err, saysNoUser) {
		return nil, false, nil
	}
	return out.Roles, err == nil, err
}

// GrantRole gives a role to a user.
func (c *Client) GrantRole(ctx context.Context, user, role string) error {
	return c.call(ctx, "/v3/auth/user/grant", map[string]any{"user": user, "role": role}, &empty{})
}

// AddRole adds a role without permissions.
func (c *Client) AddRole(ctx context.Context, name string) error {
	return c.call(ctx, "/v3/auth/role/add", map[string]any{"name": name}, &empty{})
}

// permission is what a role may do with keys from Key up to End.
type permission struct {
	Type string `json:"permType"` // READ (which the gateway leaves out), WRITE, READWRITE
	Key  []byte `json:"key"`
	End  []byte `json:"range_end"`
}

// rolePermissions returns a role's permissions; ok is false when there is no such role.
func (c *Client) rolePermissions(ctx context.Context, name string) (perms []permission, ok bool, err error) {
	var out struct{ Perm []permission }
	err = c.call(ctx, "/v3/auth/role/get", map[string]any{"role": name}, &out)
	if says(err, saysNoRole) {
		return nil, false, nil
	}
	return out.Perm, err == nil, err
}

// GrantPrefix lets a role read and write all keys that begin with prefix.
func (c *Client) GrantPrefix(ctx context.Context, role, prefix string) error {
	return c.call(ctx, "/v3/auth/role/grant", map[string]any{"name": role,
		"perm": permission{Type: "READWRITE", Key: []byte(prefix), End: prefixEnd(prefix)}}, &empty{})
}

// prefixEnd returns the first key that does not begin with prefix: 0 is the end
// of all keys.
func prefixEnd(prefix string) []byte {
	end := []byte(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return []byte{0}
}

// Get returns the value of key; ok is false when there is none.
func (c *Client) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	var out struct{ Kvs []struct{ Value []byte } }
	err = c.call(ctx, "/v3/kv/range", map[string]any{"key": []byte(key)}, &out)
	if err != nil || len(out.Kvs) == 0 {
		return nil, false, err
	}
	return out.Kvs[0].Value, true, nil
}

// Keys returns the keys that begin with prefix, sorted.
func (c *Client) Keys(ctx context.Context, prefix string) ([]string, error) {
	var out struct{ Kvs []struct{ Key []byte } }
	err := c.call(ctx, "/v3/kv/range", map[string]any{"key": []byte(prefix), "range_end": prefixEnd(prefix), "keys_only": true}, &out)
	keys := make([]string, len(out.Kvs))
	for i, kv := range out.Kvs {
		keys[i] = string(kv.Key)
	}
	slices.Sort(keys)
	return keys, err
}

// Put sets key to value.
func (c *Client) Put(ctx context.Context, key string, value []byte) error {
	return c.call(ctx, "/v3/kv/put", map[string]any{"key": []byte(key), "value": base64.StdEncoding.EncodeToString(value)}, &empty{})
}

// DeletePrefix deletes the keys that begin with prefix.
func (c *Client) DeletePrefix(ctx context.Context, prefix string) error {
	return c.call(ctx, "/v3/kv/deleterange", map[string]any{"key": []byte(prefix), "range_end": prefixEnd(prefix)}, &empty{})
}
