package engine

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pigsty/internal/agent"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

// probe is a resource whose behaviour a test scripts through the fake hosts'
// file systems: it is done when its file exists.
type probe struct {
	Name   string
	Leads  string // the host that leads, per the file /leader there; empty: any host will do
	Fails  bool
	Impact resource.Impact
	Blocks bool // Apply waits for the file /go
	Hangs  bool // Diff does
	Down   bool // on a host with the file /down nothing is known and Apply fails
}

func (r *probe) Key() string { return r.Name }

func (r *probe) Diff(_ context.Context, h *resource.Host) (resource.Change, error) {
	if r.Hangs {
		awaitGo(h)
	}
	if _, err := h.Files.Stat("/down"); err == nil && r.Down {
		return resource.Change{Unknown: "after it is up"}, nil
	}
	if r.Leads != "" {
		if _, err := h.Files.Stat("/leader"); err != nil {
			return resource.Change{}, resource.ErrNotLeader
		}
	}
	if _, err := h.Files.Stat("/done-" + r.Name); err == nil {
		return resource.Change{}, nil
	}
	return resource.Change{Action: resource.Create, Reason: "does not exist", Impact: r.Impact}, nil
}

func (r *probe) Apply(ctx context.Context, h *resource.Host) error {
	if r.Blocks {
		awaitGo(h)
	}
	if _, err := h.Files.Stat("/down"); r.Fails || err == nil && r.Down {
		return errors.New("it broke")
	}
	log.add(h.Facts.Hostname + " " + r.Name)
	return h.Files.Write("/done-"+r.Name, nil, 0o644, resource.Owner{})
}

