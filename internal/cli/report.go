package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"pigsty/internal/engine"
)

// report says how an apply ended and returns its exit status.
func (r *run) report(ctx context.Context, s *engine.Summary, recordPath string) error {
	a := r.app
	if !a.json {
		r.printFailures(s)
		r.printLeft(s)
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
		if blocked := r.having(s, h.Name, engine.Blocked); blocked != "" {
			fmt.Fprintf(a.out, "    not done because of that: %s\n", blocked)
		}
	}
}

// printLeft names, for every host, what an interruption left undone.
func (r *run) printLeft(s *engine.Summary) {
	for _, h := range r.plan.Hosts {
		if left := r.having(s, h.Name, engine.NotBegun); left != "" {
			fmt.Fprintf(r.app.out, "%s not begun: %s\n", h.Name, left)
		}
	}
}

// having says how many steps of host had outcome o, and names the first of them;
// "" if there are none.
func (r *run) having(s *engine.Summary, host string, o engine.Outcome) string {
	var keys []string
	for _, it := range r.plan.Items {
		idle := o == engine.Blocked && it.Change.Empty() // of a host that is not touched at all
		if it.Step.Host == host && s.Outcomes[it.Step.ID()] == o && !idle {
			keys = append(keys, it.Step.Resource.Key())
		}
	}
	n := len(keys)
	if n == 0 {
		return ""
	}
	if n > 5 {
		keys = append(keys[:5], "…")
	}
	return fmt.Sprintf("%s (%s)", count(n, "step"), strings.Join(keys, ", "))
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
