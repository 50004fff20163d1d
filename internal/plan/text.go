package plan

import (
	"fmt"
	"io"
	"strings"

	"pigsty/internal/resource"
)

// Style says how a plan is written out.
type Style struct {
	Color   bool
	Verbose bool // what new things are made of, and what is skipped, too
}

// colours are the terminal sequences of a Style, empty without colour.
type colours struct{ bold, dim, red, green, yellow, cyan, off string }

func (s Style) colours() colours {
	if !s.Color {
		return colours{}
	}
	return colours{bold: "\x1b[1m", dim: "\x1b[2m", red: "\x1b[31m", green: "\x1b[32m", yellow: "\x1b[33m", cyan: "\x1b[36m", off: "\x1b[0m"}
}

// Text writes p for people: what differs on each host, step by step, and a
// one-line total.
func (p *Plan) Text(w io.Writer, style Style) {
	c := style.colours()
	items := map[string][]Item{}
	for _, it := range p.Items {
		items[it.Step.Host] = append(items[it.Step.Host], it)
	}
	for _, h := range p.Hosts {
		var lines strings.Builder
		for _, it := range items[h.Name] {
			if h.Error == "" || it.Step.Cluster != "" && it.Error == "" { // another member answered
				it.text(&lines, c, style.Verbose)
			}
		}
		switch {
		case h.Error != "":
			fmt.Fprintf(w, "%s%s%s  %snot reached: %s%s\n%s\n", c.bold, hostTitle(h), c.off, c.red, indentRest(h.Error), c.off, lines.String())
		case lines.Len() > 0:
			fmt.Fprintf(w, "%s%s%s\n%s\n", c.bold, hostTitle(h), c.off, lines.String())
		}
	}
	fmt.Fprintln(w, p.Total())
}

func hostTitle(h HostState) string {
	title := h.Name
	if h.Label != "" && h.Label != h.Name {
		title += "  " + h.Label
	}
	if h.Only != "" {
		title += "  " + h.Only + " only"
	}
	return title
}

// marks are the signs that lines of a plan begin with.
var marks = map[resource.Action]string{
	resource.Create: "+", resource.Update: "~", resource.Remove: "-",
	resource.Reload: "↻", resource.Restart: "⟳", resource.Run: "»",
}

func (it Item) text(w io.Writer, c colours, verbose bool) {
	ch := it.Change
	key := it.Step.Resource.Key()
	if it.Step.Cluster != "" {
		key += c.dim + " (leader of " + it.Step.Cluster + ")" + c.off
	}
	switch {
	case it.Error != "":
		fmt.Fprintf(w, "  %s✗ %s: %s%s\n", c.red, key, indentRest(it.Error), c.off)
		return
	case ch.Skipped != "":
		if verbose {
			fmt.Fprintf(w, "  %s· %s skipped: %s%s\n", c.dim, key, ch.Skipped, c.off)
		}
		return
	case ch.Unknown != "" && ch.Action == resource.None:
		fmt.Fprintf(w, "  %s? %s%s  known %s\n", c.cyan, key, c.off, ch.Unknown)
		return
	case ch.Action == resource.None || ch.Action == resource.Wait:
		if ch.Note != "" {
			fmt.Fprintf(w, "  · %s: %s\n", key, ch.Note)
		}
		return
	}
	colour := c.yellow
	switch ch.Action {
	case resource.Create:
		colour = c.green
	case resource.Remove:
		colour = c.red
	}
	fmt.Fprintf(w, "  %s%s %s%s", colour, marks[ch.Action], key, c.off)
	if ch.Reason != "" {
		fmt.Fprintf(w, "  %s", ch.Reason)
	}
	if ch.Impact > resource.ImpactReload || ch.Impact == resource.ImpactReload && ch.Action != resource.Reload {
		fmt.Fprintf(w, "  %s[%s]%s", c.red, ch.Impact, c.off)
	}
	fmt.Fprintln(w)
	if verbose || ch.Action != resource.Create {
		for _, a := range ch.Attrs {
			fmt.Fprintf(w, "      %s\n", attrText(a))
		}
	}
	if ch.Diff != "" && (verbose || ch.Action != resource.Create) {
		writeDiff(w, ch.Diff, c)
	}
	if ch.Note != "" {
		fmt.Fprintf(w, "      %snote: %s%s\n", c.dim, ch.Note, c.off)
	}
}

func attrText(a resource.Attr) string {
	switch {
	case a.Old == "":
		return a.Name + ": " + a.New
	case a.New == "":
		return a.Name + ": " + a.Old + " → (none)"
	}
	return a.Name + ": " + a.Old + " → " + a.New
}

func writeDiff(w io.Writer, diff string, c colours) {
	for line := range strings.Lines(diff) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "---"), strings.HasPrefix(line, "+++"):
			continue
		case strings.HasPrefix(line, "+"):
			fmt.Fprintf(w, "      %s%s%s\n", c.green, line, c.off)
		case strings.HasPrefix(line, "-"):
			fmt.Fprintf(w, "      %s%s%s\n", c.red, line, c.off)
		default:
			fmt.Fprintf(w, "      %s\n", line)
		}
	}
}

// indentRest indents every line of a message but the first.
func indentRest(text string) string {
	return strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n      ")
}

// Total says in one line what p would do.
func (p *Plan) Total() string {
	n := p.Count()
	var parts []string
	add := func(count int, what string) {
		if count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count, what))
		}
	}
	add(n.Create, "to create")
	add(n.Update, "to change")
	add(n.Remove, "to remove")
	add(n.Run, "to run")
	add(n.Reload, plural(n.Reload, "reload", "reloads"))
	add(n.Restart, plural(n.Restart, "restart", "restarts"))
	add(n.Unknown, "known later")
	if len(parts) == 0 && n.Unreachable < n.Hosts {
		parts = append(parts, "nothing to do")
	}
	add(n.Skipped, "skipped")
	errors := n.Errors - p.lostItems()
	add(errors, plural(errors, "error", "errors"))
	add(n.Unreachable, plural(n.Unreachable, "host not reached", "hosts not reached"))
	total := fmt.Sprintf("%d %s: %s", n.Hosts, plural(n.Hosts, "host", "hosts"), strings.Join(parts, ", "))
	if impact := p.Impact(); impact > resource.ImpactReload {
		total += "; impact: " + impact.String()
	}
	return total
}

// lostItems counts the steps whose error is only that their host was not reached.
func (p *Plan) lostItems() int {
	down := map[string]bool{}
	for _, h := range p.Hosts {
		down[h.Name] = h.Error != ""
	}
	n := 0
	for _, it := range p.Items {
		if it.Error != "" && down[it.Step.Host] {
			n++
		}
	}
	return n
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
