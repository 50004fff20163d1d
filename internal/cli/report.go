package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"pigsty/internal/engine"
)

// report says how an apply ended and returns its exit status.
func (r *run) report(ctx context.Context, s *engine.Summary, recordPath string) error {
	a := r.app
	if !a.json {
		r.printFailures(s)
		fmt.Fprintln(a.out, r.totals(s))
		fmt.Fprintf(a.out, "record: %s\n", recordPath)
	}
	switch {
	case ctx.Err() != nil:
		return status(exitInterrupted, "interrupted: %s not begun; run the same command again to finish", count(s.Count(engine.NotBegun), "step"))
	case len(s.Hosts) > 0:
		return status(exitHosts, "%s failed", count(len(s.Hosts), "host"))
	}
	return nil
}

// printFailures names, for every host that failed, the step and why, and what
// was left undone because of it.
func (r *run) printFailures(s *engine.Summary) {
	a := r.app
	for _, h := range r.plan.Hosts {
		why, failed := s.Hosts[h.Name]
		if !failed {
			continue
		}
		fmt.Fprintf(a.out, "%s %s\n", a.paint(a.out, "31", "✗ "+h.Name), strings.ReplaceAll(why, "\n", "\n    "))
		var blocked []string
		for _, it := range r.plan.Items {
			if it.Step.Host == h.Name && s.Outcomes[it.Step.ID()] == engine.Blocked && !it.Change.Empty() {
				blocked = append(blocked, it.Step.Resource.Key())
			}
		}
		if n := len(blocked); n > 0 {
			blocked = slices.Compact(blocked)
			if len(blocked) > 5 {
				blocked = append(blocked[:5], "…")
			}
			fmt.Fprintf(a.out, "    not done because of that: %s (%s)\n", count(n, "step"), strings.Join(blocked, ", "))
		}
	}
}

func (r *run) totals(s *engine.Summary) string {
	parts := []string{count(s.Count(engine.Applied), "step") + " applied"}
	add := func(o engine.Outcome, what string) {
		if n := s.Count(o); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, what))
		}
	}
	add(engine.Failed, "failed")
	add(engine.Blocked, "blocked")
	add(engine.NotBegun, "not begun")
	add(engine.Skipped, "skipped")
	return fmt.Sprintf("%s on %s in %s", strings.Join(parts, ", "), count(len(r.plan.Hosts), "host"), s.Elapsed.Round(100*time.Millisecond))
}
