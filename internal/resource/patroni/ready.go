package patroni

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"pigsty/internal/resource"
)

// Ready waits until the member runs and its cluster has a leader.
type Ready struct {
	API                   // of this member
	Name    string        // of this member
	Log     string        // Patroni's log file, quoted on failure
	Server  string        // directory of the server's logs, whose last words are quoted too
	Unit    string        // Patroni's unit; patroni.service
	Timeout time.Duration // 0 means 5 minutes; a replica that is cloned from much data needs more
	After   []string      // keys of resources that come before
}

// LeaderReady waits until the cluster has a leader that accepts connections.
type LeaderReady struct {
	API                   // of any member
	Cluster string        // scope
	Timeout time.Duration // 0 means 5 minutes
	After   []string      // keys of resources that come before
}

var (
	_ resource.Requirer = Ready{}
	_ resource.Requirer = LeaderReady{}
)

const readyTimeout = 5 * time.Minute

// defaultLag is how many bytes a replica may be behind and still count as back.
const defaultLag = 1 << 20

func (r Ready) unit() string {
	if r.Unit == "" {
		return "patroni.service"
	}
	return r.Unit
}

// Key returns "patroni ready NAME".
func (r Ready) Key() string { return "patroni ready " + r.Name }

// Requires returns Patroni's unit and After.
func (r Ready) Requires() []string { return append([]string{"unit " + r.unit()}, r.After...) }

// problem says why the condition does not hold; "" if it does.
func (r Ready) problem(ctx context.Context, c *Client) (string, error) {
	node, err := c.Node(ctx)
	if err != nil {
		return "", err
	}
	switch node.State {
	case "running", "streaming", "in archive recovery":
	default:
		return fmt.Sprintf("member %s is %s", r.Name, orUnknown(node.State)), nil
	}
	cluster, err := c.Cluster(ctx)
	if err != nil {
		return "", err
	}
	if _, ok := cluster.Leader(); !ok {
		return "the cluster has no leader", nil
	}
	return "", nil
}

func orUnknown(state string) string {
	if state == "" {
		return "in an unknown state"
	}
	return state
}

// Diff is a wait if the condition does not hold.
func (r Ready) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	return waitFor(ctx, h, r.API, r.problem)
}

// waitFor is the Diff of a condition.
func waitFor(ctx context.Context, h *resource.Host, api API, problem func(context.Context, *Client) (string, error)) (resource.Change, error) {
	c, err := api.client(h)
	why := ""
	if err == nil {
		why, err = problem(ctx, c)
	}
	switch {
	case waiting(err):
		return resource.Change{Action: resource.Wait, Reason: ErrUnreachable.Error()}, nil
	case err != nil:
		return resource.Change{}, err
	case why != "":
		return resource.Change{Action: resource.Wait, Reason: why}, nil
	}
	return resource.Change{}, nil
}

// poll is the Apply of a condition: it asks until the condition holds, the time is over
// or stop has an error. It returns the last reason.
func poll(ctx context.Context, h *resource.Host, api API, timeout time.Duration,
	problem func(context.Context, *Client) (string, error), stop func() error,
) error {
	if timeout == 0 {
		timeout = readyTimeout
	}
	begin, last := time.Now(), ""
	for {
		c, err := api.client(h)
		why := ""
		if err == nil {
			why, err = problem(ctx, c)
		}
		switch {
		case waiting(err):
			why = err.Error()
		case err != nil:
			return err
		case why == "":
			return nil
		}
		if err := stop(); err != nil {
			return fmt.Errorf("%s: %w", why, err)
		}
		if time.Since(begin) > timeout {
			return fmt.Errorf("%s, after %s", why, timeout)
		}
		if why != last && h.Control != nil {
			h.Control.Log(ctx, why)
		}
		last = why
		every := time.Since(begin) / 20 // what is waited too long is then a small part of the whole
		if err := pause(ctx, min(max(every, 100*time.Millisecond), 2*time.Second)); err != nil {
			return err
		}
	}
}

