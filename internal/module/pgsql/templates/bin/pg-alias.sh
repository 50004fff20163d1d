# shellcheck shell=sh
# Short commands for people who look after PostgreSQL on this host. The units are
# stopped and started by way of sudo, which the superuser may.

pg_as_dbsu() {
	if [ "$(id -un)" = "$PIGSTY_DBSU" ]; then "$@"; else sudo -iu "$PIGSTY_DBSU" "$@"; fi
}

# pg: Patroni's patronictl. pb: pgBackRest on this host's stanza.
pg() { pg_as_dbsu patronictl -c /etc/patroni/patroni.yml "$@"; }
pb() { pg_as_dbsu pgbackrest --stanza="$PIGSTY_STANZA" "$@"; }

alias pt-up='sudo systemctl start patroni'
alias pt-dw='sudo systemctl stop patroni'
alias pt-st='systemctl status patroni'
alias pt-start='sudo systemctl start patroni'
alias pt-stop='sudo systemctl stop patroni'
alias pt-restart='sudo systemctl restart patroni'
alias pt-reload='sudo systemctl reload patroni'
alias pt-log='tail -f "$PIGSTY_PATRONI_LOG/patroni.log"'

alias pg-up='sudo systemctl start patroni'
alias pg-dw='sudo systemctl stop patroni'
alias pg-start='sudo systemctl start patroni'
alias pg-stop='sudo systemctl stop patroni'
alias pg-restart='sudo systemctl restart patroni'
alias pg-rc='sudo systemctl reload patroni'
alias pg-rb='sudo systemctl restart patroni'
alias pg-st='systemctl status patroni'
alias pg-reload='pg_as_dbsu pg_ctl -D "$PGDATA" reload'
alias pg-ps='ps -u "$PIGSTY_DBSU" -o pid,etime,time,args --sort start_time'
alias pg-s='pg_as_dbsu psql'
alias pg-d='cd "$PGDATA"'
alias pg-c='cd /pg/conf'
alias pg-cf='less "$PGDATA/postgresql.conf"'
alias pg-h='less "$PGDATA/pg_hba.conf"'
alias pg-r='pg_as_dbsu /pg/bin/pg-role'
alias pg-db='pg_as_dbsu psql -X -c "SELECT datname, pg_size_pretty(pg_database_size(oid)) AS size FROM pg_database ORDER BY pg_database_size(oid) DESC"'
alias pg-repl='pg_as_dbsu psql -X -x -c "SELECT application_name, client_addr, state, sync_state, pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) AS behind FROM pg_stat_replication"'
alias pg-recv='pg_as_dbsu psql -X -x -c "SELECT * FROM pg_stat_wal_receiver"'
alias pg-lsn='pg_as_dbsu psql -X -At -c "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END"'
alias pg-ll='while pg-lsn; do sleep 1; done'
alias pg-ts='pg_as_dbsu psql -X -At -c "SELECT now()"'
alias pg-wal='ls -lt "$PGDATA/pg_wal" | head -n 20'
alias pg-log='tail -f "$(ls -t "$PIGSTY_LOG"/*.csv | head -n 1)"'
alias pbr-log='tail -f "$(ls -t "$PIGSTY_BACKUP_LOG"/*.log | head -n 1)"'

alias pgb-up='sudo systemctl start pgbouncer'
alias pgb-dw='sudo systemctl stop pgbouncer'
alias pgb-st='systemctl status pgbouncer'
alias pgb-restart='sudo systemctl restart pgbouncer'
alias pgb-reload='sudo systemctl reload pgbouncer'
alias pgb-log='tail -f "$PIGSTY_POOL_LOG/pgbouncer.log"'
alias pgb-s='pg_as_dbsu psql -p "$PIGSTY_POOL_PORT" pgbouncer'
