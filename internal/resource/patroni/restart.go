package patroni

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"pigsty/internal/resource"
)

// RollingRestart restarts the members whose settings wait for a restart, so that
// the cluster can be used all the while: replicas one at a time, then the
// leader, after handing over to a replica. It runs on any one member.
type RollingRestart struct {
	API
	Cluster string        // scope
	MaxLag  int64         // bytes that a replica may be behind before the next one; 0 means 1 MiB
	Timeout time.Duration // for each member to be back; 0 means 5 minutes
	// After are keys of resources that come before; a DynamicConfig of the
	// cluster among them need not be named.
	After []string
}

var _ resource.Requirer = RollingRestart{}

// Key returns "patroni restart CLUSTER".
func (r RollingRestart) Key() string { return "patroni restart " + r.Cluster }

// Requires puts the restart after the change that may call for it.
func (r RollingRestart) Requires() []string {
	return append([]string{DynamicConfig{Cluster: r.Cluster}.Key()}, r.After...)
}

// Diff names the members that wait for a restart, now or after the
// configuration that this plan changes.
func (r RollingRestart) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	config, pending := h.Pending(DynamicConfig{Cluster: r.Cluster}.Key())
	c, err := r.client(h)
	var cluster Cluster
	if err == nil {
		cluster, err = c.look(ctx)
	}
	if waiting(err) {
		return resource.Change{Unknown: after}, nil
	}
	if err != nil {
		return resource.Change{}, err
	}
	waitingMembers := cluster.pending()
	reason := "settings wait for a restart"
	if pending && config.Impact >= resource.ImpactRestart {
		waitingMembers, reason = cluster.Members, "the configuration "+config.Reason
	}
	if len(waitingMembers) == 0 {
		return resource.Change{}, nil
	}
	change := resource.Change{Action: resource.Restart, Reason: reason, Impact: resource.ImpactRestart}
	for _, m := range waitingMembers {
		how, new := m.Role, "restart"
		if _, shrunk := shrinking(m.PendingRestartReason); m.Leads() && (shrunk || shrinkPlanned(config)) {
			new = "restart in place, before the replicas"
		} else if m.Leads() {
			if candidates := cluster.candidates(m); len(candidates) > 0 {
				new = "switchover to " + candidates[0].Name + ", restart"
				change.Impact = resource.ImpactFailover
			}
		}
		change.Attrs = append(change.Attrs, resource.Attr{Name: m.Name, Old: strings.TrimSpace(how + " " + reasons(m.PendingRestartReason)), New: new})
	}
	return change, nil
}

// shrinkPlanned reports whether the change of the configuration makes the leader
// restart first.
func shrinkPlanned(config resource.Change) bool {
	return slices.ContainsFunc(config.Attrs, func(a resource.Attr) bool {
		return shrinks(strings.TrimPrefix(a.Name, "postgresql.parameters."), a.Old, a.New)
	})
}

// reasons shows the settings that wait: "(max_connections 100 → 200)".
func reasons(settings map[string]Reason) string {
	if len(settings) == 0 {
		return ""
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		out = append(out, fmt.Sprintf("%s %s → %s", name, settings[name].Old, settings[name].New))
	}
	return "(" + strings.Join(out, ", ") + ")"
}

// look asks for the cluster, and each member that runs whether it waits for a restart:
// what the cluster knows of that is up to loop_wait older.
func (c *Client) look(ctx context.Context) (Cluster, error) {
	cluster, err := c.Cluster(ctx)
	if err != nil {
		return cluster, err
	}
	var all sync.WaitGroup
	for i := range cluster.Members {
		m := &cluster.Members[i]
		if !m.Healthy() {
			continue
		}
		all.Go(func() {
			if node, err := c.At(m.APIURL).Node(ctx); err == nil {
				m.PendingRestart, m.PendingRestartReason = node.PendingRestart, node.PendingRestartReason
			}
		})
	}
	all.Wait()
	return cluster, nil
}

// pending returns the members that wait for a restart, leader last.
func (c Cluster) pending() []Member {
	var out []Member
	for _, m := range c.Members {
		if m.PendingRestart {
			out = append(out, m)
		}
	}
	slices.SortStableFunc(out, func(a, b Member) int {
		switch {
		case a.Leads() == b.Leads():
			return strings.Compare(a.Name, b.Name)
		case a.Leads():
			return 1
		}
		return -1
	})
	return out
}

// candidates returns the replicas that could take over from leader, best first:
// synchronous ones, then those that are least behind. With a synchronous replica
// in the cluster only such will do, since Patroni accepts no other.
func (c Cluster) candidates(leader Member) []Member {
	var out []Member
	synchronous := slices.ContainsFunc(c.Members, Member.synchronous)
	for _, m := range c.Members {
		if !m.Leads() && m.Healthy() && !m.NoFailover() && m.Lag >= 0 && m.Timeline == leader.Timeline && m.synchronous() == synchronous {
			out = append(out, m)
		}
	}
	slices.SortStableFunc(out, func(a, b Member) int {
		return cmp.Or(cmp.Compare(a.Lag, b.Lag), strings.Compare(a.Name, b.Name))
	})
	return out
}

func (m Member) synchronous() bool { return m.Role == "sync_standby" || m.Role == "quorum_standby" }

