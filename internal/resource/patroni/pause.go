package patroni

import (
	"context"
	"errors"
	"fmt"
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
	return c.heed(ctx, h, p)
}

// heed waits until the members that answer heed p.
func (c *Client) heed(ctx context.Context, h *resource.Host, p Paused) error {
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

// AwaitPaused waits until the members of a cluster that answer heed a pause that
// was declared: Patroni that stops before it does would stop its server. Where
// this member's Patroni does not answer, it has stopped already.
func (a API) AwaitPaused(ctx context.Context, h *resource.Host) error {
	c, err := a.client(h)
	if err == nil {
		_, err = c.Node(ctx)
	}
	switch {
	case errors.Is(err, ErrUnreachable):
		return nil
	case err != nil:
		return err
	}
	config, err := c.Config(ctx)
	if err != nil {
		return err
	}
	if on, _ := config["pause"].(bool); !on {
		return errors.New("the cluster is not paused: `pigsty pg pause` first")
	}
	return c.heed(ctx, h, Paused{API: a, On: true})
}
