package etcd

import (
	"bytes"
	"context"
	"encoding/gob"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"pigsty/internal/resource"
	"pigsty/internal/secret"
)

type units struct{ resource.Units }

func (units) Show(context.Context, string) (resource.UnitState, error) {
	return resource.UnitState{Active: "active"}, nil
}
func (units) Journal(context.Context, string, int) string { return "etcd[1]: panic" }
func (units) DaemonReload(context.Context) error          { return nil }

// live returns the URL of a new etcd of one member: the program etcd, or what
// PIGSTY_TEST_ETCD names.
func live(t *testing.T) string {
	program := os.Getenv("PIGSTY_TEST_ETCD")
	if program == "" {
		var err error
		if program, err = exec.LookPath("etcd"); err != nil {
			t.Skip("etcd is not installed")
		}
	}
	const client, peer = "http://127.0.0.1:23791", "http://127.0.0.1:23801"
	cmd := exec.Command(program, "--name=etcd-1", "--data-dir="+t.TempDir(), "--listen-client-urls="+client, "--advertise-client-urls="+client,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=etcd-1="+peer, "--unsafe-no-fsync")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return client
}

func TestLive(t *testing.T) {
	url := live(t)
	h := &resource.Host{Units: units{}}
	api := API{Endpoints: []string{"http://127.0.0.1:1", url}, Username: "root", Password: secret.New("rootpw")}
	reach := func(r resource.Resource, want string) {
		t.Helper()
		c, err := r.Diff(t.Context(), h)
		if got := fmt.Sprint(c.Action, " ", c.Reason, " ", c.Attrs); err != nil || got != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", r.Key(), err, got, want)
		}
		if c.Empty() {
			return
		}
		if err := r.Apply(t.Context(), h); err != nil {
			t.Fatalf("%s: %v", r.Key(), err)
		}
		if c, err := r.Diff(t.Context(), h); err != nil || !c.Empty() {
			t.Errorf("%s: after apply %+v, %v", r.Key(), c, err)
		}
	}
	health := Health{API: API{Endpoints: []string{url}}, Name: "etcd-1", Timeout: 20 * time.Second}
	if err := health.Apply(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	reach(health, "  []")
	reach(Auth{API: api}, "change differs [{authentication disabled enabled}]")
	wrong := api
	wrong.Password = secret.New("other")
	if _, err := (Auth{API: wrong}).Diff(t.Context(), h); err == nil || !strings.Contains(err.Error(), "another password than the declared one") {
		t.Errorf("%v", err)
	}
	reach(Auth{API: wrong, Former: []secret.Value{secret.New("rootpw")}}, "change differs [{password of root ****** ****** (new)}]")
	reach(Auth{API: api, Former: []secret.Value{secret.New("other")}}, "change differs [{password of root ****** ****** (new)}]")

	account := Account{API: api, Name: "pg-meta", Secret: secret.New("one"), Prefix: "/pg/pg-meta/"}
	reach(account, "create does not exist [{read and write  /pg/pg-meta/} {role  pg-meta}]")
	account.Secret = secret.New("two")
	reach(account, "change differs [{password ****** ****** (new)}]")
	c, _ := api.Client(os.ReadFile)
	own := c.as("pg-meta", secret.New("two"))
	if err := own.Put(t.Context(), "/pg/pg-meta/leader", []byte("a")); err != nil {
		t.Error(err)
	}
	if err := own.Put(t.Context(), "/pg/other/leader", []byte("a")); !says(err, saysDenied) {
		t.Errorf("writes under another prefix: %v", err)
	}
	if v, ok, err := own.Get(t.Context(), "/pg/pg-meta/leader"); string(v) != "a" || !ok || err != nil {
		t.Errorf("%q %v %v", v, ok, err)
	}
	reach(DeletePrefix{API: api, Prefix: "/pg/pg-meta/"}, "remove declared absent [{keys 1 }]")
	reach(AccountAbsent{API: api, Name: "pg-meta"}, "remove declared absent []")

	// A host that joins, up to its start.
	members, err := c.Members(t.Context())
	if err != nil || len(members) != 1 || members[0].Name != "etcd-1" {
		t.Errorf("%+v, %v", members, err)
	}
	h.Files = noFiles{}
	join := Member{API: api, Name: "etcd-2", PeerURL: "http://127.0.0.1:23802", Timeout: time.Second}
	if c, err := join.Diff(t.Context(), h); err != nil || c.Reason != "joins 1 members" {
		t.Errorf("%+v, %v", c, err)
	}
	self, peers, err := join.add(t.Context(), h, c)
	if err != nil || !self.Learner || self.Name != "" || len(peers) != 2 {
		t.Fatalf("%+v %+v %v", self, peers, err)
	}
	if c, err := join.Diff(t.Context(), h); err != nil || c.Reason != "was added, but has not started" {
		t.Errorf("%+v, %v", c, err)
	}
	third := Member{API: api, Name: "etcd-3", PeerURL: "http://127.0.0.1:23803", Timeout: time.Second}
	if _, _, err := third.add(t.Context(), h, c); err == nil || !strings.Contains(err.Error(), "has not started yet") {
		t.Errorf("%v", err)
	}
	if err := c.Remove(t.Context(), self.ID); err != nil {
		t.Error(err)
	}
	reach(MemberAbsent{API: api, Name: "etcd-9"}, "  []")
}

type noFiles struct{ resource.Files }

func (noFiles) List(string) ([]string, error) { return nil, os.ErrNotExist }

func TestUnreachable(t *testing.T) {
	h := &resource.Host{Units: units{}}
	dead := API{Endpoints: []string{"http://127.0.0.1:1"}, Username: "root"}
	for _, r := range []resource.Resource{Auth{API: dead}, Account{API: dead}, DeletePrefix{API: dead, Prefix: "/pg/x/"}} {
		if c, err := r.Diff(t.Context(), h); err != nil || c.Unknown != after {
			t.Errorf("%s: %+v, %v", r.Key(), c, err)
		}
	}
	for _, r := range []resource.Resource{Member{API: dead}, MemberAbsent{API: dead}} {
		if c, err := r.Diff(t.Context(), h); err != nil || !c.Empty() {
			t.Errorf("%s: %+v, %v", r.Key(), c, err)
		}
	}
	if _, err := (DeletePrefix{API: dead, Prefix: "/"}).Diff(t.Context(), h); err == nil {
		t.Error("deletes everything")
	}
	bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, `{"health":"false","reason":"RAFT NO LEADER"}`)
	}))
	defer bad.Close()
	err := Health{API: API{Endpoints: []string{bad.URL}}, Name: "x", Timeout: 50 * time.Millisecond}.Apply(t.Context(), h)
	if err == nil || !strings.Contains(err.Error(), "RAFT NO LEADER") || !strings.Contains(err.Error(), "etcd[1]: panic") {
		t.Errorf("%v", err)
	}
}

