package pgsql

import "testing"

// TestEtcdPassword follows from root's password and the cluster's name, unless
// the inventory has another.
func TestEtcdPassword(t *testing.T) {
	password := func(root, vars string) string {
		s := newSite(t, "x.yml", "{all: {children: {etcd: {hosts: {10.0.0.9: {etcd_seq: 1}}, vars: {etcd_root_password: "+root+"}}, a: {hosts: {10.0.0.1: {pg_seq: 1, pg_role: primary}}, vars: {"+vars+"}}}}}", nil)
		return Clusters(s)[0].first().etcdPassword().Reveal()
	}
	a := password("one", "pg_cluster: a")
	if len(a) != 64 || a != password("one", "pg_cluster: a") {
		t.Errorf("%s", a)
	}
	if a == password("two", "pg_cluster: a") || a == password("one", "pg_cluster: b") {
		t.Error("it does not depend on root's password, or on the cluster's name")
	}
	if got := password("one", "pg_cluster: a, pg_etcd_password: own"); got != "own" {
		t.Errorf("pg_etcd_password: own makes it %s", got)
	}
	if password("one", "pg_cluster: a1, pg_mode: citus, pg_group: 0, pg_shard: a") != a {
		t.Error("the parts of a Citus cluster share an account, and not its password")
	}
}
