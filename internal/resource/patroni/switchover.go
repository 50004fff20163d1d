package patroni

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"pigsty/internal/resource"
)

// Switchover hands the lead of a cluster from one healthy member to another. It
// runs on any one member.
type Switchover struct {
	API
	Cluster string        // scope
	From    string        // who leads; once somebody else does, there is nothing left to do
	To      string        // who shall lead; the replica that fits best if empty
	Timeout time.Duration // for the old leader to follow the new one; 0 means 5 minutes
}

// Failover makes a member the leader that nobody hands over to.
type Failover struct {
	API
	Cluster string        // scope
	From    string        // who led when this was asked for, "" if nobody did; see Switchover
	To      string        // who shall lead; the member that has most of the WAL if empty
	Timeout time.Duration // for it to lead; 0 means 5 minutes
}

// Key returns "patroni switchover CLUSTER".
func (s Switchover) Key() string { return "patroni switchover " + s.Cluster }

// Diff says who will lead.
func (s Switchover) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	_, leader, next, err := s.look(ctx, h)
	if err != nil || next.Name == "" {
		return resource.Change{}, err
	}
	return resource.Change{
		Action: resource.Update, Reason: "asked for", Impact: resource.ImpactFailover,
		Attrs: []resource.Attr{{Name: "leader", Old: leader.Name, New: next.Name}},
		Note:  "sessions on " + leader.Name + " end, and writes pause for a few seconds; no committed transaction is lost",
	}, nil
}

// look returns the leader and who will lead in its place, nobody if the lead
// was handed over already.
func (s Switchover) look(ctx context.Context, h *resource.Host) (c *Client, leader, next Member, err error) {
	if c, err = s.client(h); err != nil {
		return nil, leader, next, err
	}
	cluster, err := c.look(ctx)
	if err != nil {
		return nil, leader, next, err
	}
	leader, led := cluster.Leader()
	switch {
	case !led:
		return nil, leader, next, fmt.Errorf("%w to hand over; `pigsty pg failover %s` makes a member the leader", ErrNoLeader, s.Cluster)
	case leader.Name != s.From || leader.Name == s.To:
		return c, leader, next, nil
	}
	next, err = cluster.successor(leader, s.To)
	return c, leader, next, err
}

// successor returns the member called name, or the best if it is empty, as one
// that can lead in place of leader.
func (c Cluster) successor(leader Member, name string) (Member, error) {
	if name == "" {
		if best := c.candidates(leader); len(best) > 0 {
			return best[0], nil
		}
		var why []string
		for _, m := range c.Members {
			if !m.Leads() {
				why = append(why, m.Name+" "+c.unfit(m, leader))
			}
		}
		if len(why) == 0 {
			return Member{}, fmt.Errorf("%s is the only member of its cluster: there is nobody to hand over to", leader.Name)
		}
		return Member{}, fmt.Errorf("nobody can lead in place of %s: %s", leader.Name, strings.Join(why, "; "))
	}
	m, ok := c.Member(name)
	if !ok {
		return m, fmt.Errorf("%s is no member of the cluster now; `pigsty pg list` shows who is", name)
	}
	if why := c.unfit(m, leader); why != "" {
		return m, fmt.Errorf("%s cannot lead: it %s", name, why)
	}
	return m, nil
}

// candidates returns the replicas that could take over from leader, best first:
// those that are least behind.
func (c Cluster) candidates(leader Member) []Member {
	var out []Member
	for _, m := range c.Members {
		if !m.Leads() && c.unfit(m, leader) == "" {
			out = append(out, m)
		}
	}
	slices.SortStableFunc(out, func(a, b Member) int {
		return cmp.Or(cmp.Compare(a.Lag, b.Lag), strings.Compare(a.Name, b.Name))
	})
	return out
}

// unfit says why m cannot take over from leader, "" if it can. With a
// synchronous replica in the cluster only such will do, since Patroni accepts
// no other.
func (c Cluster) unfit(m, leader Member) string {
	switch {
	case !m.Healthy():
		return "is " + orUnknown(m.State)
	case m.NoFailover():
		return "must not lead (nofailover)"
	case m.Timeline != leader.Timeline:
		return fmt.Sprintf("is on timeline %d, the leader on %d", m.Timeline, leader.Timeline)
	case m.Lag < 0:
		return "does not say how far it is behind"
	case !m.synchronous() && slices.ContainsFunc(c.Members, Member.synchronous):
		return "is not synchronous, and another replica is"
	}
	return ""
}

