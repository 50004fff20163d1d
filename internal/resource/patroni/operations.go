package patroni

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// Config returns the cluster's dynamic configuration.
func (c *Client) Config(ctx context.Context) (Tree, error) {
	var out Tree
	err := c.get(ctx, "/config", &out)
	return out, err
}

// PatchConfig merges patch into the dynamic configuration; null removes a key. It
// returns when the member answers with the result: until its next loop it would
// still show what it has read before.
func (c *Client) PatchConfig(ctx context.Context, patch Tree) error {
	ctx, cancel := context.WithTimeout(ctx, 3*requestTimeout)
	defer cancel()
	if _, err := c.change(ctx, http.MethodPatch, "/config", patch); err != nil {
		return err
	}
	for {
		if have, err := c.Config(ctx); err == nil && len(compare(have, patch)) == 0 {
			return nil
		}
		if pause(ctx, 100*time.Millisecond) != nil {
			return fmt.Errorf("patroni took the configuration, but %s does not show it after %s", c.where(), 3*requestTimeout)
		}
	}
}

// Wake makes the member run its loop now instead of up to loop_wait later. A change
// of the configuration does that, also one that removes what is not there.
func (c *Client) Wake(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err := c.change(ctx, http.MethodPatch, "/config", Tree{"wake": nil})
	return err
}

// Restart restarts the member's PostgreSQL and returns when it runs again.
func (c *Client) Restart(ctx context.Context) error {
	_, err := c.change(ctx, http.MethodPost, "/restart", Tree{})
	return err
}

// Reload makes the member read its configuration file and the dynamic configuration.
func (c *Client) Reload(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err := c.change(ctx, http.MethodPost, "/reload", Tree{})
	return err
}

// Switchover makes candidate the leader in place of leader, and returns when
// it leads. An empty candidate leaves the choice to Patroni.
func (c *Client) Switchover(ctx context.Context, leader, candidate string) error {
	in := Tree{"leader": leader}
	if candidate != "" {
		in["candidate"] = candidate
	}
	_, err := c.change(ctx, http.MethodPost, "/switchover", in)
	return err
}

// Failover makes candidate the leader although there may be none to hand over.
func (c *Client) Failover(ctx context.Context, candidate string) error {
	_, err := c.change(ctx, http.MethodPost, "/failover", Tree{"candidate": candidate})
	return err
}

// Pause stops Patroni from acting on failures, for the whole cluster.
func (c *Client) Pause(ctx context.Context) error { return c.PatchConfig(ctx, Tree{"pause": true}) }

// Resume undoes Pause.
func (c *Client) Resume(ctx context.Context) error { return c.PatchConfig(ctx, Tree{"pause": nil}) }

// Reinitialize discards the data of the member, which must be a replica, and
// clones it again. force also cancels what the member is doing. It returns
// at once; the member's state is then "creating replica".
func (c *Client) Reinitialize(ctx context.Context, force bool) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err := c.change(ctx, http.MethodPost, "/reinitialize", Tree{"force": force})
	return err
}
