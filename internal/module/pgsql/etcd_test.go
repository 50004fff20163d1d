package pgsql

import (
	"slices"
	"strings"
	"testing"

	"pigsty/internal/module"
	"pigsty/internal/module/etcd"
	"pigsty/internal/module/moduletest"
	"pigsty/internal/resource"
)

// TestEtcdName: Patroni's configuration has a name beside the members' addresses,
// which /etc/hosts leads to all of them and their certificates are for, unless the
// inventory wants no records there.
func TestEtcdName(t *testing.T) {
	site := func(members, vars string) *module.Site {
		return newSite(t, "x.yml", "{all: {children: {etcd: {hosts: {"+members+"}, vars: {etcd_cluster: dcs, etcd_port: 12379}}, "+
			"a: {hosts: {10.0.0.1: {pg_seq: 1, pg_role: primary}}, vars: {pg_cluster: a"+vars+"}}}}}", nil)
	}
	const one, three = "10.0.0.9: {etcd_seq: 1}", "10.0.0.9: {etcd_seq: 1}, 10.0.0.8: {etcd_seq: 2}, 10.0.0.7: {etcd_seq: 3}"
	for _, tt := range []struct {
		members, vars string
		hosts, lines  string
	}{
		{one, "", "10.0.0.9:12379 dcs.pigsty:12379", "10.0.0.9 dcs.pigsty"},
		{three, "", "10.0.0.7:12379 10.0.0.8:12379 10.0.0.9:12379 dcs.pigsty:12379", "10.0.0.7 dcs.pigsty, 10.0.0.8 dcs.pigsty, 10.0.0.9 dcs.pigsty"},
		{three, ", node_write_etc_hosts: false", "10.0.0.7:12379 10.0.0.8:12379 10.0.0.9:12379", ""},
		{"", "", "", ""},
	} {
		s := site(tt.members, tt.vars)
		m := Clusters(s)[0].first()
		if got := strings.Join(m.etcdHosts(), " "); got != tt.hosts {
			t.Errorf("%s%s: Patroni asks %s", tt.members, tt.vars, got)
		}
		if got := strings.Join(m.etcdLines().Lines, ", "); got != tt.lines {
			t.Errorf("%s%s: /etc/hosts has %s", tt.members, tt.vars, got)
		}
	}
	s := site(three, "")
	certs := 0
	for _, step := range moduletest.Arrange(t, etcd.Module().Plays[0], s, s.Hosts()).Steps {
		if c, ok := step.Resource.(*resource.Cert); ok {
			certs++
			if !slices.Contains(c.DNSNames, "dcs.pigsty") {
				t.Errorf("%s of %s is for %v", c.CertPath, step.Host, c.DNSNames)
			}
		}
	}
	if certs != 3 {
		t.Errorf("%d members have certificates, want 3", certs)
	}
}
