package patroni

import (
	"slices"
	"strings"
	"testing"

	"pigsty/internal/resource"
)

// three is a leader and two replicas, of which the last one is never to lead.
func three() []Member {
	return []Member{
		{Name: "a", Role: "leader", State: "running"},
		{Name: "b", Role: "replica", State: "streaming", Lag: 64},
		{Name: "c", Role: "replica", State: "streaming", Tags: map[string]any{"nofailover": true}},
	}
}

func TestOperations(t *testing.T) {
	leaderless := three()
	leaderless[0].Role, leaderless[0].State = "replica", "stopped"
	synchronous := three()
	synchronous[2] = Member{Name: "c", Role: "sync_standby", State: "streaming", Lag: 512}
	for _, tt := range []struct {
		name    string
		members []Member
		do      func(API) resource.Resource
		plan    string // attributes and impact, or an error
		calls   string
	}{
		{"the best replica", three(), func(a API) resource.Resource { return Switchover{API: a, Cluster: "x", From: "a"} },
			"leader: a → b, failover", "switchover a b"},
		{"a named one", synchronous, func(a API) resource.Resource { return Switchover{API: a, Cluster: "x", From: "a", To: "c"} },
			"leader: a → c, failover", "switchover a c"},
		{"one that may not", three(), func(a API) resource.Resource { return Switchover{API: a, Cluster: "x", From: "a", To: "c"} },
			"c cannot lead: it must not lead (nofailover)", ""},
		{"one beside a synchronous one", synchronous, func(a API) resource.Resource { return Switchover{API: a, Cluster: "x", From: "a", To: "b"} },
			"b cannot lead: it is not synchronous, and another replica is", ""},
		{"an unknown one", three(), func(a API) resource.Resource { return Switchover{API: a, Cluster: "x", From: "a", To: "d"} },
			"d is no member of the cluster now", ""},
		{"handed over already", three(), func(a API) resource.Resource { return Switchover{API: a, Cluster: "x", From: "b"} }, "", ""},
		{"nobody to take over", three()[:1], func(a API) resource.Resource { return Switchover{API: a, Cluster: "x", From: "a"} },
			"a is the only member of its cluster", ""},
		{"nobody hands over", leaderless, func(a API) resource.Resource { return Switchover{API: a, Cluster: "x", From: "a"} },
			"the cluster has no leader to hand over", ""},
		{"failover without a leader", leaderless, func(a API) resource.Resource { return Failover{API: a, Cluster: "x"} },
			"leader: b, failover", "failover b"},
		{"failover to one that is down", leaderless, func(a API) resource.Resource { return Failover{API: a, Cluster: "x", To: "a"} },
			"nobody can lead: a is stopped", ""},
		{"failover from a leader", three(), func(a API) resource.Resource { return Failover{API: a, Cluster: "x", From: "a"} },
			"leader: a → b, data loss", "failover b"},
		{"a leader was found meanwhile", three(), func(a API) resource.Resource { return Failover{API: a, Cluster: "x"} }, "", ""},
		{"pause", three(), func(a API) resource.Resource { return Paused{API: a, Cluster: "x", On: true} }, "pause: off → on, none", ""},
		{"not paused", three(), func(a API) resource.Resource { return Paused{API: a, Cluster: "x"} }, "", ""},
		{"reload two", three(), func(a API) resource.Resource { return Reload{API: a, Cluster: "x", Members: []string{"a", "b"}} },
			"a: leader, running; b: replica, streaming, 64 bytes behind, reload", "reload a, reload b"},
		{"restart a replica that needs none", three(), func(a API) resource.Resource {
			return RollingRestart{API: a, Cluster: "x", Running: map[string]string{"b": "start 0 of b"}}
		}, "b: replica → restart, restart", "restart b"},
		{"restarted since", three(), func(a API) resource.Resource {
			return RollingRestart{API: a, Cluster: "x", Running: map[string]string{"b": "earlier"}}
		}, "", ""},
		{"restart all", three(), func(a API) resource.Resource {
			return RollingRestart{API: a, Cluster: "x", Running: map[string]string{"a": "start 0 of a", "b": "start 0 of b"}}
		}, "b: replica → restart; a: leader → switchover to b, restart, failover", "restart b, switchover a b"},
		{"copy a replica", three(), func(a API) resource.Resource {
			a.URL += "/c"
			return Reinit{API: a, Member: "c", Started: "start 0 of c"}
		}, "data: replica, streaming → a copy of a, data loss", "reinitialize c"},
		{"copied since", three(), func(a API) resource.Resource {
			a.URL += "/c"
			return Reinit{API: a, Member: "c", Started: "earlier"}
		}, "", ""},
		{"copy the leader", three(), func(a API) resource.Resource {
			a.URL += "/a"
			return Reinit{API: a, Member: "a", Started: "start 0 of a"}
		}, "a leads the cluster", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, h := newFake(t, tt.members...), &resource.Host{}
			r := tt.do(f.api())
			c, err := r.Diff(t.Context(), h)
			if err != nil {
				if tt.plan == "" || !strings.Contains(err.Error(), tt.plan) {
					t.Errorf("%v, want %s", err, tt.plan)
				}
				return
			}
			if got := planned(c); got != tt.plan {
				t.Fatalf("plan %s, want %s", got, tt.plan)
			}
			if c.Empty() {
				return
			}
			if c.Note == "" {
				t.Error("it does not say what it interrupts")
			}
			if err := r.Apply(t.Context(), h); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(f.calls, ", "); got != tt.calls {
				t.Errorf("it called %s, want %s", got, tt.calls)
			}
			if again, err := r.Diff(t.Context(), h); err != nil || !again.Empty() && c.Action != resource.Reload {
				t.Errorf("it is not done: %s, %v", planned(again), err)
			}
		})
	}
}

// planned shows a change's attributes and impact.
func planned(c resource.Change) string {
	if c.Empty() {
		return ""
	}
	var attrs []string
	for _, a := range c.Attrs {
		text := a.Name + ": " + a.New
		if a.Old != "" {
			text = a.Name + ": " + a.Old + " → " + a.New
		}
		attrs = append(attrs, text)
	}
	return strings.Join(attrs, "; ") + ", " + c.Impact.String()
}

func TestView(t *testing.T) {
	members := three()
	members[1].PendingRestart, members[1].PendingRestartReason = true, map[string]Reason{"max_connections": {"100", "200"}}
	members[2].Lag = -1
	f := newFake(t, members...)
	c, err := View{API: f.api(), Cluster: "x"}.Diff(t.Context(), &resource.Host{})
	if err != nil {
		t.Fatal(err)
	}
	seen, err := Seen(c)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := seen.Member("b")
	last, _ := seen.Member("c")
	if leader, ok := seen.Leader(); !ok || leader.Name != "a" || !b.PendingRestart || b.PendingRestartReason["max_connections"].New != "200" ||
		b.Started != "start 0 of b" || last.Lag != -1 || !last.NoFailover() {
		t.Errorf("%+v", seen)
	}
	if !slices.ContainsFunc(Resources(), func(r resource.Resource) bool { _, ok := r.(View); return ok }) {
		t.Error("it cannot travel to an agent")
	}
}
