package cli

import (
	"fmt"
	"slices"

	"pigsty/internal/module/pgsql"
	"pigsty/internal/plan"
)

func switchover(o *operating) ([]*plan.Step, error) {
	leader, led := o.seen.Leader()
	switch {
	case !led:
		return nil, fmt.Errorf("%s has no leader to hand over; `pigsty pg failover %s` makes a member the leader", o.cluster.Name, o.cluster.Name)
	case o.leader != "" && o.leader != leader.Name:
		return nil, fmt.Errorf("%s leads %s, not %s; nothing was changed", leader.Name, o.cluster.Name, o.leader)
	case o.to == leader.Name:
		return nil, fmt.Errorf("%s leads already", o.to)
	}
	return o.cluster.Switchover(leader.Name, o.to), nil
}

func failover(o *operating) ([]*plan.Step, error) {
	leader, led := o.seen.Leader()
	switch {
	case led && !o.force:
		return nil, fmt.Errorf("%s leads %s: `pigsty pg switchover %s` hands over without loss; --force fails over all the same", leader.Name, o.cluster.Name, o.cluster.Name)
	case led && o.to == leader.Name:
		return nil, fmt.Errorf("%s leads already", o.to)
	case led:
		o.destroys = o.cluster.Name
	}
	return o.cluster.Failover(leader.Name, o.to), nil
}

func restart(o *operating) ([]*plan.Step, error) {
	running := map[string]string{}
	for _, m := range o.seen.Members {
		if o.force && len(o.members) == 0 || slices.Contains(o.members, m.Name) {
			running[m.Name] = m.Started
		}
	}
	for _, name := range o.members {
		if _, ok := running[name]; !ok {
			return nil, fmt.Errorf("%s is no member of %s now; `pigsty pg list %s` shows who is", name, o.cluster.Name, o.cluster.Name)
		}
	}
	return o.cluster.Restart(running), nil
}

func reload(o *operating) ([]*plan.Step, error) { return o.cluster.Reload(o.members), nil }

func reinit(o *operating) ([]*plan.Step, error) {
	m, _ := o.seen.Member(o.members[0])
	o.destroys = o.members[0]
	return o.cluster.Member(o.members[0]).Reinit(m.Started), nil
}

func backup(o *operating) ([]*plan.Step, error) {
	if !slices.Contains([]string{"full", "diff", "incr"}, o.kind) {
		return nil, fmt.Errorf("--type must be full, diff or incr, not %q", o.kind)
	}
	m, err := o.leading()
	if err != nil {
		return nil, err
	}
	seen, err := o.backups(m, nil)
	if err != nil {
		return nil, err
	}
	if seen.Problem != "" {
		return nil, fmt.Errorf("the backups of %s cannot be read: %s", m.Instance(), seen.Problem)
	}
	newest := ""
	if n := len(seen.Sets); n > 0 {
		newest = seen.Sets[n-1].Label
	}
	return o.cluster.Backup(o.kind, newest), nil
}

// leading returns the member that leads: as Patroni says, or where it was taken
// away, the one whose server is no replica.
func (o *operating) leading() (*pgsql.Member, error) {
	if o.cluster.Standalone() {
		for _, m := range o.cluster.Members {
			if seen, err := o.backups(m, nil); err == nil && seen.Server.Running && !seen.Server.Replica {
				return m, nil
			}
		}
		return nil, fmt.Errorf("no server of %s that was reached runs as a primary; `pigsty status` shows how they are", o.cluster.Name)
	}
	leader, led := o.seen.Leader()
	if !led {
		return nil, fmt.Errorf("%s has no leader to back up; `pigsty pg list %s` shows how its members are", o.cluster.Name, o.cluster.Name)
	}
	m := o.cluster.Member(leader.Name)
	if m == nil {
		return nil, fmt.Errorf("%s leads %s, and the inventory has no such member", leader.Name, o.cluster.Name)
	}
	return m, nil
}
