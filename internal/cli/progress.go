package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"pigsty/internal/engine"
	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// progress shows a run as it happens: one live line per host on a terminal,
// plain lines elsewhere.
type progress struct {
	out    io.Writer
	quiet  bool
	live   bool
	paint  func(colour, text string) string
	labels map[string]string

	mu       sync.Mutex
	applying bool
	hosts    map[string]*hostProgress
	order    []string
	drawn    int // lines on the screen that belong to the live view
	stopped  chan struct{}
	ticker   *time.Ticker
}

type hostProgress struct {
	total, done int
	running     map[string]*runningStep
	state       string // "failed", "lost"
}

type runningStep struct {
	since time.Time
	line  string
}

// redraw is how often the live view is drawn anew.
const redraw = 120 * time.Millisecond

// patience is how long a step runs before plain output says that it still does.
const patience = 10 * time.Second

func newProgress(a *app, site *module.Site) *progress {
	p := &progress{out: a.err, quiet: a.json, live: isTerminal(a.err) && !a.json && os.Getenv("TERM") != "dumb",
		paint:  func(colour, text string) string { return a.paint(a.err, colour, text) },
		labels: map[string]string{}, hosts: map[string]*hostProgress{}, stopped: make(chan struct{})}
	for _, h := range site.Hosts() {
		p.labels[h.Name()] = label(h)
	}
	interval := patience
	if p.live {
		interval = redraw
	}
	p.ticker = time.NewTicker(interval)
	go p.tick()
	return p
}

func (p *progress) tick() {
	for {
		select {
		case <-p.stopped:
			return
		case <-p.ticker.C:
			p.mu.Lock()
			if p.live {
				p.draw()
			} else {
				p.stillRunning()
			}
			p.mu.Unlock()
		}
	}
}

// expect says how many steps each host has to do.
func (p *progress) expect(pl *plan.Plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.applying = true
	for _, it := range pl.Items {
		if !it.Change.Empty() && it.Change.Skipped == "" {
			p.host(it.Step.Host).total++
		}
	}
}

func (p *progress) host(name string) *hostProgress {
	h := p.hosts[name]
	if h == nil {
		h = &hostProgress{running: map[string]*runningStep{}}
		p.hosts[name] = h
		p.order = append(p.order, name)
	}
	return h
}

// event takes one thing that happened; it is an engine.Sink.
func (p *progress) event(e engine.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.host(e.Host)
	switch e.Type {
	case engine.StepStart:
		h.running[e.Step] = &runningStep{since: time.Now()}
	case engine.StepLog:
		if r := h.running[e.Step]; r != nil {
			r.line = e.Text
		}
	case engine.StepDone:
		p.finished(e)
		if e.Change.Action != resource.None && e.Change.Action != resource.Wait {
			p.say("%s  %s %s%s", p.title(e.Host), e.Change.Action, e.Step, took(e.Elapsed))
		}
	case engine.StepFailed:
		p.finished(e)
		h.state = "failed"
		p.say("%s  %s %s: %s", p.title(e.Host), p.paint("31", "failed"), e.Step, e.Text)
	case engine.HostDown:
		h.state = "lost"
		if p.applying { // else the plan says so
			p.say("%s  %s %s", p.title(e.Host), p.paint("31", "lost:"), e.Text)
		}
	}
}

// finished takes the step off the list of what runs; a leader's step may have
// been started under another host's name.
func (p *progress) finished(e engine.Event) {
	for _, h := range p.hosts {
		if h.running[e.Step] != nil && (h == p.hosts[e.Host] || p.hosts[e.Host].running[e.Step] == nil) {
			delete(h.running, e.Step)
			h.done++
			return
		}
	}
}

func took(d time.Duration) string {
	if d < time.Second {
		return ""
	}
	return fmt.Sprintf(" (%s)", d.Round(100*time.Millisecond))
}

func (p *progress) title(host string) string {
	if l := p.labels[host]; l != "" && l != host {
		return host + " " + l
	}
	return host
}

// say prints a line for good. The live view shows only failures so; its lines
// tell the rest.
func (p *progress) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if p.quiet || p.live && !strings.Contains(text, "failed") && !strings.Contains(text, "lost:") {
		return
	}
	p.erase()
	fmt.Fprintln(p.out, text)
}

// stillRunning says, on plain output, what has been running for long.
func (p *progress) stillRunning() {
	if p.quiet {
		return
	}
	for _, name := range p.order {
		for step, r := range p.hosts[name].running {
			if d := time.Since(r.since); d > patience {
				fmt.Fprintf(p.out, "%s  still running after %s: %s %s\n", p.title(name), d.Round(time.Second), step, r.line)
			}
		}
	}
}

func (p *progress) erase() {
	if p.drawn > 0 {
		fmt.Fprintf(p.out, "\x1b[%dA\x1b[J", p.drawn)
		p.drawn = 0
	}
}

var spinner = []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")

func (p *progress) draw() {
	width, height := 100, 40
	if f, ok := fileOf(p.out); ok {
		if w, h, err := term.GetSize(int(f.Fd())); err == nil && w > 20 {
			width, height = w, h
		}
	}
	var lines []string
	for _, name := range p.order {
		if h := p.hosts[name]; len(h.running) > 0 || h.state != "" || h.done < h.total {
			lines = append(lines, p.line(name, h, width))
		}
	}
	if len(lines) > height-2 {
		lines = append(lines[:height-3], fmt.Sprintf("… and %d more hosts", len(lines)-height+3))
	}
	p.erase()
	for _, l := range lines {
		fmt.Fprintln(p.out, l)
	}
	p.drawn = len(lines)
}

// line is one host in the live view: its count, what has run longest and for how long.
func (p *progress) line(name string, h *hostProgress, width int) string {
	head := fmt.Sprintf("%-24s %3d/%-3d ", p.title(name), h.done, h.total)
	if h.state != "" {
		return head + p.paint("31", h.state)
	}
	steps := make([]string, 0, len(h.running))
	for s := range h.running {
		steps = append(steps, s)
	}
	if len(steps) == 0 {
		return head + "waits for other hosts"
	}
	slices.SortFunc(steps, func(a, b string) int { return h.running[a].since.Compare(h.running[b].since) })
	oldest := h.running[steps[0]]
	spin := spinner[int(time.Now().UnixMilli()/redraw.Milliseconds())%len(spinner)]
	text := fmt.Sprintf("%c %s %s %s", spin, steps[0], time.Since(oldest.since).Round(100*time.Millisecond), oldest.line)
	if room := width - len(head) - 1; len([]rune(text)) > room && room > 10 {
		text = string([]rune(text)[:room-1]) + "…"
	}
	return head + text
}

// stop ends the live view.
func (p *progress) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.stopped:
		return
	default:
	}
	close(p.stopped)
	p.ticker.Stop()
	if p.live {
		p.erase()
	}
}
