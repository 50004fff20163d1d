package patroni

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"pigsty/internal/resource"
)

// View only observes: its Diff says how a cluster is, as any of its members
// that answers sees it.
type View struct {
	API
	Cluster string // scope
}

// Key returns "patroni view CLUSTER".
func (v View) Key() string { return "patroni view " + v.Cluster }

// Diff returns one attribute, which Seen reads.
func (v View) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	c, err := v.client(h)
	if err != nil {
		return resource.Change{}, err
	}
	cluster, err := c.look(ctx)
	if err != nil {
		return resource.Change{}, err
	}
	data, err := json.Marshal(cluster)
	if err != nil {
		return resource.Change{}, err
	}
	return resource.Change{Attrs: []resource.Attr{{Name: "cluster", New: string(data)}}}, nil
}

// Apply does nothing.
func (v View) Apply(context.Context, *resource.Host) error { return nil }

// Seen returns the cluster that a View's Diff was about.
func Seen(c resource.Change) (Cluster, error) {
	var out Cluster
	if len(c.Attrs) == 0 {
		return out, errors.New("nothing was seen of the cluster")
	}
	if err := json.Unmarshal([]byte(c.Attrs[0].New), &out); err != nil {
		return out, fmt.Errorf("read what was seen of the cluster: %w", err)
	}
	return out, nil
}
