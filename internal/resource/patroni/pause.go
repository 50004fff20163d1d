package patroni

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"pigsty/internal/resource"
)

// Paused is whether Patroni leaves a cluster alone: while it does, nobody is
// promoted when the leader fails, and servers that stop stay stopped. It runs
// on any one member.
type Paused struct {
	API
	Cluster string // scope
	On      bool
}

// Key returns "patroni pause CLUSTER", or "patroni resume CLUSTER".
func (p Paused) Key() string {
	if p.On {
		return "patroni pause " + p.Cluster
	}
	return "patroni resume " + p.Cluster
}

// Diff compares the dynamic configuration.
func (p Paused) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	c, err := p.client(h)
	var config Tree
	if err == nil {
		config, err = c.Config(ctx)
	}
	if waiting(err) {
		return resource.Change{Unknown: after}, nil
	}
	if err != nil {
		return resource.Change{}, err
	}
	on, _ := config["pause"].(bool)
	var change resource.Change
	change.Differs("pause", onOff(on), onOff(p.On))
	if !change.Empty() {
		change.Reason = "asked for"
		change.Note = "interrupts nothing; nobody takes over from now on when the leader fails"
		if !p.On {
			change.Note = "interrupts nothing; Patroni acts on failures again"
		}
	}
	return change, nil
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

// Apply changes it and waits until the members that answer heed it.
func (p Paused) Apply(ctx context.Context, h *resource.Host) error {
	c, err := p.client(h)
	if err != nil {
		return err
	}
	change := c.Resume
	if p.On {
		change = c.Pause
	}
	if err := change(ctx); err != nil {
		return err
	}
	log, deadline := logger(ctx, h), time.Now().Add(readyTimeout)
	for last := ""; ; {
		cluster, err := c.Cluster(ctx)
		if err != nil {
			return err
		}
		var late []string
		for _, m := range cluster.Members {
			if node, err := c.At(m.APIURL).Node(ctx); err == nil && node.Paused != p.On {
				late = append(late, m.Name)
			}
		}
		text := strings.Join(late, ", ")
		switch {
		case text == "":
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("%s after %s: %s did not heed it", p.Key(), readyTimeout, text)
		case text != last:
			last = text
			log("waiting for %s", text)
		}
		if err := pause(ctx, 300*time.Millisecond); err != nil {
			return err
		}
	}
}

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

// Reinit throws a replica's data away and copies the leader's. It runs on the
// host of that replica.
type Reinit struct {
	API                   // of this member
	Member  string        // its name
	Started string        // when its server started (Member.Started) as this was asked for; one that started since is done
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
	case m.Healthy() && node.State == "running" && node.Started != r.Started:
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
	if node, err := c.Node(ctx); err != nil || node.State != "creating replica" {
		if err := c.Reinitialize(ctx, true); err != nil {
			return err
		}
	}
	b := comeback{client: c, timeout: cmp.Or(r.Timeout, 24*time.Hour), maxLag: defaultLag, log: logger(ctx, h)}
	_, err = b.member(ctx, r.Member, true, func(m Member) bool { return m.Started != r.Started })
	if err == nil || r.Log == "" {
		return err
	}
	if data, readErr := h.Files.Read(r.Log); readErr == nil {
		err = fmt.Errorf("%w\n%s:\n%s", err, r.Log, lastLines(string(data), 15))
	}
	return err
}
