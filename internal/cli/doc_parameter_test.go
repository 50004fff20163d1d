package cli

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pigsty/internal/diag"
	"pigsty/internal/inventory"
	"pigsty/internal/module"
	"pigsty/internal/module/list"
)

func testSample(t *testing.T) (s *sample, out *bytes.Buffer) {
	t.Helper()
	out = &bytes.Buffer{}
	a := &app{out: out, err: out, modules: list.All()}
	return a.newSample(a.catalogue()), out
}

// TestSample checks that the sample is an inventory without a mistake.
func TestSample(t *testing.T) {
	s, _ := testSample(t)
	for _, d := range append(s.site.Inventory.Check(), module.Check(s.site, s.app.modules)...) {
		if d.Severity == diag.Error || d.Severity == diag.Warning && d.Code != "published-password" {
			t.Error(d.Message)
		}
	}
	if again := s.compile(s.site, true); !reflect.DeepEqual(again, s.plain(true)) {
		t.Error("the sample compiled again has other steps")
	}
}

// TestDocEveryParameter explains every parameter: its example can be written
// into the sample, and whatever it does there, the result compiles.
func TestDocEveryParameter(t *testing.T) {
	t.Parallel()
	s, out := testSample(t)
	nothing := map[string][]string{}
	for _, p := range s.catalogue.All() {
		set := s.setting(p)
		_, problems := inventory.Load(inventory.Source{Name: "sample", Data: sampleText}, inventory.Source{Name: "example", Data: []byte(set)})
		if problems.HasErrors() {
			t.Errorf("%s\n%v", set, problems)
		}
		out.Reset()
		if err := s.explain(p); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		if strings.Contains(out.String(), "no file or object") {
			nothing[p.Group] = append(nothing[p.Group], p.Name)
		}
	}
	for _, group := range []string{"PG_BUSINESS", "PG_BACKUP", "PG_ACCESS", "NODE_TUNE", "ETCD", "DNS"} {
		all := 0
		for _, p := range s.catalogue.All() {
			if p.Group == group {
				all++
			}
		}
		if all == 0 || len(nothing[group])*2 > all {
			t.Errorf("of the %d parameters of %s, %q have no effect", all, group, nothing[group])
		}
	}
}

// TestDocEffects checks what parameters are known to do.
func TestDocEffects(t *testing.T) {
	s, out := testSample(t)
	s.app.json = true
	for _, test := range []struct {
		name, kind, effect, where, needs string
		reloads, restarts                []string
	}{
		{"pg_max_conn", "configuration", "Patroni's postgresql.parameters.max_connections", "leader of the cluster", "", []string{"patroni.service"}, []string{"PostgreSQL"}},
		{"haproxy_client_timeout", "file", "/etc/haproxy/haproxy.cfg", "every node", "", []string{"haproxy.service"}, []string{}},
		{"pg_hba_rules", "file", "/pg/conf/INSTANCE.yml", "PostgreSQL nodes", "", []string{"PostgreSQL", "patroni.service"}, []string{}},
		{"pg_users", "object", "role app", "leader of the cluster", "", []string{}, []string{}},
		{"node_sysctl_params", "object", "sysctl fs.nr_open", "every node", "", []string{}, []string{}},
		{"etcd_election_timeout", "file", "/etc/etcd/etcd.conf", "etcd nodes", "", []string{}, []string{"etcd.service"}},
		{"node_packages", "packages", "package example", "every node", "", []string{}, []string{}},
		{"pg_vip_address", "file", "", "PostgreSQL nodes", "pg_vip_enabled", nil, nil},
	} {
		p, _ := s.catalogue.Lookup(test.name)
		out.Reset()
		if err := s.explain(p); err != nil {
			t.Fatal(err)
		}
		_, second, _ := strings.Cut(out.String(), "\n") // the first record is the version
		var r parameterRecord
		if err := json.Unmarshal([]byte(second), &r); err != nil {
			t.Fatal(err)
		}
		found := false
		for _, e := range r.Effects {
			found = found || e.Kind == test.kind && (test.effect == "" || e.Name == test.effect) && e.Where == test.where
		}
		if !found || r.Needs != test.needs {
			t.Errorf("%s has the effects %+v (needs %q)", test.name, r.Effects, r.Needs)
		}
		if test.reloads != nil && (!reflect.DeepEqual(r.Reloads, test.reloads) || !reflect.DeepEqual(r.Restarts, test.restarts)) {
			t.Errorf("%s reloads %q and restarts %q", test.name, r.Reloads, r.Restarts)
		}
	}
}