func (m Member) synchronous() bool { return m.Role == "sync_standby" || m.Role == "quorum_standby" }

// Apply hands over, and waits until the old leader follows.
func (s Switchover) Apply(ctx context.Context, h *resource.Host) error {
	c, leader, next, err := s.look(ctx, h)
	if err != nil || next.Name == "" {
		return err
	}
	b := comeback{client: c, timeout: cmp.Or(s.Timeout, readyTimeout), maxLag: defaultLag, log: logger(ctx, h)}
	if _, err := b.handOver(ctx, leader, next); err != nil {
		return fmt.Errorf("switching over cluster %s: %w", s.Cluster, err)
	}
	return nil
}

// handOver makes next the leader and returns the old one once it follows.
func (b comeback) handOver(ctx context.Context, leader, next Member) (Member, error) {
	b.log("switching over from %s to %s", leader.Name, next.Name)
	if err := b.client.At(leader.APIURL).Switchover(ctx, leader.Name, next.Name); err != nil && !underWay(err) {
		return Member{}, err
	}
	return b.member(ctx, leader.Name, true, func(Member) bool { return true })
}

// underWay reports whether err says no more than that the lead has not changed
// within the 20 s for which Patroni looks (poll_failover_result of its REST API).
func underWay(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusServiceUnavailable && strings.HasSuffix(e.Text, "status unknown")
}

// Key returns "patroni failover CLUSTER".
func (f Failover) Key() string { return "patroni failover " + f.Cluster }

// Diff says who will lead.
func (f Failover) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	_, next, err := f.look(ctx, h)
	if err != nil || next.Name == "" {
		return resource.Change{}, err
	}
	change := resource.Change{
		Action: resource.Update, Reason: "asked for", Impact: resource.ImpactFailover,
		Attrs: []resource.Attr{{Name: "leader", Old: f.From, New: next.Name}},
		Note:  "what was committed and has not reached " + next.Name + " is lost",
	}
	if f.From != "" {
		change.Impact = resource.ImpactDataLoss
		change.Note = "sessions on " + f.From + " end, writes pause; " + change.Note
	}
	return change, nil
}

// look returns who will lead, nobody if a leader was found meanwhile.
func (f Failover) look(ctx context.Context, h *resource.Host) (c *Client, next Member, err error) {
	if c, err = f.client(h); err != nil {
		return nil, next, err
	}
	cluster, err := c.Cluster(ctx)
	if err != nil {
		return nil, next, err
	}
	if leader, led := cluster.Leader(); led && (leader.Name != f.From || leader.Name == f.To) {
		return c, next, nil
	}
	next, err = c.furthest(ctx, cluster, f.From, f.To)
	return c, next, err
}

// furthest returns the member that has most of the WAL among those that may
// lead, or of which name is the only one asked for.
func (c *Client) furthest(ctx context.Context, cluster Cluster, leader, name string) (Member, error) {
	var best Member
	var bestNode Node
	var why []string
	for _, m := range cluster.Members {
		if m.Name == leader || name != "" && m.Name != name {
			continue
		}
		node, err := c.At(m.APIURL).Node(ctx)
		switch {
		case err != nil:
			why = append(why, m.Name+" does not answer")
		case node.State != "running":
			why = append(why, m.Name+" is "+orUnknown(node.State))
		case m.NoFailover():
			why = append(why, m.Name+" must not lead (nofailover)")
		case best.Name == "" || cmp.Or(cmp.Compare(node.Timeline, bestNode.Timeline), cmp.Compare(node.XLog.Received, bestNode.XLog.Received)) > 0:
			best, bestNode = m, node
		}
	}
	switch {
	case best.Name != "":
		return best, nil
	case len(why) == 0:
		return best, errors.New("there is no other member; `pigsty pg list` shows who is there")
	}
	return best, fmt.Errorf("nobody can lead: %s", strings.Join(why, "; "))
}

// Apply makes it the leader, and waits until it leads.
func (f Failover) Apply(ctx context.Context, h *resource.Host) error {
	c, next, err := f.look(ctx, h)
	if err != nil || next.Name == "" {
		return err
	}
	b := comeback{client: c, timeout: cmp.Or(f.Timeout, readyTimeout), maxLag: defaultLag, log: logger(ctx, h)}
	b.log("making %s the leader", next.Name)
	if err := c.At(next.APIURL).Failover(ctx, next.Name); err != nil && !underWay(err) {
		return fmt.Errorf("failing over cluster %s: %w", f.Cluster, err)
	}
	_, err = b.member(ctx, next.Name, false, Member.Leads)
	return err
}
