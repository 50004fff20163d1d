package e2e

import "testing"

// sharded is a coordinator and a worker of one Citus cluster.
const sharded = `
etcd: { hosts: { NET.10: { etcd_seq: 1 } }, vars: { etcd_cluster: etcd } }
pg-citus0: { hosts: { NET.10: { pg_seq: 1, pg_role: primary } }, vars: { pg_cluster: pg-citus0, pg_group: 0 } }
pg-citus1: { hosts: { NET.11: { pg_seq: 1, pg_role: primary } }, vars: { pg_cluster: pg-citus1, pg_group: 1 } }
`

// TestCitus distributes a table over a coordinator and a worker, where hosts can
// have Citus.
func TestCitus(t *testing.T) {
	w := newWorld(t, "10.10.56.0/24", 10, 11)
	const name = "postgresql-17-citus"
	if w.on(t, 10, "apt-cache policy "+name+" 'postgresql-17-citus-*' | grep -c 'Candidate: [0-9]' || true") == "0" {
		t.Skipf("no repository of the hosts has %s: what Patroni is told of Citus is checked by unit and golden tests alone", name)
	}
	w.inventory(t, sharded, "pg_mode: citus", "pg_shard: pg-citus", "patroni_citus_db: meta", "pg_dbsu_password: DBSU.Test",
		"pg_users: [ { name: test, password: Test.Test, pgbouncer: true, roles: [dbrole_admin] } ]",
		"pg_databases: [ { name: meta, owner: test, extensions: [ { name: citus } ] } ]")
	w.must(t, "deploy")
	if got := w.query(t, 10, "meta", "select count(*) from citus_get_active_worker_nodes()"); got != "1" {
		t.Errorf("the coordinator knows of %s workers", got)
	}
	if got := w.query(t, 10, "meta", `create table spread (id int primary key);
select create_distributed_table('spread', 'id') is null;
insert into spread select generate_series(1, 100);
select count(*), count(distinct nodename) from spread, pg_dist_node where groupid > 0`); got != "f\n100|1" {
		t.Errorf("the distributed table has %q", got)
	}
	w.settled(t)
}
