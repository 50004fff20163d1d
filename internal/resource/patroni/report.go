package patroni

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"pigsty/internal/resource"
)

// Report only observes: its Diff says, in attributes, how the host's own member is.
type Report struct {
	API
	Member string
	Units  []string // more units whose state is worth knowing
}

// Key is "patroni report".
func (r *Report) Key() string { return "patroni report" }

// Diff returns the attributes "role", "state", "timeline", "lag" (bytes, of a
// replica), "pending-restart", "version" (of PostgreSQL) and one for each unit
// that is not active.
func (r *Report) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	var c resource.Change
	add := func(name, value string) {
		if value != "" {
			c.Attrs = append(c.Attrs, resource.Attr{Name: name, New: value})
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	r.member(ctx, h, add)
	c.Attrs = append(c.Attrs, r.UnitStates(ctx, h)...)
	return c, nil
}

// UnitStates returns one attribute for each of the Units that is not active.
func (r *Report) UnitStates(ctx context.Context, h *resource.Host) []resource.Attr {
	var out []resource.Attr
	for _, u := range r.Units {
		if st, err := h.Units.Show(ctx, u); err == nil && st.Active != "active" {
			out = append(out, resource.Attr{Name: u, New: st.Active})
		}
	}
	return out
}

func (r *Report) member(ctx context.Context, h *resource.Host, add func(name, value string)) {
	cl, err := r.client(h)
	if err != nil {
		add("state", "not set up")
		return
	}
	cluster, err := cl.Cluster(ctx)
	if err != nil {
		add("state", "patroni does not answer")
		return
	}
	m, ok := cluster.Member(r.Member)
	if !ok {
		add("state", "not a member")
		return
	}
	add("role", m.Role)
	add("state", m.State)
	if m.Timeline > 0 {
		add("timeline", strconv.Itoa(m.Timeline))
	}
	switch {
	case m.Leads():
	case m.Lag < 0:
		add("lag", "unknown")
	default:
		add("lag", strconv.FormatInt(int64(m.Lag), 10))
	}
	if m.PendingRestart {
		add("pending-restart", "yes")
	}
	if n, err := cl.Node(ctx); err == nil && n.Patroni.Name == r.Member && n.ServerVersion > 0 {
		add("version", fmt.Sprintf("%d.%d", n.ServerVersion/10000, n.ServerVersion%10000))
	}
}

// Apply does nothing.
func (r *Report) Apply(context.Context, *resource.Host) error { return nil }
