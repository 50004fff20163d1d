package etcd

import (
	"context"
	"errors"
	"strconv"

	"pigsty/internal/resource"
)

// DeletePrefix deletes all keys under a prefix: what Patroni keeps of a cluster
// that is removed.
type DeletePrefix struct {
	API
	Prefix string
	After  []string // keys of resources that come before
}

var _ resource.Requirer = DeletePrefix{}

// Key returns "etcd keys PREFIX".
func (d DeletePrefix) Key() string { return "etcd keys " + d.Prefix }

// Requires returns After.
func (d DeletePrefix) Requires() []string { return d.After }

var errNoPrefix = errors.New("deleting all of etcd's keys is refused: the prefix is empty")

// Diff counts the keys.
func (d DeletePrefix) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	if d.Prefix == "" || d.Prefix == "/" {
		return resource.Change{}, errNoPrefix
	}
	c, err := d.client(h)
	if err != nil {
		return outside(err)
	}
	keys, err := c.Keys(ctx, d.Prefix)
	if err != nil {
		return unreachable(err)
	}
	if len(keys) == 0 {
		return resource.Change{}, nil
	}
	return resource.Change{Action: resource.Remove, Reason: "declared absent", Impact: resource.ImpactDataLoss,
		Attrs: []resource.Attr{{Name: "keys", Old: strconv.Itoa(len(keys))}}}, nil
}

// Apply deletes the keys.
func (d DeletePrefix) Apply(ctx context.Context, h *resource.Host) error {
	if d.Prefix == "" || d.Prefix == "/" {
		return errNoPrefix
	}
	c, err := d.client(h)
	if err != nil {
		return err
	}
	return c.DeletePrefix(ctx, d.Prefix)
}
