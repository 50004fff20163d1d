package patroni

import (
	"os"
	"strings"
	"testing"
	"time"

	"pigsty/internal/resource"
	"pigsty/internal/secret"
)

// TestLive runs against a real cluster of at least two members:
// PIGSTY_TEST_PATRONI is the API of one of them, with user postgres and
// password Api. It changes max_connections up and down again.
func TestLive(t *testing.T) {
	url := os.Getenv("PIGSTY_TEST_PATRONI")
	if url == "" {
		t.Skip("PIGSTY_TEST_PATRONI does not name a cluster")
	}
	api := API{URL: url, Username: "postgres", Password: secret.New("Api")}
	h := &resource.Host{}
	run := func(r resource.Resource) resource.Change {
		t.Helper()
		begin := time.Now()
		c, err := r.Diff(t.Context(), h)
		if err != nil {
			t.Fatalf("%s: %v", r.Key(), err)
		}
		t.Logf("%s: %s (%s) %s %v %s", r.Key(), c.Action, c.Reason, c.Impact, c.Attrs, c.Note)
		if c.Empty() {
			return c
		}
		if err := r.Apply(t.Context(), h); err != nil {
			t.Fatalf("%s: %v", r.Key(), err)
		}
		again, err := r.Diff(t.Context(), h)
		if err != nil || !again.Empty() {
			t.Errorf("%s: after apply %+v, %v", r.Key(), again, err)
		}
		t.Logf("%s: applied in %v", r.Key(), time.Since(begin))
		return c
	}
	run(LeaderReady{API: api, Cluster: "pg-test"})
	client, err := api.Client(os.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Second) {
		if c, err := client.Cluster(t.Context()); err == nil && len(RollingRestart{}.due(c)) == 0 && len(c.candidates(first(c.Leader()))) == len(c.Members)-1 && len(c.Members) > 1 {
			break
		}
	}
	before, err := client.Leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	config := func(connections any, more map[string]any) DynamicConfig {
		params := map[string]any{"max_connections": connections}
		for k, v := range more {
			params[k] = v
		}
		return DynamicConfig{API: api, Cluster: "pg-test", Desired: Tree{"postgresql": map[string]any{"parameters": params}}}
	}
	run(config(100, map[string]any{"work_mem": "8MB", "log_statement": "ddl"}))
	if c := run(config("120", nil)); c.Impact != resource.ImpactRestart || len(c.Attrs) != 3 {
		t.Errorf("%+v", c) // two parameters are ours no longer
	}
	if c := run(RollingRestart{API: api, Cluster: "pg-test"}); c.Impact != resource.ImpactFailover {
		t.Errorf("%+v", c)
	}
	now, err := client.Leader(t.Context())
	if err != nil || now.Name == before.Name {
		t.Errorf("leader %s, then %s, %v", before.Name, now.Name, err)
	}
	if c := run(config(90, nil)); !strings.Contains(c.Note, "max_connections shrinks") {
		t.Errorf("%+v", c)
	}
	run(RollingRestart{API: api, Cluster: "pg-test"})
	if again, err := client.Leader(t.Context()); err != nil || again.Name != now.Name {
		t.Errorf("leader %s, then %s, %v", now.Name, again.Name, err)
	}
	run(config(90, nil))
	if err := client.Pause(t.Context()); err != nil {
		t.Error(err)
	}
	if err := client.Resume(t.Context()); err != nil {
		t.Error(err)
	}
	if have, err := client.Config(t.Context()); err != nil || have["pause"] != nil {
		t.Errorf("%v, %v", have, err)
	}
	wrong := api
	wrong.Password = secret.New("x")
	c, _ := wrong.Client(os.ReadFile)
	if err := c.Pause(t.Context()); err == nil || !strings.Contains(err.Error(), "user name or password is wrong") {
		t.Errorf("%v", err)
	}
}

func first(m Member, _ bool) Member { return m }
