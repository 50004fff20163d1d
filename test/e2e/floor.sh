#!/usr/bin/env bash
# The least that must happen for a three-node cluster, in plain shell: Patroni's
# bootstrap, two base backups, PgBouncer and HAProxy, with packages installed
# and etcd up. The servers get the memory that pigsty would give them. Usage:
# FLOOR_ETCD=(password of root) FLOOR_DIR=/floor floor.sh SSH_CONFIG ETCD LEADER REPLICA REPLICA
set -euo pipefail
config=$1 etcd=$2 dir=$FLOOR_DIR; shift 2
on() { local h=$1; shift; ssh -n -q -F "$config" "$h" "$@"; }
began=$(date +%s%N)
since() { echo "$1 $(( ($(date +%s%N) - began) / 1000000 )) ms"; }

setup() {
  ssh -q -F "$config" "$1" bash -s <<END
install -d -o postgres -g postgres -m 700 $dir $dir/etc
cat > $dir/etc/patroni.yml <<Y
scope: floor
namespace: $dir/
name: $2
etcd3: { hosts: '$etcd:2379', protocol: https, cacert: /etc/pki/ca.crt, username: root, password: $FLOOR_ETCD }
restapi: { listen: '$1:8008', connect_address: '$1:8008' }
bootstrap:
  dcs: { ttl: 20, loop_wait: 5, retry_timeout: 5, postgresql: { use_pg_rewind: true, parameters: { wal_level: logical, max_connections: 250, max_locks_per_transaction: 250, shared_buffers: \$(awk '/MemTotal/{print int(\$2/4096)}' /proc/meminfo)MB, shared_preload_libraries: 'pg_stat_statements, auto_explain' } } }
  initdb: [ encoding: UTF8, locale: C, data-checksums ]
postgresql:
  listen: 0.0.0.0:5432
  connect_address: $1:5432
  data_dir: $dir/data
  bin_dir: \$(ls -d /usr/lib/postgresql/*/bin)
  pg_hba: [ 'local all all trust', 'host all all 0.0.0.0/0 trust', 'host replication all 0.0.0.0/0 trust' ]
  authentication: { superuser: { username: postgres }, replication: { username: replicator, password: r } }
  create_replica_methods: [ basebackup ]
  basebackup: [ checkpoint: fast ]
Y
sed -i "s#bin_dir: .*#bin_dir: \$(ls -d /usr/lib/postgresql/*/bin)#" $dir/etc/patroni.yml
cat > $dir/etc/pgbouncer.ini <<Y
[databases]
* = host=/tmp
[pgbouncer]
listen_addr = 0.0.0.0
listen_port = 6432
auth_type = any
logfile = $dir/pgbouncer.log
pidfile = $dir/pgbouncer.pid
Y
cat > $dir/etc/haproxy.cfg <<Y
defaults
  mode tcp
  timeout connect 3s
  timeout client 24h
  timeout server 24h
listen primary
  bind *:5433
  option httpchk OPTIONS /primary
  server a $3:6432 check port 8008
  server b $4:6432 check port 8008
  server c $5:6432 check port 8008
Y
chown -R postgres $dir
systemd-run -q --unit floor-pgbouncer -p User=postgres /usr/sbin/pgbouncer $dir/etc/pgbouncer.ini
systemd-run -q --unit floor-haproxy haproxy -W -f $dir/etc/haproxy.cfg
END
}
start() { on "$1" systemd-run -q --unit floor-patroni -p User=postgres -p KillMode=process patroni $dir/etc/patroni.yml; }
answers() { until [ "$(curl -s -o /dev/null -w '%{http_code}' "http://$1:8008/$2")" = 200 ]; do sleep 0.1; done; }

n=0; for h in "$@"; do n=$((n + 1)); setup "$h" "floor-$n" "$@" & done; wait
start "$1"; answers "$1" primary; since leader
shift
for h in "$@"; do { start "$h"; answers "$h" replica; } & done; wait
since cluster
