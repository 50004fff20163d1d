package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pigsty/internal/engine"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

func TestAsk(t *testing.T) {
	confirm := func(ctx context.Context, a *app) error { return a.confirm(ctx, "Apply these changes?") }
	name := func(ctx context.Context, a *app) error {
		return a.typeName(ctx, "This destroys data of pg-test", "pg-test")
	}
	for _, c := range []struct {
		ask           func(context.Context, *app) error
		typed, answer string // what the command says to it; nothing when it goes on
	}{
		{confirm, "y\n", ""},
		{confirm, " YES \nno\n", ""},
		{confirm, "n\n", "nothing was changed"},
		{confirm, "\n", "nothing was changed"},
		{confirm, "", "nothing was changed"},
		{name, "pg-test\n", ""},
		{name, "pg-tset\n", "that is not pg-test; nothing was changed"},
		{name, "\n", "that is not pg-test; nothing was changed"},
		{name, "", "nothing was changed"},
	} {
		var said bytes.Buffer
		a := &app{in: iotest.OneByteReader(strings.NewReader(c.typed)), err: &said}
		err := c.ask(t.Context(), a)
		text, want := "", exitDone
		if err != nil {
			text, want = err.Error(), exitError
		}
		if text != c.answer || exitStatus(err) != want {
			t.Errorf("after %q, to %q: %v, status %d", said.String(), c.typed, err, exitStatus(err))
		}
	}
}

// Ctrl-C at a question ends it, though nobody types a line.
func TestAskInterrupted(t *testing.T) {
	in, typing := io.Pipe()
	defer typing.Close()
	ctx, interrupt := context.WithCancel(t.Context())
	asked := writerFunc(func() { interrupt() })
	err := (&app{in: in, err: asked}).confirm(ctx, "Apply these changes?")
	if !errors.Is(err, errInterrupted) || exitStatus(err) != exitInterrupted {
		t.Errorf("error %v, status %d", err, exitStatus(err))
	}
}

// writerFunc is called when something is written to it.
type writerFunc func()

func (f writerFunc) Write(p []byte) (int, error) {
	f()
	return len(p), nil
}

// An interrupted run names what is left, a few steps of every host.
func TestLeft(t *testing.T) {
	var out bytes.Buffer
	r := &run{deployment: &deployment{app: &app{out: &out, colour: "never"}}, plan: &plan.Plan{}}
	s := &engine.Summary{Outcomes: map[string]engine.Outcome{}}
	for host, outcomes := range map[string][]engine.Outcome{
		"a": slices.Repeat([]engine.Outcome{engine.NotBegun}, 7), "b": {engine.Applied}, "c": {engine.Applied, engine.NotBegun},
	} {
		b := plan.NewBuilder(host, "X")
		for i, o := range outcomes {
			id := b.Add(&resource.Dir{Path: "/" + string(rune('a'+i))})
			s.Outcomes[id] = o
		}
		for _, step := range b.Steps() {
			r.plan.Items = append(r.plan.Items, plan.Item{Step: step, Change: resource.Change{Action: resource.Create}})
		}
	}
	r.plan.Hosts = []plan.HostState{{Name: "a"}, {Name: "b"}, {Name: "c"}}
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	err := r.report(ctx, s, "record.ndjson")
	want := "a not begun: 7 steps (dir /a, dir /b, dir /c, dir /d, dir /e, …)\n" +
		"c not begun: 1 step (dir /b)\n" +
		"2 steps applied, 8 not begun on 3 hosts in 0s\nrecord: record.ndjson\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
	if text := "interrupted: 8 steps not begun; run the same command again to finish"; err.Error() != text || exitStatus(err) != exitInterrupted {
		t.Errorf("error %v, status %d", err, exitStatus(err))
	}
}
