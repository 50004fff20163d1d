package etcd

import (
	"context"
	"errors"
	"io/fs"
	"strconv"

	"pigsty/internal/resource"
	"pigsty/internal/resource/postgres"
)

// Identity is the system identifier by which Patroni knows the servers of a
// cluster, at its key "initialize": that of the database cluster in a data
// directory. Patroni lets no other server lead, and ends on one when it is resumed
// (patroni/ha.py, "system ID has changed while in paused mode").
type Identity struct {
	API             // as the cluster's own user
	Prefix string   // where Patroni keeps the cluster: /pg/pg-test/
	Data   string   // data directory
	Bin    string   // directory of pg_controldata
	User   string   // owner of the data directory
	After  []string // keys of resources that put another database cluster there
}

var _ resource.Requirer = Identity{}

// Key returns "etcd identity PREFIX".
func (i Identity) Key() string { return "etcd identity " + i.Prefix }

// Requires returns After: what puts another database cluster into the data directory.
func (i Identity) Requires() []string { return i.After }

func (i Identity) key() string { return i.Prefix + "initialize" }

// Diff compares what etcd has with the data directory.
func (i Identity) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	for _, key := range i.After {
		if _, pending := h.Pending(key); pending {
			return resource.Change{Unknown: "after " + key}, nil
		}
	}
	want, err := postgres.SystemID(ctx, h, i.Data, i.Bin, i.User)
	if errors.Is(err, fs.ErrNotExist) {
		return resource.Change{Unknown: "after there is a database cluster in " + i.Data}, nil
	}
	if err != nil {
		return resource.Change{}, err
	}
	c, err := i.client(h)
	if err != nil {
		return unreachable(err)
	}
	have, _, err := c.Get(ctx, i.key())
	if err != nil {
		return unreachable(err)
	}
	var change resource.Change
	change.Differs("system identifier", string(have), strconv.FormatUint(want, 10))
	if !change.Empty() {
		change.Reason = "the cluster has another database cluster now"
	}
	return change, nil
}

// Apply writes the key.
func (i Identity) Apply(ctx context.Context, h *resource.Host) error {
	id, err := postgres.SystemID(ctx, h, i.Data, i.Bin, i.User)
	if err != nil {
		return err
	}
	c, err := i.client(h)
	if err != nil {
		return err
	}
	return c.Put(ctx, i.key(), []byte(strconv.FormatUint(id, 10)))
}