// TestAuthStatusOfOlder checks what stands in for the request that etcd before
// 3.5 does not have. The answers are those of 3.4.23.
func TestAuthStatusOfOlder(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   bool
	}{
		{http.StatusOK, `{"header":{"cluster_id":"1","member_id":"2","revision":"1","raft_term":"2"}}`, false},
		{http.StatusBadRequest, `{"error":"etcdserver: user name is empty","message":"etcdserver: user name is empty","code":3}`, true},
	} {
		old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v3/auth/user/list" {
				http.Error(w, "Not Found", http.StatusNotFound)
				return
			}
			w.WriteHeader(c.status)
			fmt.Fprint(w, c.body)
		}))
		client, err := API{Endpoints: []string{old.URL}, Username: "root"}.Client(os.ReadFile)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := client.AuthEnabled(t.Context()); got != c.want || err != nil {
			t.Errorf("%s: %v, %v", c.body, got, err)
		}
		old.Close()
	}
}

func TestTexts(t *testing.T) {
	for in, want := range map[string]string{"/pg/": "/pg0", "a\xff": "b", "\xff": "\x00"} {
		if got := string(prefixEnd(in)); got != want {
			t.Errorf("prefixEnd(%q) = %q", in, got)
		}
	}
	got := setLine("name: a\ninitial-cluster: a=x\ninitial-cluster-token: t\n", "initial-cluster", "a=x,b=y")
	got = setLine(got, "initial-cluster-state", "existing")
	if want := "name: a\ninitial-cluster: \"a=x,b=y\"\ninitial-cluster-token: t\ninitial-cluster-state: \"existing\"\n"; got != want {
		t.Errorf("%q", got)
	}
	resource.Register(Resources()...)
	var b bytes.Buffer
	var r resource.Resource = Account{API: API{Password: secret.New("p")}, Name: "x"}
	if err := gob.NewEncoder(&b).Encode(&r); err != nil {
		t.Error(err)
	}
}