// Apply waits. It gives up when the time is over or Patroni has died, and then
// says what Patroni logged last, and why the server ended.
func (r Ready) Apply(ctx context.Context, h *resource.Host) error {
	woken := false
	problem := func(ctx context.Context, c *Client) (string, error) {
		why, err := r.problem(ctx, c)
		if err == nil && why != "" && !woken {
			woken = r.wakeLeader(ctx, c)
		}
		return why, err
	}
	err := poll(ctx, h, r.API, r.Timeout, problem, func() error {
		unit, err := h.Units.Show(ctx, r.unit())
		switch {
		case err == nil && unit.Active == "failed":
			return errors.New(r.unit() + " has failed")
		case err == nil && unit.Active == "activating" && r.foreign(h): // systemd would start it for ever
			return errors.New("its data directory is that of another cluster, and is left as it is: move it away if the member is to be copied anew")
		}
		return nil
	})
	if err == nil || ctx.Err() != nil {
		return err
	}
	text := err.Error()
	if r.Log != "" {
		if data, readErr := h.Files.Read(r.Log); readErr == nil {
			text += "\n" + r.Log + ":\n" + lastLines(string(data), 15)
		}
	}
	if journal := strings.TrimSpace(h.Units.Journal(ctx, r.unit(), 10)); journal != "" {
		text += "\njournal of " + r.unit() + ":\n" + journal
	}
	if r.Server != "" {
		if words := lastWordsOf(ctx, h, r.unit(), r.Server); len(words) > 0 {
			text += "\nlast words of PostgreSQL:\n" + strings.Join(words, "\n")
		}
	}
	return fmt.Errorf("waiting for patroni member %s: %s", r.Name, text)
}

// foreign reports whether Patroni ended because the data directory is that of
// another cluster, which it does not touch.
func (r Ready) foreign(h *resource.Host) bool {
	if r.Log == "" {
		return false
	}
	data, err := h.Files.Read(r.Log)
	return err == nil && strings.Contains(lastLines(string(data), 5), "CRITICAL: system ID mismatch")
}

// wakeLeader makes the leader look at its members once this one is among them.
// A new member's replication slot is made when the leader next looks, up to
// loop_wait later; a member that finds no slot then waits for
// wal_retrieve_retry_interval before it asks again. It reports whether there is
// nothing left to ask for.
func (r Ready) wakeLeader(ctx context.Context, c *Client) bool {
	cluster, err := c.Cluster(ctx)
	if err != nil {
		return false
	}
	_, listed := cluster.Member(r.Name)
	leader, led := cluster.Leader()
	if !listed || !led {
		return false
	}
	return leader.Name == r.Name || c.At(leader.APIURL).Wake(ctx) == nil
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// Key returns "patroni leader CLUSTER".
func (l LeaderReady) Key() string { return "patroni leader " + l.Cluster }

// Requires returns After.
func (l LeaderReady) Requires() []string { return l.After }

func (l LeaderReady) problem(ctx context.Context, c *Client) (string, error) {
	m, err := c.Leader(ctx)
	switch {
	case errors.Is(err, ErrNoLeader):
		return ErrNoLeader.Error(), nil
	case err != nil:
		return "", err
	case !m.Healthy():
		return fmt.Sprintf("leader %s is %s", m.Name, orUnknown(m.State)), nil
	}
	return "", nil
}

// Diff is a wait if there is no such leader.
func (l LeaderReady) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	return waitFor(ctx, h, l.API, l.problem)
}

// Apply waits for the leader.
func (l LeaderReady) Apply(ctx context.Context, h *resource.Host) error {
	if err := poll(ctx, h, l.API, l.Timeout, l.problem, func() error { return nil }); err != nil {
		return fmt.Errorf("waiting for the leader of cluster %s: %w", l.Cluster, err)
	}
	return nil
}
