package etcd

import (
	"context"
	"fmt"
	"strings"
	"time"

	"pigsty/internal/resource"
)

// Health waits until a member serves requests, which it does once it has a
// leader and a quorum.
type Health struct {
	API                   // of this member: one endpoint
	Name    string        // of this member
	Unit    string        // etcd.service
	Timeout time.Duration // 0 means 1 minute
	After   []string      // keys of resources that come before
}

var _ resource.Requirer = Health{}

func (e Health) unit() string {
	if e.Unit == "" {
		return "etcd.service"
	}
	return e.Unit
}

// Key returns "etcd healthy NAME".
func (e Health) Key() string { return "etcd healthy " + e.Name }

// Requires returns the unit and After.
func (e Health) Requires() []string { return append([]string{"unit " + e.unit()}, e.After...) }

func (e Health) problem(ctx context.Context, h *resource.Host) string {
	c, err := e.client(h)
	if err != nil {
		return err.Error()
	}
	for _, endpoint := range e.Endpoints {
		if ok, why := c.Healthy(ctx, endpoint); !ok {
			return why
		}
	}
	return ""
}

// Diff is a wait if the member does not serve.
func (e Health) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	if why := e.problem(ctx, h); why != "" {
		return resource.Change{Action: resource.Wait, Reason: why}, nil
	}
	return resource.Change{}, nil
}

// Apply waits. It gives up when the time is over or the unit has failed, and then
// quotes the unit's journal.
func (e Health) Apply(ctx context.Context, h *resource.Host) error {
	if e.Timeout == 0 {
		e.Timeout = time.Minute
	}
	return wait(ctx, h, e.unit(), e.Timeout, "etcd member "+e.Name, func() string { return e.problem(ctx, h) })
}

// wait calls problem until it returns "", the time is over, or unit has failed
// if one is given.
func wait(ctx context.Context, h *resource.Host, unit string, timeout time.Duration, what string, problem func() string) error {
	begin := time.Now()
	for every := 100 * time.Millisecond; ; every = min(2*every, time.Second) {
		why := problem()
		if why == "" {
			return nil
		}
		failed := false
		if unit != "" {
			state, err := h.Units.Show(ctx, unit)
			failed = err == nil && state.Active == "failed"
		}
		if failed || time.Since(begin) > timeout {
			text := fmt.Sprintf("%s, after %s", why, timeout)
			if failed {
				text = unit + " has failed; " + why
			}
			if unit != "" {
				if journal := strings.TrimSpace(h.Units.Journal(ctx, unit, 15)); journal != "" {
					text += "\njournal of " + unit + ":\n" + journal
				}
			}
			return fmt.Errorf("waiting for %s: %s", what, text)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
}
