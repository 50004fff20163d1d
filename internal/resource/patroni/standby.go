package patroni

import (
	"context"
	"fmt"

	"pigsty/internal/resource"
)

// Standby says whose changes a whole cluster follows: a server of another
// cluster, or nobody's, in which case its leader accepts writes.
//
// A cluster that follows is promoted when Source is taken away. The way back does not
// exist: a cluster that leads would have to throw away what was written to it,
// so that one is left alone, with a note.
type Standby struct {
	API
	Cluster string // scope
	Source  Tree   // standby_cluster of the dynamic configuration; empty: it leads
	After   []string
}

var _ resource.Requirer = Standby{}

// Key is resource.PromotionKey: a host can have one Standby.
func (Standby) Key() string { return resource.PromotionKey }

// Requires returns After.
func (s Standby) Requires() []string { return s.After }

// differences compares what the cluster follows with what it should, and says
// whether it follows anything now.
func (s Standby) differences(have Tree) (differ []difference, follows bool) {
	now, _ := object(have["standby_cluster"])
	if len(now) == 0 {
		return nil, false
	}
	if len(s.Source) == 0 {
		return []difference{{path: []string{"standby_cluster"}, old: now}}, true
	}
	want := Tree{}
	for key := range now { // what is no longer wanted goes
		want[key] = nil
	}
	for key, value := range s.Source {
		want[key] = value
	}
	return compare(have, Tree{"standby_cluster": want}), true
}

// Diff compares with the dynamic configuration.
func (s Standby) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	c, err := s.client(h)
	var have Tree
	if err == nil {
		have, err = c.Config(ctx)
	}
	if waiting(err) {
		return resource.Change{Unknown: after}, nil
	}
	if err != nil {
		return resource.Change{}, err
	}
	differ, follows := s.differences(have)
	switch {
	case !follows && len(s.Source) > 0:
		return resource.Change{Note: fmt.Sprintf("cluster %s leads by itself; to follow %s again it would lose what was written to it, so it is left as it is: "+
			"take pg_upstream out of the inventory, or remove the cluster and create it anew", s.Cluster, text(s.Source["host"]))}, nil
	case len(differ) == 0:
		return resource.Change{}, nil
	case len(s.Source) == 0:
		from, _ := object(have["standby_cluster"])
		return resource.Change{Action: resource.Update, Reason: "promoted, since the inventory has no pg_upstream any more", Impact: resource.ImpactFailover,
			Attrs: []resource.Attr{{Name: "follows", Old: text(from["host"])}},
			Note:  "it accepts writes from then on; to follow again it must be created anew"}, nil
	}
	return classify(differ, 0), nil
}

// Apply changes the source, or promotes the cluster and waits until its leader
// accepts writes.
func (s Standby) Apply(ctx context.Context, h *resource.Host) error {
	c, err := s.client(h)
	if err != nil {
		return err
	}
	have, err := c.Config(ctx)
	if err != nil {
		return err
	}
	differ, _ := s.differences(have)
	if len(differ) == 0 {
		return nil
	}
	if err := c.PatchConfig(ctx, patch(differ)); err != nil {
		return fmt.Errorf("what cluster %s follows: %w", s.Cluster, err)
	}
	if len(s.Source) > 0 {
		return nil
	}
	promoted := func(ctx context.Context, c *Client) (string, error) {
		leader, err := c.Leader(ctx)
		if err == nil && leader.Role == "standby_leader" {
			return "leader " + leader.Name + " is not promoted yet", nil
		}
		return "", err
	}
	if err := poll(ctx, h, s.API, 0, promoted, func() error { return nil }); err != nil {
		return fmt.Errorf("promoting cluster %s: %w", s.Cluster, err)
	}
	return nil
}
