package engine

import (
	"context"
	"encoding/gob"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// ping is a resource that wants to know whether its host can be worked on.
type ping struct{}

func init() { gob.Register(&ping{}) }

func (*ping) Key() string { return "ping" }

func (*ping) Diff(context.Context, *resource.Host) (resource.Change, error) {
	return resource.Change{Action: resource.Run}, nil
}

func (*ping) Apply(ctx context.Context, h *resource.Host) error { return h.Control.Ping(ctx) }

// shut is a connection to a host that lets in no others.
type shut struct{ io.ReadWriteCloser }

func (shut) Reach(time.Duration) error { return errors.New("no answer") }

func TestPingConnectsAnew(t *testing.T) {
	f := newFarm("open", "shut")
	dial := func(ctx context.Context, name string) (io.ReadWriteCloser, error) {
		c, err := f.dial(ctx, name)
		if name == "shut" {
			c = shut{c}
		}
		return c, err
	}
	var steps []*plan.Step
	for name := range f.hosts {
		b := plan.NewBuilder(name, "X")
		b.Add(&ping{})
		steps = append(steps, b.Steps()...)
	}
	g, err := plan.Arrange(steps, nil)
	if err != nil {
		t.Fatal(err)
	}
	fleet := Connect(t.Context(), []string{"open", "shut"}, dial, nil, nil)
	defer fleet.Close()
	summary := fleet.Apply(t.Context(), g, look(t, fleet, g))
	if problem := summary.Hosts["shut"]; !strings.Contains(problem, "no answer") || summary.Hosts["open"] != "" {
		t.Errorf("hosts that failed: %v", summary.Hosts)
	}
}
