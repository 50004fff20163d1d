package moduletest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// Arrange compiles play for hosts and puts its steps in order. Its steps must
// carry only tags that the play declares, and hosts must have no problems.
func Arrange(t *testing.T, play module.Play, s *module.Site, hosts []*module.Host) *plan.Graph {
	t.Helper()
	steps := play.Steps(s, hosts)
	for _, h := range s.Hosts() {
		if problems := h.Problems(); len(problems) > 0 {
			t.Errorf("%s: %v", play.Name, problems)
		}
	}
	for _, step := range steps {
		for _, tag := range step.Tags {
			if !slices.Contains(play.Tags, tag) {
				t.Errorf("%s: %s has tag %s, which the play does not declare", play.Name, step.ID(), tag)
			}
		}
	}
	graph, err := plan.Arrange(steps, nil)
	if err != nil {
		t.Fatalf("%s: %v", play.Name, err)
	}
	return graph
}

// Steps shows steps in the given order: where, what, with which tags, then the
// attributes of what is no file, and what it comes after.
func Steps(steps []*plan.Step) string {
	var out strings.Builder
	for _, s := range steps {
		out.WriteString(s.ID() + " [" + strings.Join(s.Tags, " ") + "]")
		if s.Early {
			out.WriteString(" early")
		}
		if s.Exclusive != "" {
			out.WriteString(" exclusive:" + s.Exclusive)
		}
		out.WriteString("\n")
		if _, file := s.Resource.(*resource.File); !file {
			out.WriteString(indented(Attributes(s.Resource)))
		}
		for _, id := range s.After {
			out.WriteString("    after " + id + "\n")
		}
	}
	return out.String()
}

// Order shows steps in the given order without their attributes: where, what,
// with which tags, and what they come after. They must be fit to be arranged.
func Order(t *testing.T, steps []*plan.Step) string {
	t.Helper()
	if _, err := plan.Arrange(steps, nil); err != nil {
		t.Error(err)
	}
	var b strings.Builder
	for _, s := range steps {
		at := s.Host
		if s.Cluster != "" {
			at = "leader of " + s.Cluster
		}
		early := ""
		if s.Early {
			early = " (early)"
		}
		fmt.Fprintf(&b, "%s: %s%s\n\ttags %s\n", at, s.Resource.Key(), early, strings.Join(s.Tags, " "))
		if len(s.After) > 6 {
			fmt.Fprintf(&b, "\tafter %s … %s (%d)\n", s.After[0], s.After[len(s.After)-1], len(s.After))
		} else if len(s.After) > 0 {
			fmt.Fprintf(&b, "\tafter %s\n", strings.Join(s.After, "; "))
		}
	}
	return b.String()
}

// Files shows each file of steps once, with the hosts that have it like that,
// sorted by path.
func Files(steps []*plan.Step) string {
	var order []string
	hosts := map[string][]string{}
	for _, s := range steps {
		f, ok := s.Resource.(*resource.File)
		if !ok {
			continue
		}
		text := fmt.Sprintf("%s %04o %s\n%s", f.Path, f.Mode, f.Owner, f.Content())
		if hosts[text] == nil {
			order = append(order, text)
		}
		hosts[text] = append(hosts[text], s.Host)
	}
	slices.Sort(order)
	var out strings.Builder
	for _, text := range order {
		fmt.Fprintf(&out, "-- %s: %s\n", strings.Join(hosts[text], " "), text)
	}
	return out.String()
}

func indented(text string) string {
	if text == "" {
		return ""
	}
	return "    " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n    ") + "\n"
}
