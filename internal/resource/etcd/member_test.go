package etcd

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

// gateway is a cluster that a host joins, as its JSON gateway shows it.
type gateway struct {
	peers []Peer
	slow  int // how often a learner has not caught up yet, or members have not settled
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	self := func() *Peer { return &g.peers[len(g.peers)-1] }
	refuse := func(text string) {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": text})
	}
	switch r.URL.Path {
	case "/health":
		fmt.Fprint(w, `{"health":"true"}`)
		return
	case "/v3/maintenance/status":
		fmt.Fprint(w, `{"leader":"11"}`)
		return
	case "/v3/cluster/member/add":
		g.peers = append(g.peers, Peer{ID: "22", PeerURLs: []string{"https://b:2380"}, Learner: true})
	case "/v3/cluster/member/promote":
		if g.slow--; g.slow >= 0 {
			refuse("etcdserver: can only promote a learner member which is in sync with leader")
			return
		}
		self().Name, self().Learner = "etcd-2", false
	case "/v3/cluster/member/remove":
		if g.slow--; g.slow >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"error":"etcdserver: unhealthy cluster","code":14}`)
			return
		}
		g.peers = g.peers[:len(g.peers)-1]
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"members": g.peers})
}

// A join reaches its end from wherever an earlier one broke off.
func TestMemberJoins(t *testing.T) {
	const data, marker, dropIn = "/data/etcd/member/wal/0.wal", "/etc/etcd/etcd.joining", "/run/systemd/system/etcd.service.d/50-join.conf"
	unstarted := Peer{ID: "22", PeerURLs: []string{"https://b:2380"}, Learner: true}
	learner, voter := unstarted, unstarted
	learner.Name = "etcd-2"
	voter.Name, voter.Learner = "etcd-2", false
	served := voter
	served.ClientURLs = []string{"https://b:2379"}
	cases := []struct {
		what   string
		self   []Peer            // how the others list this member
		files  map[string]string // what is on this host
		reason string            // of the change, or a part of the error
		call   string            // of systemd, to start the unit
	}{
		{"from nothing", nil, nil, "joins 1 members", "restart etcd.service"},
		{"added", []Peer{unstarted}, nil, "was added, but has not started", "restart etcd.service"},
		{"started", []Peer{unstarted}, map[string]string{data: "", marker: "22", dropIn: ""}, "was added, but has not started", "restart etcd.service"},
		{"started, then booted", []Peer{unstarted}, map[string]string{data: "", marker: "22"}, "was added, but has not started", "restart etcd.service"},
		{"caught up", []Peer{learner}, map[string]string{data: "", marker: "22", dropIn: ""}, "has started, but does not vote yet", "start etcd.service"},
		{"promoted", []Peer{voter}, map[string]string{data: "", marker: "22", dropIn: ""}, "has joined; what only its first start needs is still there", "start etcd.service"},
		{"done", []Peer{voter}, map[string]string{data: ""}, "", ""},
		{"data is lost", []Peer{served}, nil, "remove it by etcd-rm", ""},
		{"data of a removed member", nil, map[string]string{data: ""}, "move it away", ""},
		{"data of a member that was removed while it joined", []Peer{unstarted}, map[string]string{data: "", marker: "21"}, "move it away", ""},
	}
	for _, c := range cases {
		t.Run(c.what, func(t *testing.T) {
			g := &gateway{peers: append([]Peer{{ID: "11", Name: "etcd-1", PeerURLs: []string{"https://a:2380"}}}, c.self...), slow: 2}
			server := httptest.NewServer(g)
			defer server.Close()
			g.peers[0].ClientURLs = []string{server.URL}
			follower := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/promote") {
					t.Error("a follower is asked to promote")
				}
				g.ServeHTTP(w, r)
			}))
			defer follower.Close()
			h := resourcetest.New()
			h.Systemd.Set("etcd.service", resource.UnitState{})
			h.Disk.Put("/etc/etcd/etcd.conf", "name: etcd-2\ninitial-cluster-state: new\n")
			for p, text := range c.files {
				h.Disk.Put(p, text)
			}
			m := Member{API: API{Endpoints: []string{follower.URL, server.URL}}, Name: "etcd-2", PeerURL: "https://b:2380", ClientURL: server.URL, Timeout: time.Minute}
			before, after, err := h.Converge(t.Context(), m)
			if strings.Contains(c.reason, " it ") { // what to do
				if err == nil || !strings.Contains(err.Error(), c.reason) {
					t.Errorf("%+v %v", before, err)
				}
				return
			}
			if err != nil || before.Reason != c.reason || !after.Empty() {
				t.Errorf("%+v, then %+v, %v", before, after, err)
			}
			if self, _ := m.find(g.peers); self.Name != "etcd-2" || self.Learner {
				t.Errorf("members %+v", g.peers)
			}
			if m.withDefaults().untidy(h.Host) {
				t.Error("the first start's settings are left")
			}
			started := slices.DeleteFunc(h.Systemd.Calls(), func(call string) bool { return call == "daemon-reload" })
			if got := strings.Join(started, ", "); got != c.call {
				t.Errorf("systemd did %q", got)
			}
		})
	}
}

// While nobody answers, a host is part of a new cluster only if there is none yet.
func TestMemberOfClusterThatIsDown(t *testing.T) {
	h := resourcetest.New()
	h.Systemd.Set("etcd.service", resource.UnitState{Active: "failed"})
	m := Member{API: API{Endpoints: []string{"http://127.0.0.1:1"}}, Name: "etcd-2", Timeout: 50 * time.Millisecond}
	if c, err := m.Diff(t.Context(), h.Host); err != nil || !c.Empty() {
		t.Errorf("new cluster: %+v, %v", c, err)
	}
	m.Formed = true
	c, err := m.Diff(t.Context(), h.Host)
	if err != nil || c.Reason != "joins a cluster that does not answer now" {
		t.Errorf("formed: %+v, %v", c, err)
	}
	if err := m.Apply(t.Context(), h.Host); err == nil || !strings.Contains(err.Error(), "waiting for the other members") {
		t.Errorf("formed: %v", err)
	}
	h.Disk.Put("/data/etcd/member/wal/0.wal", "")
	if c, err := m.Diff(t.Context(), h.Host); err != nil || !c.Empty() {
		t.Errorf("a member that is down too: %+v, %v", c, err)
	}
}

// Members that have just connected let none go; see settleTimeout.
func TestMemberLeaves(t *testing.T) {
	g := &gateway{peers: []Peer{{ID: "11", Name: "etcd-1"}, {ID: "22", Name: "etcd-2"}}, slow: 2}
	server := httptest.NewServer(g)
	defer server.Close()
	before, after, err := resourcetest.New().Converge(t.Context(), MemberAbsent{API: API{Endpoints: []string{server.URL}}, Name: "etcd-2"})
	if err != nil || before.Reason != "leaves 1 members" || !after.Empty() || len(g.peers) != 1 {
		t.Errorf("%+v, then %+v, %v; members %+v", before, after, err, g.peers)
	}
}

// A gateway whose server has not started yet is passed over for the next.
func TestHalfwayMember(t *testing.T) {
	half := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, `{"error":"malformed header: missing HTTP content-type","code":13}`)
	}))
	defer half.Close()
	whole := httptest.NewServer(&gateway{peers: []Peer{{ID: "11", Name: "etcd-1"}}})
	defer whole.Close()
	c, err := API{Endpoints: []string{half.URL, whole.URL}}.Client(nil)
	if err != nil {
		t.Fatal(err)
	}
	if peers, err := c.Members(t.Context()); err != nil || len(peers) != 1 {
		t.Errorf("%+v, %v", peers, err)
	}
}
