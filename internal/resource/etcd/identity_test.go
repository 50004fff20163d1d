package etcd

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

// TestIdentity has etcd expect the database cluster that a restore brought.
func TestIdentity(t *testing.T) {
	keys := map[string]string{"/pg/pg-test/initialize": "7000000000000000001"}
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Key, Value string }
		_ = json.NewDecoder(r.Body).Decode(&in)
		key, _ := base64.StdEncoding.DecodeString(in.Key)
		switch r.URL.Path {
		case "/v3/kv/range":
			if value, ok := keys[string(key)]; ok {
				fmt.Fprintf(w, `{"kvs":[{"value":%q}]}`, base64.StdEncoding.EncodeToString([]byte(value)))
				return
			}
		case "/v3/kv/put":
			value, _ := base64.StdEncoding.DecodeString(in.Value)
			keys[string(key)] = string(value)
		}
		fmt.Fprint(w, "{}")
	}))
	defer gateway.Close()
	fake := resourcetest.New()
	h := fake.Host
	i := Identity{API: API{Endpoints: []string{gateway.URL}}, Prefix: "/pg/pg-test/", Data: "/pg/data", Bin: "/usr/pgsql/bin", User: "postgres", After: []string{"restore pg-test"}}
	diff := func(want string) {
		t.Helper()
		c, err := i.Diff(t.Context(), h)
		if got := fmt.Sprint(c.Action, c.Unknown, c.Attrs); err != nil || got != want {
			t.Errorf("%v, %s; want %s", err, got, want)
		}
	}
	diff("after there is a database cluster in /pg/data[]")
	if err := h.Files.Mkdir("/pg/data/global", 0o700, resource.Owner{}); err != nil {
		t.Fatal(err)
	}
	if err := h.Files.Write("/pg/data/global/pg_control", nil, 0o600, resource.Owner{}); err != nil {
		t.Fatal(err)
	}
	fake.Shell.Answer = func(c resource.Command) ([]byte, error) {
		if got := fmt.Sprint(c.User, c.Args); got != "postgres[/usr/pgsql/bin/pg_controldata /pg/data]" {
			t.Errorf("ran %s", got)
		}
		return []byte("pg_control version number:            1700\nDatabase system identifier:           7000000000000000002\n"), nil
	}
	for _, there := range []bool{true, false} {
		old := "7000000000000000001"
		if !there {
			old = ""
			delete(keys, "/pg/pg-test/initialize")
		}
		diff("change[{system identifier " + old + " 7000000000000000002}]")
		if err := i.Apply(t.Context(), h); err != nil || keys["/pg/pg-test/initialize"] != "7000000000000000002" {
			t.Errorf("%v, %v", err, keys)
		}
		diff("[]")
	}
	h.SetPending("restore pg-test", resource.Change{Action: resource.Run})
	diff("after restore pg-test[]")
	gateway.Close()
	h.SetPending("restore pg-test", resource.Change{})
	diff(after + "[]")
}
