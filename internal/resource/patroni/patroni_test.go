package patroni

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pigsty/internal/resource"
	"pigsty/internal/secret"
)

// fake is a cluster behind one address; members are told apart by the path of
// their api_url. What it answers has the shape of Patroni 4.0's answers.
type fake struct {
	*httptest.Server
	mu      sync.Mutex
	config  map[string]any
	members []Member
	starts  map[string]int // how often each member's server was started again
	calls   []string
}

func newFake(t *testing.T, members ...Member) *fake {
	f := &fake{starts: map[string]int{}, config: map[string]any{"ttl": 30.0, "loop_wait": 0.1, "postgresql": map[string]any{
		"use_slots": true, "parameters": map[string]any{"max_connections": 100.0, "work_mem": "1GB", "jit": "off", "byhand": "1"}}}}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	for _, m := range members {
		m.APIURL = f.URL + "/" + m.Name + "/patroni"
		f.members = append(f.members, m)
	}
	return f
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	parts := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 2)
	who := slices.IndexFunc(f.members, func(m Member) bool { return m.Name == parts[0] })
	path := "/" + parts[len(parts)-1]
	var in map[string]any
	if r.Method != http.MethodGet {
		if user, password, _ := r.BasicAuth(); user != "postgres" || password != "s3cret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_ = json.NewDecoder(r.Body).Decode(&in)
	}
	reply := func(v any) { _ = json.NewEncoder(w).Encode(v) }
	switch r.Method + " " + path {
	case "GET /config":
		reply(f.config)
	case "PATCH /config":
		if who >= 0 {
			f.calls = append(f.calls, "patch "+f.members[who].Name)
		}
		merge(f.config, in)
		reply(f.config)
	case "GET /cluster":
		members := []map[string]any{}
		for _, m := range f.members {
			members = append(members, map[string]any{"name": m.Name, "role": m.Role, "state": m.State, "api_url": m.APIURL,
				"timeline": 1, "lag": m.Lag, "pending_restart": m.PendingRestart, "tags": m.Tags})
		}
		reply(map[string]any{"scope": "pg-test", "members": members})
	case "GET /patroni":
		m := f.members[max(who, 0)]
		role := "replica"
		if m.Leads() {
			role = "primary"
		}
		state := m.State
		if state == "streaming" { // which only /cluster says
			state = "running"
		}
		reply(map[string]any{"state": state, "role": role, "pending_restart": m.PendingRestart, "server_version": 170005,
			"postmaster_start_time": fmt.Sprintf("start %d of %s", f.starts[m.Name], m.Name), "pause": f.config["pause"],
			"pending_restart_reason": m.PendingRestartReason, "xlog": map[string]any{"location": 5, "replayed_location": 5}})
	case "POST /restart":
		f.calls = append(f.calls, "restart "+f.members[who].Name)
		f.starts[f.members[who].Name]++
		f.members[who].PendingRestart = false
	case "POST /switchover":
		f.calls = append(f.calls, fmt.Sprint("switchover ", in["leader"], " ", in["candidate"]))
		for i := range f.members {
			m := &f.members[i]
			switch m.Name {
			case in["leader"]:
				m.Role, m.PendingRestart = "replica", false
				f.starts[m.Name]++
			case in["candidate"]:
				m.Role = "leader"
			}
		}
	case "POST /failover":
		f.calls = append(f.calls, fmt.Sprint("failover ", in["candidate"]))
		for i := range f.members {
			m := &f.members[i]
			if m.Role = "replica"; m.Name == in["candidate"] {
				m.Role, m.State = "leader", "running"
			}
		}
	case "POST /reinitialize":
		f.calls = append(f.calls, "reinitialize "+f.members[who].Name)
		f.starts[f.members[who].Name]++
	case "POST /reload":
		f.calls = append(f.calls, "reload "+f.members[who].Name)
		w.WriteHeader(http.StatusAccepted)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func merge(into, in map[string]any) {
	for k, v := range in {
		sub, ok := v.(map[string]any)
		old, ok2 := into[k].(map[string]any)
		switch {
		case v == nil:
			delete(into, k)
		case ok && ok2:
			merge(old, sub)
		default:
			into[k] = v
		}
	}
}

func (f *fake) api() API {
	return API{URL: f.URL, Username: "postgres", Password: secret.New("s3cret")}
}

func TestSame(t *testing.T) {
	for _, tt := range []struct {
		a, b any
		want bool
	}{
		{100.0, "100", true}, {"on", true, true}, {"off", false, true}, {"1GB", "1024MB", true}, {"1h", "60min", true},
		{"1GB", "1000MB", false}, {"1024", "1GB", false}, {"x", "x", true}, {"0.9", 0.90, true}, {"on", "off", false}, {"5min", "5MB", false},
		{1048576.0, "1048576", true}, {[]any{"a"}, []any{"a"}, true},
	} {
		if got := same(tt.a, tt.b); got != tt.want {
			t.Errorf("same(%v, %v) = %v", tt.a, tt.b, got)
		}
	}
}

func TestDynamicConfig(t *testing.T) {
	f, h := newFake(t, Member{Name: "a", Role: "leader", State: "running"}), &resource.Host{}
	d := DynamicConfig{API: f.api(), Cluster: "pg-test", Desired: Tree{"ttl": 30, "loop_wait": 0.2, "standby_cluster": nil,
		"postgresql": map[string]any{"parameters": map[string]any{"max_connections": "100", "work_mem": "1024MB", "jit": false, "shared_buffers": "2GB"}}}}
	steps := []struct{ parameters, want string }{
		{`{"max_connections": "100", "work_mem": "1024MB", "jit": false, "shared_buffers": "2GB"}`,
			"[{loop_wait 0.1 0.2} {postgresql.parameters.shared_buffers  2GB}] differs; shared_buffers need a restart of postgres restart"},
		{`{"max_connections": 50, "jit": "on"}`,
			"[{postgresql.parameters.jit off on} {postgresql.parameters.max_connections 100 50} {postgresql.parameters.shared_buffers 2GB } {postgresql.parameters.work_mem 1GB }] differs; max_connections, shared_buffers need a restart of postgres restart"},
		{`{"max_connections": 50, "jit": "off"}`, "[{postgresql.parameters.jit on off}] differs reload"},
	}
	for _, s := range steps {
		var p map[string]any
		if err := json.Unmarshal([]byte(s.parameters), &p); err != nil {
			t.Fatal(err)
		}
		d.Desired["postgresql"] = map[string]any{"parameters": p}
		c, err := d.Diff(t.Context(), h)
		if got := fmt.Sprint(c.Attrs, " ", c.Reason, " ", c.Impact); err != nil || got != s.want {
			t.Errorf("%v\n%s\nwant\n%s", err, got, s.want)
		}
		if err := d.Apply(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		if c, err := d.Diff(t.Context(), h); err != nil || !c.Empty() {
			t.Errorf("after apply: %+v, %v", c, err)
		}
	}
	if params := parameters(f.config); params["byhand"] != "1" {
		t.Errorf("a parameter that was never ours is gone: %v", params)
	}
	d.Password = secret.New("wrong")
	d.Desired["ttl"] = 60
	if err := d.Apply(t.Context(), h); err == nil || strings.Contains(err.Error(), "wrong\"") || !strings.Contains(err.Error(), "name or password is wrong") {
		t.Errorf("%v", err)
	}
	f.Close()
	if c, err := d.Diff(t.Context(), h); err != nil || c.Unknown != after {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestRollingRestart(t *testing.T) {
	shrunk := map[string]Reason{"max_connections": {Old: "100", New: "50"}}
	leader := Member{Name: "a", Role: "leader", State: "running", PendingRestart: true}
	b := Member{Name: "b", Role: "replica", State: "streaming", PendingRestart: true, Lag: 500}
	c := Member{Name: "c", Role: "replica", State: "streaming"}
	never := Member{Name: "d", Role: "replica", State: "streaming", Tags: map[string]any{"nofailover": true}}
	shrinking := leader
	shrinking.PendingRestartReason = shrunk
	following := shrinking
	following.Role = "standby_leader"
	sync := b
	sync.Role = "sync_standby"
	for _, tt := range []struct {
		name    string
		members []Member
		impact  resource.Impact
		want    string
	}{
		{"leader last, to the one least behind", []Member{leader, b, c}, resource.ImpactFailover, "restart b, switchover a c"},
		{"replica only", []Member{c, b}, resource.ImpactRestart, "restart b"},
		{"alone", []Member{leader}, resource.ImpactRestart, "restart a"},
		{"no replica may lead", []Member{leader, never}, resource.ImpactRestart, "restart a"},
		{"synchronous first", []Member{leader, sync, c}, resource.ImpactFailover, "restart b, switchover a b"},
		{"shrinking", []Member{b, shrinking}, resource.ImpactRestart, "restart a, restart b"},
		{"nothing", []Member{c}, resource.ImpactNone, ""},
		{"standing by with more than it needs", []Member{following}, resource.ImpactNone, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !slices.ContainsFunc(tt.members, Member.Leads) {
				tt.members = append(tt.members, Member{Name: "z", Role: "leader", State: "running"})
			}
			f, h := newFake(t, tt.members...), &resource.Host{}
			r := RollingRestart{API: f.api(), Cluster: "pg-test", Timeout: time.Minute}
			change, err := r.Diff(t.Context(), h)
			if err != nil || change.Impact != tt.impact || change.Empty() != (tt.want == "") {
				t.Errorf("%+v, %v", change, err)
			}
			if change.Empty() {
				return
			}
			if err := r.Apply(t.Context(), h); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(f.calls, ", "); got != tt.want {
				t.Errorf("%s; want %s", got, tt.want)
			}
			if change, err := r.Diff(t.Context(), h); err != nil || !change.Empty() {
				t.Errorf("after apply: %+v, %v", change, err)
			}
		})
	}
	f, h := newFake(t, Member{Name: "a", Role: "leader", State: "running"}, c), &resource.Host{}
	h.SetPending("patroni config pg-test", resource.Change{Action: resource.Update, Reason: "differs; wal_level need a restart of postgres", Impact: resource.ImpactRestart})
	change, err := RollingRestart{API: f.api(), Cluster: "pg-test"}.Diff(t.Context(), h)
	if err != nil || change.Impact != resource.ImpactFailover || len(change.Attrs) != 2 {
		t.Errorf("%+v, %v", change, err)
	}
}

type fakeUnits struct {
	resource.Units
	active string
}

func (u fakeUnits) Show(context.Context, string) (resource.UnitState, error) {
	return resource.UnitState{Active: u.active}, nil
}
func (fakeUnits) Journal(context.Context, string, int) string { return "patroni.service: exited" }

type logFile struct {
	resource.Files
	more string
}

func (f logFile) Read(string) ([]byte, error) {
	return []byte("one\ntwo: no space left\n" + f.more), nil
}

func TestReady(t *testing.T) {
	f := newFake(t, Member{Name: "a", Role: "replica", State: "creating replica"})
	h := &resource.Host{Units: fakeUnits{active: "active"}, Files: logFile{}}
	r := Ready{API: f.api(), Name: "a", Log: "/log", Timeout: 300 * time.Millisecond}
	if c, err := r.Diff(t.Context(), h); err != nil || c.Action != resource.Wait || c.Reason != "member a is creating replica" {
		t.Errorf("%+v, %v", c, err)
	}
	err := r.Apply(t.Context(), h)
	for _, want := range []string{"member a is creating replica, after 300ms", "two: no space left", "patroni.service: exited"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	h.Units = fakeUnits{active: "failed"}
	if err := r.Apply(t.Context(), h); err == nil || !strings.Contains(err.Error(), "patroni.service has failed") {
		t.Errorf("%v", err)
	}
	h.Units = fakeUnits{active: "activating"} // which it is while systemd waits to start it again
	if err := r.Apply(t.Context(), h); err == nil || !strings.Contains(err.Error(), "after 300ms") {
		t.Errorf("%v", err)
	}
	h.Files = logFile{more: "CRITICAL: system ID mismatch, node a belongs to a different cluster: 1 != 2\n"}
	if err := r.Apply(t.Context(), h); err == nil || strings.Contains(err.Error(), "after 300ms") || !strings.Contains(err.Error(), "move it away") || !strings.Contains(err.Error(), "1 != 2") {
		t.Errorf("%v", err)
	}
	f.mu.Lock()
	f.members[0].State = "streaming"
	f.mu.Unlock()
	if c, err := r.Diff(t.Context(), h); err != nil || c.Reason != "the cluster has no leader" {
		t.Errorf("%+v, %v", c, err)
	}
	f.mu.Lock()
	f.members[0].Role = "leader"
	f.mu.Unlock()
	for _, r := range []resource.Resource{r, LeaderReady{API: f.api(), Cluster: "pg-test"}} {
		if c, err := r.Diff(t.Context(), h); err != nil || !c.Empty() {
			t.Errorf("%+v, %v", c, err)
		}
		if err := r.Apply(t.Context(), h); err != nil {
			t.Error(err)
		}
	}
	f.Close()
	if c, err := r.Diff(t.Context(), h); err != nil || c.Reason != "patroni does not answer" {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestReadyWakesLeader has a new replica ask its leader for a slot at once, and
// once only.
func TestReadyWakesLeader(t *testing.T) {
	f := newFake(t, Member{Name: "new", Role: "replica", State: "creating replica"}, Member{Name: "old", Role: "leader", State: "running"})
	r := Ready{API: f.api(), Name: "new", Timeout: 300 * time.Millisecond}
	r.URL += "/new"
	h := &resource.Host{Units: fakeUnits{active: "active"}, Files: logFile{}}
	if err := r.Apply(t.Context(), h); err == nil || !strings.Contains(err.Error(), "creating replica") {
		t.Errorf("%v", err)
	}
	if _, set := f.config["wake"]; set || !slices.Equal(f.calls, []string{"patch old"}) {
		t.Errorf("%v, configuration %v", f.calls, f.config)
	}
}

func TestFallback(t *testing.T) {
	f, h := newFake(t, Member{Name: "a", Role: "leader", State: "running"}), &resource.Host{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mute := "http://" + l.Addr().String() // connects and never answers
	defer l.Close()
	var asked atomic.Int32
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			asked.Add(1)
		}
	}()
	refusing, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := "http://" + refusing.Addr().String()
	refusing.Close()

	api := f.api()
	api.URL, api.Fallback = dead, []string{f.URL, dead}
	first := func() string { // who is asked first from now on
		c, err := api.client(h)
		if err != nil {
			t.Fatal(err)
		}
		return c.where()
	}
	for _, r := range []resource.Resource{
		LeaderReady{API: api, Cluster: "pg-test"}, RollingRestart{API: api, Cluster: "pg-test"},
		DynamicConfig{API: api, Cluster: "pg-test", Desired: Tree{"ttl": 30}},
	} {
		if c, err := r.Diff(t.Context(), h); err != nil || !c.Empty() {
			t.Errorf("%s: %+v, %v", r.Key(), c, err)
		}
	}
	if err := (DynamicConfig{API: api, Cluster: "pg-test", Desired: Tree{"ttl": 60}}).Apply(t.Context(), &resource.Host{}); err != nil || f.config["ttl"] != 60.0 {
		t.Errorf("%v, ttl %v", err, f.config["ttl"])
	}
	if got := first(); got != f.URL {
		t.Errorf("%s is asked first, though it is dead and %s answered", got, f.URL)
	}

	// All that a question may take is requestTimeout: a member that had it all
	// would leave nothing for the next one, and the look would fail.
	api.URL = mute
	for i := range 2 { // only the first has to find out
		if c, err := (LeaderReady{API: api, Cluster: "pg-test"}).Diff(t.Context(), h); err != nil || !c.Empty() || asked.Load() != 1 {
			t.Errorf("mute member, look %d: %+v, %v, asked %d times", i, c, err, asked.Load())
		}
	}
	f.Close()
	api.URL = dead
	if c, err := (LeaderReady{API: api, Cluster: "pg-test"}).Diff(t.Context(), h); err != nil || c.Action != resource.Wait {
		t.Errorf("all down: %+v, %v", c, err)
	}
	if c, err := (DynamicConfig{API: api, Cluster: "pg-test"}).Diff(t.Context(), h); err != nil || c.Unknown != after {
		t.Errorf("all down: %+v, %v", c, err)
	}
}

func TestWire(t *testing.T) {
	resource.Register(Resources()...)
	var in, out resource.Resource = DynamicConfig{Cluster: "x", Desired: Tree{"a": nil, "b": map[string]any{"c": []any{1.0, "2", false}}}}, nil
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(&in); err != nil {
		t.Fatal(err)
	}
	if err := gob.NewDecoder(&b).Decode(&out); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(in) != fmt.Sprint(out) {
		t.Errorf("%v\n%v", in, out)
	}
}
