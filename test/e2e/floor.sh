#!/usr/bin/env bash
# The least that must happen for a cluster, in plain shell: Patroni's bootstrap, a
# base backup for each replica, PgBouncer and HAProxy, with packages installed and
# etcd up, and with FLOOR_BACKUP the first backup, by pgBackRest. The servers get
# the memory that pigsty would give them. Usage:
# FLOOR_DIR=/floor [FLOOR_ETCD=(password of root)] [FLOOR_BACKUP=yes] floor.sh SSH_CONFIG ETCD LEADER REPLICA…
# Without a password etcd is asked without TLS too.
set -euo pipefail
config=$1 etcd=$2 dir=$FLOOR_DIR; shift 2
on() { local h=$1; shift; ssh -n -q -F "$config" "$h" "$@"; }
access="protocol: http"
[ -z "${FLOOR_ETCD:-}" ] || access="protocol: https, cacert: /etc/pki/ca.crt, username: root, password: $FLOOR_ETCD"
archive=
[ -z "${FLOOR_BACKUP:-}" ] || archive=", archive_mode: 'on', archive_command: 'pgbackrest --config=$dir/etc/pgbackrest.conf --stanza=floor archive-push %p'"
began=$(date +%s%N)
since() { echo "$1 $(( ($(date +%s%N) - began) / 1000000 )) ms"; }

setup() {
  ssh -q -F "$config" "$1" bash -s <<END
install -d -o postgres -g postgres -m 700 $dir $dir/etc
cat > $dir/etc/patroni.yml <<Y
scope: floor
namespace: $dir/
name: $2
etcd3: { hosts: '$etcd:2379', $access }
restapi: { listen: '$1:8008', connect_address: '$1:8008' }
bootstrap:
  dcs: { ttl: 20, loop_wait: 5, retry_timeout: 5, postgresql: { use_pg_rewind: true, parameters: { wal_level: logical, max_connections: 250, max_locks_per_transaction: 250, shared_buffers: \$(awk '/MemTotal/{print int(\$2/4096)}' /proc/meminfo)MB, shared_preload_libraries: 'pg_stat_statements, auto_explain'$archive } } }
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
* = host=/var/run/postgresql
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
$(for m in "${@:3}"; do echo "  server $m $m:6432 check port 8008"; done)
Y
cat > $dir/etc/pgbackrest.conf <<Y
[global]
repo1-path=$dir/backup
log-path=$dir
lock-path=$dir
start-fast=y
compress-type=lz4
[floor]
pg1-path=$dir/data
pg1-socket-path=/var/run/postgresql
pg1-user=postgres
Y
chown -R postgres $dir
systemd-run -q --unit floor-pgbouncer -p User=postgres /usr/sbin/pgbouncer $dir/etc/pgbouncer.ini
systemd-run -q --unit floor-haproxy haproxy -W -f $dir/etc/haproxy.cfg
END
}
start() { on "$1" systemd-run -q --unit floor-patroni -p User=postgres -p KillMode=process patroni $dir/etc/patroni.yml; }
answers() { until [ "$(curl -s -o /dev/null -w '%{http_code}' "http://$1:8008/$2")" = 200 ]; do sleep 0.1; done; }

leader=$1
n=0; for h in "$@"; do n=$((n + 1)); setup "$h" "floor-$n" "$@" & done; wait
start "$1"; answers "$1" primary; since leader
shift
for h in "$@"; do { start "$h"; answers "$h" replica; } & done; wait
since cluster
[ -n "${FLOOR_BACKUP:-}" ] || exit 0
rest="sudo -u postgres pgbackrest --config=$dir/etc/pgbackrest.conf --stanza=floor"
on "$leader" "$rest stanza-create && $rest backup"
since backup
