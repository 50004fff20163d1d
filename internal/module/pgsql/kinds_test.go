package pgsql

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pigsty/internal/diag"
	"pigsty/internal/module/moduletest"
	"pigsty/internal/resource"
)

// TestCitusFiles pins what makes two clusters parts of a sharded one, and
// vip-manager, which its pg_packages name.
func TestCitusFiles(t *testing.T) {
	s := siteOf(t, "citus.yml", machine)
	steps := deploy(s, s.Hosts())
	var b strings.Builder
	for _, want := range []string{"10.10.10.10 /pg/conf/pg-citus0-1.yml", "10.10.10.12 /pg/conf/pg-citus1-2.yml", "10.10.10.13 /pg/conf/pg-citus1-3.yml",
		"10.10.10.10 /var/lib/pgsql/.pgpass", "10.10.10.10 /etc/default/vip-manager.yml", "10.10.10.10 /etc/systemd/system/vip-manager.service"} {
		found := false
		for _, step := range steps {
			if f, ok := step.Resource.(*resource.File); ok && step.Host+" "+f.Path == want {
				fmt.Fprintf(&b, "-- %s\n%s", want, f.Content())
				found = true
			}
		}
		if !found {
			t.Errorf("no %s", want)
		}
	}
	moduletest.Golden(t, "citus.files", b.String())
}

// two is a cluster a of three members and a cluster b that stands by for it.
const two = `
all:
  children:
    a:
      hosts:
        10.0.0.1: { pg_seq: 1, pg_role: primary }
        10.0.0.2: { pg_seq: 2, pg_role: %s }
        10.0.0.3: { pg_seq: 3, pg_role: offline }
      vars: { pg_cluster: a%s }
    b:
      hosts: { 10.0.0.4: { pg_seq: 1, pg_role: primary%s } }
      vars: { pg_cluster: b }
`

func TestSource(t *testing.T) {
	for _, c := range []struct{ role, a, b, host, port, delay string }{
		{"replica", "", ", pg_upstream: 10.0.0.2", "10.0.0.2,10.0.0.1", "5432", ""},
		{"replica", ", pg_port: 5555", ", pg_upstream: 10.0.0.1, pg_delay: 1h", "10.0.0.1,10.0.0.2", "5555", "1h"},
		{"delayed", "", ", pg_upstream: 10.0.0.1, pg_delay: 0s", "10.0.0.1", "5432", "0s"},
		{"replica", ", pg_vip_enabled: true, pg_vip_address: 10.0.0.9/24", ", pg_upstream: 10.0.0.9", "10.0.0.9,10.0.0.1,10.0.0.2", "5432", ""},
		{"replica", "", ", pg_upstream: 192.0.2.1, pg_port: 5433", "192.0.2.1", "5433", ""},
	} {
		s := newSite(t, "x.yml", fmt.Sprintf(two, c.role, c.a, c.b), nil)
		got := Clusters(s)[1].source().plain()
		if got["host"] != c.host || fmt.Sprint(got["port"]) != c.port {
			t.Errorf("%s%s: %v", c.a, c.b, got)
		}
		if delay, _ := got["recovery_min_apply_delay"].(string); delay != c.delay && c.delay != "0s" {
			t.Errorf("%s: delay %q", c.b, delay)
		}
	}
}

// TestStandbyParameters checks that a cluster which stands by for another has no
// less than it of what its servers could not run with.
func TestStandbyParameters(t *testing.T) {
	for _, c := range []struct{ a, b, connections, locks, senders string }{
		{", pg_conf: tiny.yml", ", pg_upstream: 10.0.0.1", "500", "500", "50"},
		{", pg_max_conn: 800, pg_libs: timescaledb", ", pg_upstream: 10.0.0.2", "800", "1600", "50"},
		{", pg_parameters: { max_wal_senders: 70 }", ", pg_upstream: 10.0.0.1, pg_max_conn: 900", "900", "900", "70"},
		{", pg_max_conn: 800", "", "500", "500", "50"},
	} {
		s := newSite(t, "x.yml", fmt.Sprintf(two, "replica", c.a, c.b), nil)
		got := clusterParameters(Clusters(s)[1].first()).plain()
		for name, want := range map[string]string{"max_connections": c.connections, "max_locks_per_transaction": c.locks, "max_wal_senders": c.senders} {
			if fmt.Sprint(got[name]) != want {
				t.Errorf("a%s, b%s: %s is %v, not %s", c.a, c.b, name, got[name], want)
			}
		}
	}
}

