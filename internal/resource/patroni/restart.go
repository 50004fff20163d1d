package patroni

import (
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

	// Running names the members to restart in place of those that wait for it,
	// with when their servers started (Member.Started). One that has started
	// since is done, so that a restart that is cut is not begun anew.
	Running map[string]string

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
	waitingMembers := r.due(cluster)
	reason := "settings wait for a restart"
	if len(r.Running) > 0 {
		reason = "asked for"
	} else if pending && config.Impact >= resource.ImpactRestart {
		waitingMembers, reason = cluster.Members, "the configuration "+config.Reason
	}
	if len(waitingMembers) == 0 {
		return resource.Change{}, nil
	}
	change := resource.Change{Action: resource.Restart, Reason: reason, Impact: resource.ImpactRestart}
	if len(r.Running) > 0 {
		change.Note = "sessions on a member end when it restarts"
	}
	for _, m := range waitingMembers {
		how, new := m.Role, "restart"
		if _, shrunk := shrinking(m.PendingRestartReason); m.Leads() && (shrunk || shrinkPlanned(config)) {
			new = "restart in place, before the replicas"
		} else if m.Leads() {
			if candidates := cluster.candidates(m); len(candidates) > 0 {
				new = "switchover to " + candidates[0].Name + ", restart"
				change.Impact = resource.ImpactFailover
				if change.Note != "" {
					change.Note += "; writes pause for a few seconds at the switchover"
				}
			} else if change.Note != "" {
				change.Note += "; nobody can lead meanwhile, so writes wait until " + m.Name + " is back"
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
				m.PendingRestart, m.PendingRestartReason, m.Started = node.PendingRestart, node.PendingRestartReason, node.Started
			}
		})
	}
	all.Wait()
	return cluster, nil
}

// due returns the members to restart, leader last.
func (r RollingRestart) due(cluster Cluster) []Member {
	var out []Member
	for _, m := range cluster.Members {
		started, named := r.Running[m.Name]
		if named && started == m.Started || len(r.Running) == 0 && m.waits(cluster.standby()) {
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

// Apply restarts the members that wait.
func (r RollingRestart) Apply(ctx context.Context, h *resource.Host) error {
	c, err := r.client(h)
	if err != nil {
		return err
	}
	if r.MaxLag == 0 {
		r.MaxLag = defaultLag
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
	log := logger(ctx, h)
	cluster, err := c.look(ctx)
	if err != nil {
		return err
	}
	back := comeback{client: c, timeout: r.Timeout, maxLag: r.MaxLag, log: log, standby: cluster.standby()}
	members := r.due(cluster)
	replay := int64(0) // what replicas have to replay before they restart
	if i := slices.IndexFunc(members, Member.Leads); i >= 0 {
		if name, shrunk := shrinking(members[i].PendingRestartReason); shrunk {
			// A replica refuses to run with less than its leader has.
			log("%s shrinks: restarting leader %s first", name, members[i].Name)
			if err := r.restartMember(ctx, back, members[i]); err != nil {
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
			if err := r.restartLeader(ctx, back, m); err != nil {
				return err
			}
			continue
		}
		if err := back.replay(ctx, m, replay); err != nil {
			return err
		}
		log("restarting replica %s", m.Name)
		if err := r.restartMember(ctx, back, m); err != nil {
			return err
		}
	}
	return nil
}

// waits reports whether a restart would give m the settings that wait for it.
// In a cluster that stands by for another one it would not when they are only
// to shrink: a server that follows has at least what its source has.
func (m Member) waits(standby bool) bool {
	if !m.PendingRestart || !standby || len(m.PendingRestartReason) == 0 {
		return m.PendingRestart
	}
	for name, reason := range m.PendingRestartReason {
		if !shrinks(name, reason.Old, reason.New) {
			return true
		}
	}
	return false
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
func (r RollingRestart) restartLeader(ctx context.Context, b comeback, leader Member) error {
	cluster, err := b.client.Cluster(ctx)
	if err != nil {
		return err
	}
	candidates := cluster.candidates(leader)
	if len(candidates) == 0 {
		b.log("restarting leader %s in place: no replica can lead meanwhile", leader.Name)
		return r.restartMember(ctx, b, leader)
	}
	old, err := b.handOver(ctx, leader, candidates[0])
	if err != nil {
		return err
	}
	if !old.waits(b.standby) && (old.Started != leader.Started || old.Started == "") {
		return nil
	}
	b.log("restarting %s, now a replica", leader.Name)
	return r.restartMember(ctx, b, old)
}

// restartMember restarts m and waits until it is back, and no longer waits for
// a restart.
func (r RollingRestart) restartMember(ctx context.Context, b comeback, m Member) error {
	ctx2, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	if err := b.client.At(m.APIURL).Restart(ctx2); err != nil {
		return fmt.Errorf("member %s: %w", m.Name, err)
	}
	_, err := b.member(ctx, m.Name, false, func(m Member) bool { return !m.waits(b.standby) })
	return err
}
