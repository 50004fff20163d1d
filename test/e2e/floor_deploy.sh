#!/usr/bin/env bash
# The least that must happen to give one bare host everything, in plain shell: the
# packages in one transaction out of the repository at /www/pigsty, their services with
# what they bring as configuration, etcd, and PostgreSQL as floor.sh makes it, with its
# first backup. Usage: floor_deploy.sh SSH_CONFIG HOST PACKAGE…
set -euo pipefail
config=$1 host=$2; shift 2
ssh -q -F "$config" "$host" bash -s -- "$host" "$@" <<'END'
set -euo pipefail
host=$1; shift
mv /etc/apt/sources.list /root/
echo 'deb [signed-by=/www/pigsty/pigsty.asc] file:///www/pigsty ./' > /etc/apt/sources.list.d/local.list
apt-get update -q > /dev/null
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d
install -d /etc/postgresql-common; echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf
DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" > /dev/null
rm /usr/sbin/policy-rc.d
for unit in nginx dnsmasq victoria-metrics prometheus-alertmanager prometheus-blackbox-exporter prometheus-nginx-exporter prometheus-node-exporter; do
  [ ! -e /usr/lib/systemd/system/$unit.service ] || systemctl start $unit
done
systemd-run -q --unit floor-etcd etcd --data-dir /floor-etcd --listen-client-urls "http://$host:2379" --advertise-client-urls "http://$host:2379"
until curl -sf "http://$host:2379/health" > /dev/null; do sleep 0.1; done
END
FLOOR_DIR=/floor FLOOR_BACKUP=yes "$(dirname "$0")/floor.sh" "$config" "$host" "$host"