// TestSynchronous checks who may confirm commits, and when any do.
func TestSynchronous(t *testing.T) {
	for _, c := range []struct {
		role, vars string
		mode       bool
		nosync     []bool
	}{
		{"replica", "", false, []bool{false, false, true}},
		{"standby", "", true, []bool{false, false, true}},
		{"replica", ", pg_rpo: 0", true, []bool{false, false, true}},
		{"delayed", ", pg_conf: crit.yml", true, []bool{false, true, true}},
	} {
		s := newSite(t, "x.yml", fmt.Sprintf(two, c.role, c.vars, ""), nil)
		a := Clusters(s)[0]
		if got := dynamicConfig(a.Members[0]).plain()["synchronous_mode"]; got != c.mode {
			t.Errorf("%+v: synchronous_mode is %v", c, got)
		}
		var nosync []bool
		for _, m := range a.Members {
			nosync = append(nosync, m.patroniTags().plain()["nosync"].(bool))
		}
		if !slices.Equal(nosync, c.nosync) {
			t.Errorf("%+v: nosync %v", c, nosync)
		}
	}
	s := newSite(t, "x.yml", strings.Replace(fmt.Sprintf(two, "standby", "", ""), "offline", "replica", 1), nil)
	if plain := Clusters(s)[0].Members[2]; plain.synchronous() {
		t.Error("a plain replica confirms commits beside a designated one")
	}
}

func TestRouterID(t *testing.T) {
	text := fmt.Sprintf(two, "replica", "", "")
	s := newSite(t, "x.yml", text, nil)
	id, other := Clusters(s)[0].routerID(s), Clusters(s)[1].routerID(s)
	if id < 1 || id > 254 || other == id {
		t.Fatalf("ids %d and %d", id, other)
	}
	s = newSite(t, "x.yml", strings.Replace(text, "pg_cluster: a", fmt.Sprintf("pg_cluster: a, vip_vrid: %d", id), 1), nil)
	if got := Clusters(s)[0].routerID(s); got == id {
		t.Errorf("id %d is the node's", got)
	}
}

func TestTemplate(t *testing.T) {
	for _, c := range []struct{ text, kind, problem string }{
		{"base: olap\npostgresql: { parameters: { work_mem: 64MB, jit: null } }\nsynchronous_mode: quorum\n", "olap", ""},
		{"ttl: 30\n", "oltp", ""},
		{"base: fast\n", "oltp", "its base is fast"},
		{"parameters: {}\n", "oltp", "it has the key parameters"},
		{"syncronous_mode: true\n", "oltp", "did you mean synchronous_mode?"},
		{"postgresql: { parameters: [] }\n", "oltp", "is no mapping"},
		{"ttl: {{ pg_ttl }}\n", "oltp", "it has {{ or {%"},
		{"a: [\n", "oltp", "yaml"},
	} {
		s := newSite(t, "x.yml", fmt.Sprintf(two, "replica", ", pg_conf: own.yml", ""), nil)
		s.Dir = t.TempDir()
		if err := os.WriteFile(filepath.Join(s.Dir, "own.yml"), []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		tpl, err := readTemplate(s, "own.yml")
		if (err == nil) != (c.problem == "") || err != nil && !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%q: %v", c.text, err)
		}
		if tpl.Kind != c.kind {
			t.Errorf("%q: kind %s", c.text, tpl.Kind)
		}
		if c.kind == "olap" {
			config := dynamicConfig(Clusters(s)[0].Members[0]).plain()
			parameters := config["postgresql"].(map[string]any)["parameters"].(map[string]any)
			if _, has := parameters["jit"]; has || parameters["work_mem"] != "64MB" || parameters["enable_partitionwise_join"] != "on" || config["synchronous_mode"] != "quorum" {
				t.Errorf("%v", config)
			}
		}
	}
}

// TestFilesBeside checks what is said of files that the inventory names.
func TestFilesBeside(t *testing.T) {
	s := newSite(t, "x.yml", fmt.Sprintf(two, "replica", ", pg_files: [postgresql.conf, none.txt], pg_databases: [ { name: d, baseline: no.sql } ]", ""), nil)
	s.Dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(s.Dir, "postgresql.conf"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var l diag.List
	Clusters(s)[0].checkFiles(s, &l)
	var got []string
	for _, d := range l {
		got = append(got, d.Code)
	}
	if want := []string{"reserved-name", "unreadable-file", "unreadable-file"}; !slices.Equal(got, want) {
		t.Errorf("%v: %v", got, l)
	}
}

// TestKernels checks which programs a pg_mode leads to, and which it cannot.
func TestKernels(t *testing.T) {
	for _, c := range []struct{ vars, home, packages, code string }{
		{"", "/usr/lib/postgresql/18", "pgsql-main pgsql-common", ""},
		{", pg_mode: mssql, pg_version: 17", "/usr/babelfish-17", "babelfish pgsql-common", ""},
		{", pg_mode: agens", "", "agensgraph pgsql-common", "missing-field"},
		{", pg_mode: agens, pg_bin_dir: /opt/agens/bin, pg_packages: [mine]", "", "mine", ""},
		{", pg_mode: gpsql", "/usr/lib/postgresql/18", "pgsql-main pgsql-common", "not-supported"},
	} {
		s := newSite(t, "x.yml", fmt.Sprintf(two, "replica", c.vars, ""), map[string]resource.Facts{"10.0.0.1": machine})
		a := Clusters(s)[0]
		m := a.Members[0]
		if got := strings.Join(m.packages(), " "); m.programHome() != c.home || got != c.packages {
			t.Errorf("%s: %q, %q", c.vars, m.programHome(), got)
		}
		var l diag.List
		a.checkMode(&l)
		if len(l) > 0 != (c.code != "") || len(l) > 0 && l[0].Code != c.code {
			t.Errorf("%s: %v", c.vars, l)
		}
	}
}
