package patroni

import (
	"context"
	"fmt"
	"slices"

	"pigsty/internal/resource"
)

// Reload makes members read their files and the dynamic configuration again.
// It runs on any one member.
type Reload struct {
	API
	Cluster string   // scope
	Members []string // which members; all if empty
}

// Key returns "patroni reload CLUSTER".
func (r Reload) Key() string { return "patroni reload " + r.Cluster }

// Diff names the members.
func (r Reload) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	c, err := r.client(h)
	if err != nil {
		return resource.Change{}, err
	}
	cluster, err := c.Cluster(ctx)
	if err != nil {
		return resource.Change{}, err
	}
	change := resource.Change{Action: resource.Reload, Reason: "asked for", Impact: resource.ImpactReload,
		Note: "interrupts nothing; settings that need a restart wait for one"}
	for _, m := range r.chosen(cluster) {
		change.Attrs = append(change.Attrs, resource.Attr{Name: m.Name, New: m.condition()})
	}
	return change, nil
}

func (r Reload) chosen(cluster Cluster) []Member {
	return slices.DeleteFunc(slices.Clone(cluster.Members), func(m Member) bool {
		return len(r.Members) > 0 && !slices.Contains(r.Members, m.Name)
	})
}

// Apply asks each member.
func (r Reload) Apply(ctx context.Context, h *resource.Host) error {
	c, err := r.client(h)
	if err != nil {
		return err
	}
	cluster, err := c.Cluster(ctx)
	if err != nil {
		return err
	}
	for _, m := range r.chosen(cluster) {
		if err := c.At(m.APIURL).Reload(ctx); err != nil {
			return fmt.Errorf("member %s: %w", m.Name, err)
		}
	}
	return nil
}
