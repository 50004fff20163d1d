package patroni

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"pigsty/internal/resource"
)

// Adopt has Patroni restart a server that was started without it, in Unit, once
// Patroni has found it: it then runs with Patroni's settings, and as its child.
// It runs on the member's own host.
type Adopt struct {
	API
	Member  string
	Unit    string        // that the server was started in
	Timeout time.Duration // for the member to lead again; 0 means 5 minutes
}

var _ resource.Requirer = Adopt{}

// Key returns "patroni adopt MEMBER".
func (a Adopt) Key() string { return "patroni adopt " + a.Member }

// Requires puts it after Patroni is there.
func (a Adopt) Requires() []string { return []string{Ready{Name: a.Member}.Key()} }

// Diff is a restart while the unit runs.
func (a Adopt) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	st, err := h.Units.Show(ctx, a.Unit)
	if err != nil || st.Active != "active" {
		return resource.Change{}, err
	}
	return resource.Change{Action: resource.Restart, Reason: "it runs in " + a.Unit, Impact: resource.ImpactRestart}, nil
}

// Apply restarts the server, and waits until it leads.
func (a Adopt) Apply(ctx context.Context, h *resource.Host) error {
	c, err := a.client(h)
	if err != nil {
		return err
	}
	if err := c.Restart(ctx); err != nil {
		return fmt.Errorf("member %s: %w", a.Member, err)
	}
	b := comeback{client: c, timeout: cmp.Or(a.Timeout, readyTimeout), maxLag: defaultLag, log: logger(ctx, h)}
	_, err = b.member(ctx, a.Member, false, Member.Leads)
	return err
}
