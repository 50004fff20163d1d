package patroni

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"pigsty/internal/resource"
)

// Reinit throws a replica's data away and copies the leader's. It runs on the
// host of that replica.
type Reinit struct {
	API                   // of this member
	Member  string        // its name
	Started string        // when its server started (Member.Started) as this was asked for; one that started since is done; empty if it did not run
	Log     string        // Patroni's log file, quoted on failure
	Timeout time.Duration // 0 means 24 hours
}

// Key returns "patroni reinit MEMBER".
func (r Reinit) Key() string { return "patroni reinit " + r.Member }

// Diff refuses a leader.
func (r Reinit) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	c, err := r.client(h)
	if err != nil {
		return resource.Change{}, err
	}
	cluster, err := c.Cluster(ctx)
	if err != nil {
		return resource.Change{}, err
	}
	m, ok := cluster.Member(r.Member)
	leader, led := cluster.Leader()
	node, err := c.Node(ctx)
	switch {
	case !ok:
		return resource.Change{}, fmt.Errorf("%s is no member of its cluster now; `pigsty pg list` shows who is", r.Member)
	case m.Leads():
		return resource.Change{}, fmt.Errorf("%s leads the cluster: its data is what others are copied from; `pigsty pg switchover` hands over first", r.Member)
	case !led:
		return resource.Change{}, fmt.Errorf("%w that %s could be copied from", ErrNoLeader, r.Member)
	case err != nil:
		return resource.Change{}, err
	case r.Started != "" && m.Healthy() && node.State == "running" && node.Started != r.Started:
		return resource.Change{}, nil
	}
	return resource.Change{Action: resource.Update, Reason: "asked for", Impact: resource.ImpactDataLoss,
		Attrs: []resource.Attr{{Name: "data", Old: m.condition(), New: "a copy of " + leader.Name}},
		Note:  "sessions on " + r.Member + " end, and it serves nobody until it is copied; the rest of the cluster goes on"}, nil
}

// Apply asks for the copy, unless one is being made, and waits for it.
func (r Reinit) Apply(ctx context.Context, h *resource.Host) error {
	c, err := r.client(h)
	if err != nil {
		return err
	}
	before, err := c.Node(ctx)
	if err != nil { // which server would count as the new one?
		return err
	}
	if before.State != "creating replica" {
		if err := c.Reinitialize(ctx, true); err != nil {
			return err
		}
	}
	b := comeback{client: c, timeout: cmp.Or(r.Timeout, 24*time.Hour), maxLag: defaultLag, log: logger(ctx, h)}
	_, err = b.member(ctx, r.Member, true, func(m Member) bool { return m.Started != before.Started })
	if err == nil || r.Log == "" {
		return err
	}
	if data, readErr := h.Files.Read(r.Log); readErr == nil {
		err = fmt.Errorf("%w\n%s:\n%s", err, r.Log, lastLines(string(data), 15))
	}
	return err
}
