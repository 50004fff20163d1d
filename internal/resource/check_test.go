package resource_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

var ctx = context.Background()

// show writes a change the way the tests compare it: action, reason, attributes,
// then the text that differs.
func show(c resource.Change) string {
	var b strings.Builder
	if c.Skipped != "" {
		return "skipped: " + c.Skipped
	}
	if c.Empty() {
		return ""
	}
	fmt.Fprintf(&b, "%s: %s", c.Action, c.Reason)
	if c.Impact != resource.ImpactNone {
		fmt.Fprintf(&b, " (%s)", c.Impact)
	}
	if c.Unknown != "" {
		fmt.Fprintf(&b, " [known %s]", c.Unknown)
	}
	for _, a := range c.Attrs {
		fmt.Fprintf(&b, "\n%s: %s → %s", a.Name, a.Old, a.New)
	}
	if c.Diff != "" {
		b.WriteString("\n" + strings.TrimSuffix(c.Diff, "\n"))
	}
	return b.String()
}

// step is one thing that happens to a host and what the plan then says of a
// resource; the resource is applied after each step, and its next plan must be empty.
type step struct {
	name string
	do   func(h *resourcetest.Host)
	want string // as show writes it
	err  string // a part of the error instead
}

func run(t *testing.T, h *resourcetest.Host, r resource.Resource, steps ...step) {
	t.Helper()
	for _, s := range steps {
		if s.do != nil {
			s.do(h)
		}
		before, after, err := h.Converge(ctx, r)
		if s.err != "" {
			if err == nil || !strings.Contains(err.Error(), s.err) {
				t.Errorf("%s: error %v\nwant %s", s.name, err, s.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		if got := show(before); got != s.want {
			t.Errorf("%s: plan\n%s\nwant\n%s", s.name, got, s.want)
		}
		if !after.Empty() {
			t.Errorf("%s: after apply the plan is\n%s", s.name, show(after))
		}
	}
}

func expect[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
