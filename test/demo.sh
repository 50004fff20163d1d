#!/usr/bin/env bash
# The demo: four sandbox hosts, deployed from examples/sandbox.yml, and a leader
# that is killed under a client that goes on writing. `demo.sh down` removes it.
set -euo pipefail
cd "$(dirname "$0")/.."
pigsty=$PWD/bin/pigsty
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

if [ "${1:-up}" = down ]; then
  "$pigsty" sandbox down
  rm -rf demo
  exit
fi
[ "$(id -u)" = 0 ] || { echo 'the sandbox needs root: run `sudo make demo`' >&2; exit 1; }
need() { # program package
  command -v "$1" >/dev/null || { say "Installing $1"; apt-get update -qq; apt-get install -y -qq --no-install-recommends "$2" >/dev/null; }
}
need psql postgresql-client
need curl curl

say 'Booting four hosts'
"$pigsty" sandbox up 4

mkdir -p demo
sed "s#/var/lib/pigsty-sandbox#${PIGSTY_SANDBOX_DIR:-/var/lib/pigsty-sandbox}#g" examples/sandbox.yml > demo/pigsty.yml
cd demo
say 'Deploying the infra node, etcd, pg-meta and pg-test'
"$pigsty" deploy
say 'Again: nothing to do'
"$pigsty" deploy

export PGUSER=test PGPASSWORD=Test.Sandbox PGDATABASE=test PGCONNECT_TIMEOUT=2
entry=10.10.10.12
write() { psql -qAtX -h $entry -p 5433 -c "insert into demo(at) values (clock_timestamp()) returning id" 2>/dev/null; }
psql -qX -h $entry -p 5433 -c 'create table if not exists demo(id serial primary key, at timestamptz)'
leader=$("$pigsty" status -l pg-test --json | sed -n 's/.*"host":"\([^"]*\)".*"role":"leader".*/\1/p' | head -1)
say "Killing the leader of pg-test, $leader, under a client that writes through port 5433"
for _ in 1 2 3; do echo "row $(write)"; done
[ "$leader" != "$entry" ] || entry=10.10.10.13
"$pigsty" sandbox stop "$leader"
began=$(date +%s)
until row=$(write); do [ $(($(date +%s) - began)) -lt 120 ] || { echo 'no leader after 120 s' >&2; exit 1; }; sleep 0.5; done
echo "row $row: writes go on after $(($(date +%s) - began)) s"
"$pigsty" sandbox start "$leader"
say 'The old leader comes back as a replica'
for _ in $(seq 60); do
  "$pigsty" status -l pg-test > .status && [ "$(grep -c ' \(running\|streaming\)' .status)" = 3 ] && break
  sleep 1
done
cat .status; rm -f .status

say 'What runs where'
"$pigsty" status
portal=https://10.10.10.10/
say "The portal, $portal, with the deployment's CA: $(curl -s --cacert files/pki/ca/ca.crt "$portal" | sed -n 's#.*<title>\(.*\)</title>.*#\1#p')"
cat <<END
Have your browser trust demo/files/pki/ca/ca.crt, or fetch it from
http://10.10.10.10/ca.crt. From another machine go by way of this one:
  ssh -L 8443:10.10.10.10:443 THIS-MACHINE, then https://localhost:8443/

The cluster is yours. Connect to its primary service through any host:
  PGPASSWORD=Test.Sandbox psql -h 10.10.10.11 -p 5433 -U test test      # read-write, through PgBouncer
  PGPASSWORD=Test.Sandbox psql -h 10.10.10.11 -p 5434 -U test test      # read-only, a replica answers
  bin/pigsty sandbox ssh 10.10.10.11                                    # a shell on a host
Change demo/pigsty.yml, then: cd demo && ../bin/pigsty plan
Remove everything: make demo-down
END