// Apply restarts the members that wait.
func (r RollingRestart) Apply(ctx context.Context, h *resource.Host) error {
	c, err := r.client(h)
	if err != nil {
		return err
	}
	if r.MaxLag == 0 {
		r.MaxLag = 1 << 20
	}
	if r.Timeout == 0 {
		r.Timeout = readyTimeout
	}
	if err := r.restart(ctx, h, c); err != nil {
		return fmt.Errorf("restarting cluster %s: %w", r.Cluster, err)
	}
	return nil
}

func (r RollingRestart) restart(ctx context.Context, h *resource.Host, c *Client) error {
	log := func(format string, args ...any) {
		if h.Control != nil {
			h.Control.Log(ctx, fmt.Sprintf(format, args...))
		}
	}
	cluster, err := c.look(ctx)
	if err != nil {
		return err
	}
	members := cluster.pending()
	replay := int64(0) // what replicas have to replay before they restart
	if i := slices.IndexFunc(members, Member.Leads); i >= 0 {
		if name, shrunk := shrinking(members[i].PendingRestartReason); shrunk {
			// A replica refuses to run with less than its leader has.
			log("%s shrinks: restarting leader %s first", name, members[i].Name)
			if err := r.restartMember(ctx, c, members[i]); err != nil {
				return err
			}
			node, err := c.At(members[i].APIURL).Node(ctx)
			if err != nil {
				return err
			}
			replay = node.XLog.Location
			members = slices.Delete(members, i, i+1)
		}
	}
	for _, m := range members {
		if m.Leads() {
			if err := r.restartLeader(ctx, c, m, log); err != nil {
				return err
			}
			continue
		}
		if err := r.awaitReplay(ctx, c.At(m.APIURL), m.Name, replay); err != nil {
			return err
		}
		log("restarting replica %s", m.Name)
		if err := r.restartMember(ctx, c, m); err != nil {
			return err
		}
	}
	return nil
}

// shrinking returns a setting that must shrink on the leader first.
func shrinking(settings map[string]Reason) (string, bool) {
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if shrinks(name, settings[name].Old, settings[name].New) {
			return name, true
		}
	}
	return "", false
}

// restartLeader hands over to the best replica and restarts the old leader, which
// the switchover itself may have done already. Without a replica that can
// lead it restarts in place.
func (r RollingRestart) restartLeader(ctx context.Context, c *Client, leader Member, log func(string, ...any)) error {
	cluster, err := c.Cluster(ctx)
	if err != nil {
		return err
	}
	candidates := cluster.candidates(leader)
	if len(candidates) == 0 {
		log("restarting leader %s in place: no replica can lead meanwhile", leader.Name)
		return r.restartMember(ctx, c, leader)
	}
	next := candidates[0]
	log("switching over from %s to %s", leader.Name, next.Name)
	if err := c.At(leader.APIURL).Switchover(ctx, leader.Name, next.Name); err != nil {
		return err
	}
	back, err := r.await(ctx, c, leader.Name, true, func(Member) bool { return true })
	if err != nil {
		return err
	}
	if !back.PendingRestart {
		return nil
	}
	log("restarting %s, now a replica", leader.Name)
	return r.restartMember(ctx, c, back)
}

// restartMember restarts m and waits until it is back, and no longer waits for
// a restart.
func (r RollingRestart) restartMember(ctx context.Context, c *Client, m Member) error {
	ctx2, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	if err := c.At(m.APIURL).Restart(ctx2); err != nil {
		return fmt.Errorf("member %s: %w", m.Name, err)
	}
	_, err := r.await(ctx, c, m.Name, false, func(m Member) bool { return !m.PendingRestart })
	return err
}

// awaitReplay waits until a replica has replayed the WAL up to location. Until it
// has seen there that its leader's settings shrank, Patroni starts it with the
// old ones, and the restart would be in vain.
func (r RollingRestart) awaitReplay(ctx context.Context, c *Client, name string, location int64) error {
	for deadline := time.Now().Add(r.Timeout); ; {
		node, err := c.Node(ctx)
		if err == nil && node.XLog.Replayed >= location {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("member %s has not caught up with the leader after %s", name, r.Timeout)
		}
		if err := pause(ctx, 300*time.Millisecond); err != nil {
			return err
		}
	}
}

// await waits until the cluster has a leader, the member runs (and if it is a
// replica, or has to be one, replicates and is hardly behind), and done holds.
// Whether it still waits for a restart is the member's own word: what the
// cluster knows of it may be older than the restart.
func (r RollingRestart) await(ctx context.Context, c *Client, name string, replica bool, done func(Member) bool) (Member, error) {
	deadline, last := time.Now().Add(r.Timeout), "unknown"
	for {
		cluster, err := c.Cluster(ctx)
		if err == nil {
			m, ok := cluster.Member(name)
			_, led := cluster.Leader()
			near := m.Leads() || m.Lag >= 0 && int64(m.Lag) <= r.MaxLag
			if ok && led && m.Healthy() && near && !(replica && m.Leads()) {
				node, err := c.At(m.APIURL).Node(ctx)
				m.PendingRestart = node.PendingRestart
				if err == nil && node.State == "running" && node.leads() == m.Leads() && done(m) {
					return m, nil
				}
			}
			last = fmt.Sprintf("%s, %s", m.Role, orUnknown(m.State))
			if !m.Leads() && m.Lag != 0 {
				last += fmt.Sprintf(", %d bytes behind", m.Lag)
			}
			if m.PendingRestart {
				last += ", waiting for a restart"
			}
		} else {
			last = err.Error()
		}
		if time.Now().After(deadline) {
			return Member{}, fmt.Errorf("member %s is not back after %s: %s", name, r.Timeout, last)
		}
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return Member{}, err
		}
	}
}