// awaitGo waits for the file /go on a host.
func awaitGo(h *resource.Host) {
	for {
		if _, err := h.Files.Stat("/go"); err == nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func init() {
	gob.Register(&probe{})
	resource.Register(&resource.PackageIndex{}, &resource.Packages{})
}

// journal is the order in which probes were applied.
type journal struct {
	mu    sync.Mutex
	lines []string
}

var log journal

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

// farm is fake hosts behind real agents and in-memory connections.
type farm struct {
	hosts map[string]*resourcetest.Host
	mu    sync.Mutex
	conns map[string]net.Conn // the agents' ends

	asked, answered atomic.Int32 // messages to and from agents
}

// counted counts what is written to a connection; the engine and the agent
// write a message at once.
type counted struct {
	net.Conn
	n *atomic.Int32
}

func (c counted) Write(p []byte) (int, error) {
	c.n.Add(1)
	return c.Conn.Write(p)
}

func newFarm(names ...string) *farm {
	log.lines = nil
	f := &farm{hosts: map[string]*resourcetest.Host{}, conns: map[string]net.Conn{}}
	for _, n := range names {
		f.hosts[n] = resourcetest.New()
		f.hosts[n].Facts.Hostname = n
	}
	return f
}

func (f *farm) dial(_ context.Context, name string) (io.ReadWriteCloser, error) {
	h := f.hosts[name]
	if h == nil {
		return nil, errors.New("no route to host")
	}
	near, far := net.Pipe()
	f.mu.Lock()
	f.conns[name] = far
	f.mu.Unlock()
	go func() {
		_ = agent.Serve(context.Background(), counted{far, &f.answered}, func(c resource.Control) (*resource.Host, error) {
			h.Host.Control = c
			return h.Host, nil
		})
		_ = far.Close()
	}()
	return counted{near, &f.asked}, nil
}

// look observes what g would change.
func look(t *testing.T, fleet *Fleet, g *plan.Graph) *plan.Plan {
	t.Helper()
	p, err := fleet.Observe(t.Context(), g, plan.Request{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// run plans and applies steps on the farm.
func (f *farm) run(t *testing.T, steps []*plan.Step, names ...string) (*plan.Plan, *Summary) {
	t.Helper()
	fleet := Connect(t.Context(), names, f.dial, nil, nil)
	defer func() { _ = fleet.Close() }()
	g, err := plan.Arrange(steps, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := look(t, fleet, g)
	return p, fleet.Apply(t.Context(), g, p)
}

func TestApplyFollowsOrderAcrossHosts(t *testing.T) {
	f := newFarm("a", "b")
	a, b := plan.NewBuilder("a", "X"), plan.NewBuilder("b", "X")
	first := a.Add(&probe{Name: "first"})
	second := b.After(first).Add(&probe{Name: "second"})
	a.After(second).Add(&probe{Name: "third"})
	steps := append(b.Steps(), a.Steps()...)
	p, s := f.run(t, steps, "a", "b")
	if p.Count().Create != 3 || s.Count(Applied) != 3 {
		t.Errorf("planned %+v, applied %d", p.Count(), s.Count(Applied))
	}
	if want := []string{"a first", "b second", "a third"}; !slices.Equal(log.lines, want) {
		t.Errorf("order %q, want %q", log.lines, want)
	}
	p, s = f.run(t, steps, "a", "b")
	if !p.Empty() || s.Count(Applied) != 0 || s.Count(Unchanged) != 3 {
		t.Errorf("a second run plans %+v and applies %d", p.Count(), s.Count(Applied))
	}
}

func TestFailureBlocksOnlyWhatDependsOnIt(t *testing.T) {
	f := newFarm("a", "b")
	a, b := plan.NewBuilder("a", "X"), plan.NewBuilder("b", "X")
	broken := a.Add(&probe{Name: "broken", Fails: true})
	a.After(broken).Add(&probe{Name: "after"})
	a.Add(&probe{Name: "beside"})
	b.After(broken).Add(&probe{Name: "elsewhere"})
	b.Add(&probe{Name: "alone"})
	_, s := f.run(t, append(a.Steps(), b.Steps()...), "a", "b")
	want := map[string]Outcome{"a broken": Failed, "a after": Blocked, "a beside": Applied, "b elsewhere": Blocked, "b alone": Applied}
	for id, o := range want {
		if s.Outcomes[id] != o {
			t.Errorf("%s: outcome %d, want %d", id, s.Outcomes[id], o)
		}
	}
	if s.Hosts["a"] != "broken: it broke" || s.Hosts["b"] != "" {
		t.Errorf("failed hosts: %v", s.Hosts)
	}
}

// What is as it should be stays so when what it needs fails, unless that
// interrupts: then nobody knows.
func TestFailureThatInterrupts(t *testing.T) {
	for impact, want := range map[resource.Impact]Outcome{resource.ImpactNone: Unchanged, resource.ImpactRestart: Blocked} {
		f := newFarm("a")
		if err := f.hosts["a"].Files.Write("/done-there", nil, 0o644, resource.Owner{}); err != nil {
			t.Fatal(err)
		}
		a := plan.NewBuilder("a", "X")
		broken := a.Add(&probe{Name: "broken", Fails: true, Impact: impact})
		a.After(broken).Add(&probe{Name: "there"})
		if _, s := f.run(t, a.Steps(), "a"); s.Outcomes["a there"] != want {
			t.Errorf("after a failure of impact %s: outcome %d, want %d", impact, s.Outcomes["a there"], want)
		}
	}
}

func TestHostThatIsDownCostsOnlyItself(t *testing.T) {
	f := newFarm("a")
	a, b := plan.NewBuilder("a", "X"), plan.NewBuilder("down", "X")
	lost := b.Add(&probe{Name: "lost"})
	a.Add(&probe{Name: "mine"})
	a.After(lost).Add(&probe{Name: "waits"})
	a.After(lost).AddOnLeader("c", []string{"a", "down"}, &probe{Name: "cluster"})
	p, s := f.run(t, append(b.Steps(), a.Steps()...), "down", "a")
	if p.Count().Unreachable != 1 || s.Hosts["down"] != "no route to host" {
		t.Errorf("plan %+v, failed %v", p.Count(), s.Hosts)
	}
	if s.Outcomes["a mine"] != Applied || s.Outcomes["a waits"] != Blocked || s.Outcomes["a cluster"] != Applied {
		t.Errorf("outcomes %v", s.Outcomes)
	}
}

func TestLeaderStepFollowsTheLeader(t *testing.T) {
	f := newFarm("a", "b")
	if err := f.hosts["b"].Files.Write("/leader", nil, 0o644, resource.Owner{}); err != nil {
		t.Fatal(err)
	}
	a := plan.NewBuilder("a", "X")
	a.AddOnLeader("c", []string{"a", "b"}, &probe{Name: "role", Leads: "yes"})
	fleet := Connect(t.Context(), []string{"a", "b"}, f.dial, nil, nil)
	defer func() { _ = fleet.Close() }()
	g, err := plan.Arrange(a.Steps(), nil)
	if err != nil {
		t.Fatal(err)
	}
	p := look(t, fleet, g)
	if p.Count().Create != 1 {
		t.Fatalf("plan %+v", p.Count())
	}
	// the leader moves between plan and apply
	_ = f.hosts["b"].Files.Remove("/leader")
	time.AfterFunc(50*time.Millisecond, func() {
		_ = f.hosts["a"].Files.Write("/leader", nil, 0o644, resource.Owner{})
	})
	if s := fleet.Apply(t.Context(), g, p); s.Count(Applied) != 1 {
		t.Errorf("outcomes %v, errors %v", s.Outcomes, s.Errors)
	}
	if want := []string{"a role"}; !slices.Equal(log.lines, want) {
		t.Errorf("ran on %q, want %q", log.lines, want)
	}
}

// A member whose server is down cannot know that it does not lead: the step
// goes to the next one all the same.
func TestLeaderStepPassesOverMemberThatIsDown(t *testing.T) {
	f := newFarm("a", "b")
	for name, file := range map[string]string{"a": "/down", "b": "/leader"} {
		if err := f.hosts[name].Files.Write(file, nil, 0o644, resource.Owner{}); err != nil {
			t.Fatal(err)
		}
	}
	a := plan.NewBuilder("a", "X")
	a.AddOnLeader("c", []string{"a", "b"}, &probe{Name: "role", Leads: "yes", Down: true})
	p, s := f.run(t, a.Steps(), "a", "b")
	if p.Count().Create != 1 || s.Count(Applied) != 1 {
		t.Errorf("plan %+v, outcomes %v, errors %v", p.Count(), s.Outcomes, s.Errors)
	}
	if want := []string{"b role"}; !slices.Equal(log.lines, want) {
		t.Errorf("ran on %q, want %q", log.lines, want)
	}
}

func TestInterruptionLetsRunningStepsEnd(t *testing.T) {
	f := newFarm("a")
	a := plan.NewBuilder("a", "X")
	slow := a.Add(&probe{Name: "slow", Blocks: true})
	next := a.After(slow).Add(&probe{Name: "next"})
	a.After(next).Add(&probe{Name: "there"})
	if err := f.hosts["a"].Files.Write("/done-there", nil, 0o644, resource.Owner{}); err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	started := make(chan bool, 1)
	fleet := Connect(ctx, []string{"a"}, f.dial, nil, func(e Event) {
		if e.Type == StepStart {
			started <- true
		}
	})
	defer func() { _ = fleet.Close() }()
	g, err := plan.Arrange(a.Steps(), nil)
	if err != nil {
		t.Fatal(err)
	}
	p := look(t, fleet, g)
	go func() {
		<-started
		interrupt()
		_ = f.hosts["a"].Files.Write("/go", nil, 0o644, resource.Owner{})
	}()
	s := fleet.Apply(ctx, g, p)
	if s.Outcomes["a slow"] != Applied || s.Outcomes["a next"] != NotBegun || s.Outcomes["a there"] != Unchanged {
		t.Errorf("outcomes %v", s.Outcomes)
	}
}

// An interruption does not wait for hosts that are looked at.
func TestInterruptionEndsObserving(t *testing.T) {
	f := newFarm("a", "b")
	a, b := plan.NewBuilder("a", "X"), plan.NewBuilder("b", "X")
	a.Add(&probe{Name: "slow", Hangs: true})
	b.Add(&probe{Name: "quick"})
	g, err := plan.Arrange(append(a.Steps(), b.Steps()...), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	fleet := Connect(ctx, []string{"a", "b"}, f.dial, nil, nil)
	defer func() {
		_ = f.hosts["a"].Files.Write("/go", nil, 0o644, resource.Owner{})
		_ = fleet.Close()
	}()
	time.AfterFunc(10*time.Millisecond, interrupt)
	if p, err := fleet.Observe(ctx, g, plan.Request{}); !errors.Is(err, ErrInterrupted) || p != nil {
		t.Errorf("plan %v, error %v", p, err)
	}
}

// An interruption does not wait for an agent that says nothing.
func TestInterruptionEndsConnecting(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	dial := func(context.Context, string) (io.ReadWriteCloser, error) {
		near, _ := net.Pipe()
		time.AfterFunc(10*time.Millisecond, interrupt)
		return near, nil
	}
	fleet := Connect(ctx, []string{"a"}, dial, nil, nil)
	if fleet.Err("a") == nil {
		t.Error("the host counts as reached")
	}
}

func TestConnectionThatBreaksFailsItsHost(t *testing.T) {
	f := newFarm("a", "b")
	a, b := plan.NewBuilder("a", "X"), plan.NewBuilder("b", "X")
	a.Add(&probe{Name: "cut", Blocks: true})
	b.Add(&probe{Name: "fine"})
	var once sync.Once
	fleet := Connect(t.Context(), []string{"a", "b"}, f.dial, nil, func(e Event) {
		if e.Type == StepStart && e.Host == "a" {
			once.Do(func() { _ = f.conns["a"].Close() })
		}
	})
	defer func() { _ = fleet.Close() }()
	g, err := plan.Arrange(append(a.Steps(), b.Steps()...), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := fleet.Apply(t.Context(), g, look(t, fleet, g))
	_ = f.hosts["a"].Files.Write("/go", nil, 0o644, resource.Owner{})
	if s.Outcomes["a cut"] != Failed || s.Outcomes["b fine"] != Applied || s.Hosts["a"] == "" {
		t.Errorf("outcomes %v, hosts %v", s.Outcomes, s.Hosts)
	}
}

// Exclusive steps that restart something run one at a time; see Step.Exclusive.
func TestExclusiveRestarts(t *testing.T) {
	f := newFarm("a", "b", "c")
	var steps []*plan.Step
	for _, n := range []string{"a", "b", "c"} {
		b := plan.NewBuilder(n, "X").Exclusive("etcd")
		b.Add(&restart{Name: "unit"})
		steps = append(steps, b.Steps()...)
	}
	_, s := f.run(t, steps, "a", "b", "c")
	if s.Count(Applied) != 3 {
		t.Fatalf("outcomes %v, errors %v", s.Outcomes, s.Errors)
	}
	for i := 0; i < len(log.lines); i += 2 {
		if log.lines[i] != "begin" || log.lines[i+1] != "end" {
			t.Fatalf("restarts overlap: %q", log.lines)
		}
	}
}

// What failed in one member of an exclusive group must not be done to the next.
func TestExclusiveRestartsEndAtAFailure(t *testing.T) {
	for _, c := range []struct {
		what   string
		hosts  []string // that answer
		fails  bool     // the check that comes after a restart
		starts bool     // the step only starts what does not run
		want   int      // steps that are applied
	}{
		{"all is well", []string{"a", "b", "c"}, false, false, 6},
		{"the first does not come back", []string{"a", "b", "c"}, true, false, 1},
		{"one host is lost", []string{"a", "b"}, false, false, 0},
		{"one host is lost, the others start", []string{"a", "b"}, false, true, 4},
	} {
		t.Run(c.what, func(t *testing.T) {
			f := newFarm(c.hosts...)
			var steps []*plan.Step
			for _, n := range []string{"a", "b", "c"} {
				b := plan.NewBuilder(n, "X").Exclusive("etcd")
				var unit resource.Resource = &restart{Name: "unit"}
				if c.starts {
					unit = &probe{Name: "unit"}
				}
				b.After(b.Add(unit)).Add(&probe{Name: "health", Fails: c.fails})
				steps = append(steps, b.Steps()...)
			}
			_, s := f.run(t, steps, "a", "b", "c")
			if s.Count(Applied) != c.want {
				t.Errorf("%d steps applied, want %d: %v", s.Count(Applied), c.want, s.Outcomes)
			}
			if c.fails && (s.Count(Failed) != 1 || s.Count(Blocked) != 4) {
				t.Errorf("outcomes %v", s.Outcomes)
			}
		})
	}
}

type restart struct{ Name string }

func init() { gob.Register(&restart{}) }

func (r *restart) Key() string { return r.Name }
func (r *restart) Diff(context.Context, *resource.Host) (resource.Change, error) {
	return resource.Change{Action: resource.Restart, Impact: resource.ImpactRestart}, nil
}
func (r *restart) Apply(context.Context, *resource.Host) error {
	log.add("begin")
	time.Sleep(5 * time.Millisecond)
	log.add("end")
	return nil
}

// TestOneExchange observes a host that has nothing to do: the agent introduces
// itself, and one question has one answer.
func TestOneExchange(t *testing.T) {
	f := newFarm("a", "b")
	var steps []*plan.Step
	for _, host := range []string{"a", "b"} {
		b := plan.NewBuilder(host, "X")
		for i := range 100 {
			b.Add(&probe{Name: fmt.Sprint("step ", i)})
		}
		steps = append(steps, b.Steps()...)
	}
	f.run(t, steps, "a", "b")
	f.asked.Store(0)
	f.answered.Store(0)
	fleet := Connect(t.Context(), []string{"a", "b"}, f.dial, nil, nil)
	defer fleet.Close()
	g, err := plan.Arrange(steps, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := look(t, fleet, g)
	if !p.Empty() || f.asked.Load() != 2 || f.answered.Load() != 4 {
		t.Errorf("2 hosts: plan %+v, %d messages to them, wants 2; %d from them, wants 4", p.Count(), f.asked.Load(), f.answered.Load())
	}
	if p.Hosts[0].Observing == 0 {
		t.Error("the plan does not say how long a host took")
	}
}

// A big plan must not deadlock on the connection: thousands of results arrive
// while others are still being sent.
func TestManySteps(t *testing.T) {
	f := newFarm("a")
	a := plan.NewBuilder("a", "X")
	for i := range 2000 {
		a.Add(&probe{Name: fmt.Sprint("step ", i)})
	}
	if _, s := f.run(t, a.Steps(), "a"); s.Count(Applied) != 2000 {
		t.Errorf("applied %d", s.Count(Applied))
	}
}

// A package that the deployment's repository has come to have is installed by
// the run that reads of it, with what was skipped for want of it.
func TestPackageThatTheRepositoryHasNow(t *testing.T) {
	f := newFarm("a")
	h := f.hosts["a"]
	h.Disk.Put("/etc/apt/sources.list.d/local.list", "deb file:///www/pigsty ./\n")
	h.Apt.Remote = map[string]string{"vector": "0.50"}
	a := plan.NewBuilder("a", "X")
	a.Early().Add(&resource.PackageIndex{})
	a.Add(&resource.Packages{Items: []resource.PackageItem{{Name: "vector", Optional: true}, {Name: "pev2", Optional: true}}})
	a.Given("vector").Add(&probe{Name: "logs"})
	a.Given("pev2").Add(&probe{Name: "page"})
	if _, s := f.run(t, a.Steps(), "a"); s.Count(Applied) != 0 || s.Count(Skipped) != 3 {
		t.Errorf("before: %v", s.Outcomes)
	}
	h.Disk.Put("/www/pigsty/repo.lock", `{"packages": [{"name": "vector", "version": "0.50"}]}`)
	h.Apt.Read = h.Disk.Now().Add(-time.Minute)
	_, s := f.run(t, a.Steps(), "a")
	if got := h.Apt.Calls(); !slices.Equal(got, []string{"refresh", "install vector"}) || !slices.Equal(log.lines, []string{"a logs"}) || s.Outcomes["a page"] != Skipped {
		t.Errorf("%q was done, then %q: %v", got, log.lines, s.Outcomes)
	}
	if _, s := f.run(t, a.Steps(), "a"); s.Count(Applied) != 0 {
		t.Errorf("again: %v", s.Outcomes)
	}
}
