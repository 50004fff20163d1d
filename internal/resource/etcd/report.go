package etcd

import (
	"context"
	"strings"
	"time"

	"pigsty/internal/resource"
)

// Report only observes: its Diff says, in attributes, how the host's own member is.
type Report struct {
	API  // of this member: one endpoint
	Unit string
}

var _ resource.Resource = Report{}

// Key is "etcd report".
func (r Report) Key() string { return "etcd report" }

// Diff returns the attributes "state" (healthy, or what is wrong), "role" (leader
// or follower), "version" and "database" (its size in bytes).
func (r Report) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	var c resource.Change
	add := func(name, value string) { c.Attrs = append(c.Attrs, resource.Attr{Name: name, New: value}) }
	cl, err := r.client(h)
	if err == nil {
		var s Status
		if s, err = cl.Status(ctx); err == nil {
			role, state := "follower", "healthy"
			if s.Leader == s.Header.MemberID {
				role = "leader"
			}
			if len(s.Errors) > 0 {
				state = strings.Join(s.Errors, ", ")
			}
			add("state", state)
			add("role", role)
			add("version", s.Version)
			add("database", s.DBSize)
			return c, nil
		}
	}
	if unit, showErr := h.Units.Show(ctx, r.Unit); showErr == nil && unit.Active != "active" {
		add("state", unit.Active)
		return c, nil
	}
	add("state", "unhealthy: "+err.Error())
	return c, nil
}

// Apply does nothing.
func (r Report) Apply(context.Context, *resource.Host) error { return nil }
