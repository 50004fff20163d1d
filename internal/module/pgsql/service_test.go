package pgsql

import (
	"fmt"
	"strings"
	"testing"

	"pigsty/internal/module"
	"pigsty/internal/module/moduletest"
	"pigsty/internal/plan"
)

const serviceInventory = `
all:
  children:
    etcd: { hosts: { 10.10.10.10: { etcd_seq: 1 } } }
    pg-test:
      hosts:
        10.10.10.11: { pg_seq: 1, pg_role: primary }
        10.10.10.12: { pg_seq: 2, pg_role: replica, pgbouncer_port: 7432 }
        10.10.10.13: { pg_seq: 3, pg_role: offline, pg_weight: 50 }
        10.10.10.14: { pg_seq: 4, pg_role: replica, pg_offline_query: true }
      vars:
        pg_cluster: pg-test
        patroni_ssl_enabled: true
        pg_services:
          - { name: second, port: 5439, selector: '[? pg_seq == %s2%s]', dest: 5999, ip: 10.10.10.2, options: inter 9s, balance: leastconn }
`

// TestServices checks who serves the default services of a four-member cluster.
func TestServices(t *testing.T) {
	s := newSite(t, "services.yml", fmt.Sprintf(serviceInventory, "`", "`"), nil)
	if problems := Check(s); len(problems) > 0 {
		t.Fatal(problems)
	}
	c := Clusters(s)[0]
	want := map[string]string{
		"primary": "1:6432 2:7432 3:6432 4:6432",
		"replica": "1:6432:backup 2:7432 3:6432:backup 4:6432",
		"default": "1:5432 2:5432 3:5432 4:5432",
		"offline": "3:5432 4:5432 2:5432:backup",
		"second":  "2:5999",
	}
	var rendered strings.Builder
	for _, v := range c.Params.services() {
		r, err := c.resolve(v)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range r.Endpoints {
			word := fmt.Sprintf("%d:%d", *e.Member.Params.PgSeq, e.Port)
			if e.Backup {
				word += ":backup"
			}
			got = append(got, word)
		}
		if text := strings.Join(got, " "); text != want[v.Name] {
			t.Errorf("%s: %s, want %s", v.Name, text, want[v.Name])
		}
		file, err := c.serviceFile(c.Params, v, certDir+"/ca.crt", false)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&rendered, "-- %s --\n%s", v.Name, file)
	}
	moduletest.Golden(t, "services.txt", rendered.String())
}

// TestServicesWithoutPatroni goes by the inventory's roles, and asks the servers
// themselves whether they are there.
func TestServicesWithoutPatroni(t *testing.T) {
	inventory := fmt.Sprintf(serviceInventory, "`", "`") + "        patroni_mode: remove\n"
	c := Clusters(newSite(t, "services.yml", inventory, nil))[0]
	want := map[string]string{
		"primary": "1", "replica": "1 2 3 4", "default": "1", "offline": "3 4 2", "second": "",
	}
	for _, v := range c.Params.services() {
		file, err := c.serviceFile(c.Params, v, certDir+"/ca.crt", true)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(string(file)) {
			if name, rest, ok := strings.Cut(strings.TrimSpace(line), " 10.10.10.1"); ok {
				got = append(got, strings.TrimPrefix(name, "server pg-test-"))
				if !strings.Contains(rest, " check port 5432 ") {
					t.Errorf("%s: %s", v.Name, line)
				}
			}
		}
		if text := strings.Join(got, " "); text != want[v.Name] {
			t.Errorf("%s: %q, want %q", v.Name, text, want[v.Name])
		}
		if strings.Contains(string(file), "http") {
			t.Errorf("%s asks Patroni:\n%s", v.Name, file)
		}
	}
}

const providerInventory = `
all:
  children:
    proxy: { hosts: { 10.10.10.10: {}, 10.10.10.12: {} } }
    pg-test:
      hosts:
        10.10.10.11: { pg_seq: 1, pg_role: primary }
        10.10.10.12: { pg_seq: 2, pg_role: replica }
      vars: { pg_cluster: pg-test, pg_service_provider: proxy, pg_default_services: [ { name: primary, port: 5433, check: /primary, selector: '[]' } ] }
`

// TestServiceProvider has other hosts publish a cluster's services, of which one
// is a member: what a run about the cluster does on those that it covers, and what
// it brings along for those that it does not.
func TestServiceProvider(t *testing.T) {
	s := newSite(t, "provider.yml", providerInventory, nil)
	s.Modules = []module.Module{Module()}
	members := []*module.Host{s.Host("10.10.10.11"), s.Host("10.10.10.12")}
	var out strings.Builder
	show := func(name string, hosts []*module.Host, own bool) {
		for _, p := range s.Modules[0].Plays {
			if p.Name != name {
				continue
			}
			if own {
				fmt.Fprintf(&out, "== %s on %v\n%s", name, hosts, moduletest.Steps(tagged(p.Steps(s, hosts), "pg_service")))
			}
			fmt.Fprintf(&out, "== %s on %v brings along\n%s", name, hosts, moduletest.Steps(s.Registration(&p, hosts)))
		}
	}
	show("pgsql-svc", members, true)
	show("pgsql", members, false)
	show("pgsql-db", members, false)
	show("pgsql-rm", members, true)
	show("pgsql-rm", members[1:], true)
	show("pgsql-svc", s.Hosts(), false)
	moduletest.Golden(t, "provider.steps", out.String())

	var written []string
	for _, step := range s.Registration(&module.Play{Name: "pgsql-svc", Tags: []string{"pg_service"}, Registration: module.Registers}, members) {
		written = append(written, files([]*plan.Step{step}))
	}
	if text := strings.Join(written, ""); !strings.Contains(text, "server pg-test-1 10.10.10.11:6432 check port 8008") {
		t.Errorf("the file of a provider:\n%s", text)
	}
}
