package patroni

import (
	"fmt"
	"strings"
	"testing"

	"pigsty/internal/resource"
)

// TestStandby follows a standby cluster: another source, its promotion, and
// that it does not go back.
func TestStandby(t *testing.T) {
	f, h := newFake(t, Member{Name: "a", Role: "standby_leader", State: "running"}), &resource.Host{}
	f.config["standby_cluster"] = map[string]any{"host": "10.0.0.1", "port": 5432.0, "recovery_min_apply_delay": "1h"}
	s := Standby{API: f.api(), Cluster: "pg-dr"}
	look := func(source Tree) resource.Change {
		t.Helper()
		s.Source = source
		c, err := s.Diff(t.Context(), h)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if c := look(Tree{"host": "10.0.0.1", "port": 5432, "recovery_min_apply_delay": "60min"}); !c.Empty() || c.Note != "" {
		t.Errorf("as declared: %+v", c)
	}
	c := look(Tree{"host": "10.0.0.1,10.0.0.2", "port": 5432})
	if got := fmt.Sprint(c.Attrs, c.Impact); got != "[{standby_cluster.host 10.0.0.1 10.0.0.1,10.0.0.2} {standby_cluster.recovery_min_apply_delay 1h }] reload" {
		t.Errorf("another source: %s", got)
	}
	if err := s.Apply(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if c := look(s.Source); !c.Empty() {
		t.Errorf("after apply: %+v", c)
	}
	c = look(nil)
	if got := fmt.Sprint(c.Attrs, c.Impact); got != "[{follows 10.0.0.1,10.0.0.2 }] failover" || !strings.HasPrefix(c.Reason, "promoted") {
		t.Errorf("promotion: %s, %s", got, c.Reason)
	}
	f.mu.Lock()
	f.members[0].Role = "leader" // as Patroni's next loop makes it
	f.mu.Unlock()
	if err := s.Apply(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if c := look(nil); !c.Empty() {
		t.Errorf("after the promotion: %+v", c)
	}
	if c := look(Tree{"host": "10.0.0.1"}); !c.Empty() || !strings.Contains(c.Note, "leads by itself") {
		t.Errorf("a cluster that leads: %+v", c)
	}
}

// TestPause checks that a pause ends with its declaration, unless somebody else
// paused the cluster.
func TestPause(t *testing.T) {
	f, h := newFake(t, Member{Name: "a", Role: "leader", State: "running"}), &resource.Host{}
	parameters := func() Tree {
		return Tree{"postgresql": map[string]any{"parameters": map[string]any{"work_mem": "1GB"}}}
	}
	paused := parameters()
	Pause(paused)
	for _, step := range []struct {
		desired Tree
		pause   any
	}{{paused, true}, {parameters(), nil}} {
		d := DynamicConfig{API: f.api(), Cluster: "pg-test", Desired: step.desired}
		if err := d.Apply(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		if c, err := d.Diff(t.Context(), h); err != nil || !c.Empty() || f.config["pause"] != step.pause {
			t.Errorf("pause is %v: %+v, %v", f.config["pause"], c, err)
		}
	}
	f.config["pause"] = true
	d := DynamicConfig{API: f.api(), Cluster: "pg-test", Desired: parameters()}
	if c, err := d.Diff(t.Context(), h); err != nil || !c.Empty() {
		t.Errorf("somebody else's pause: %+v, %v", c, err)
	}
	f.config["synchronous_mode"] = "quorum"
	d.Desired["synchronous_mode"] = true
	if c, err := d.Diff(t.Context(), h); err != nil || !c.Empty() {
		t.Errorf("quorum commit is synchronous: %+v, %v", c, err)
	}
}

// TestAwaitPaused lets Patroni stop where it heeds a pause, or has stopped already.
func TestAwaitPaused(t *testing.T) {
	f, h := newFake(t, Member{Name: "a", Role: "leader", State: "running"}), &resource.Host{}
	if err := f.api().AwaitPaused(t.Context(), h); err == nil || !strings.Contains(err.Error(), "not paused") {
		t.Errorf("not paused: %v", err)
	}
	f.config["pause"] = true
	if err := f.api().AwaitPaused(t.Context(), h); err != nil {
		t.Errorf("paused: %v", err)
	}
	gone := f.api()
	f.Close()
	if err := gone.AwaitPaused(t.Context(), h); err != nil {
		t.Errorf("stopped: %v", err)
	}
}
