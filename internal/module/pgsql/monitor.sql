-- What the monitoring user reads of a database, and administrators look at. The
-- script can be repeated; it is run again when it changed. Estimates of bloat
-- come from planner statistics, so they are as good as the last ANALYZE.

SET client_min_messages = warning;
CREATE SCHEMA IF NOT EXISTS monitor;
GRANT USAGE ON SCHEMA monitor TO pg_monitor;

-- A row for the cluster, which whoever leads writes each time it is asked.
CREATE TABLE IF NOT EXISTS monitor.heartbeat (
    id   text PRIMARY KEY,
    ts   timestamptz NOT NULL,
    lsn  bigint NOT NULL,
    txid bigint NOT NULL
);
COMMENT ON TABLE monitor.heartbeat IS 'when and where the leader was last seen to write';

-- A replica returns what it has replayed of it, so that the difference is lag.
CREATE OR REPLACE FUNCTION monitor.beating()
RETURNS TABLE (id text, ts timestamptz, lsn bigint, txid bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    IF NOT pg_is_in_recovery() THEN
        INSERT INTO monitor.heartbeat AS h (id, ts, lsn, txid)
        VALUES (current_setting('cluster_name'), clock_timestamp(), pg_current_wal_lsn() - '0/0', txid_current())
        ON CONFLICT (id) DO UPDATE SET ts = EXCLUDED.ts, lsn = EXCLUDED.lsn, txid = EXCLUDED.txid;
    END IF;
    RETURN QUERY SELECT h.id, h.ts, h.lsn, h.txid FROM monitor.heartbeat h ORDER BY h.ts DESC LIMIT 1;
END $$;

-- Superusers only may look at shared memory before PostgreSQL 16.
CREATE OR REPLACE FUNCTION monitor.pg_shmem() RETURNS SETOF pg_shmem_allocations
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$ SELECT * FROM pg_shmem_allocations $$;

-- How many bytes of each table hold nothing: its size, less what its rows would
-- take at their average width.
CREATE OR REPLACE FUNCTION monitor.table_bloat()
RETURNS TABLE (nspname name, relname name, size bigint, ratio float8)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH width AS (
        SELECT starelid, sum(stawidth * (1 - stanullfrac)) AS bytes, bool_or(stanullfrac > 0) AS nulls
        FROM pg_statistic WHERE NOT stainherit GROUP BY starelid
    ), needed AS (
        SELECT c.oid, c.relnamespace, c.relname, c.relpages,
            current_setting('block_size')::float8 AS block,
            coalesce((SELECT split_part(o, '=', 2)::float8 FROM unnest(c.reloptions) o WHERE o LIKE 'fillfactor=%'), 100) / 100 AS fill,
            c.reltuples * (4 + 8 * ceil((23 + CASE WHEN w.nulls THEN c.relnatts / 8 + 1 ELSE 0 END) / 8.0) + 8 * ceil(w.bytes / 8)) AS bytes
        FROM pg_class c JOIN width w ON w.starelid = c.oid
        WHERE c.relkind IN ('r', 'm') AND c.reltuples > 0 AND c.relpages > 0
    )
    SELECT n.nspname, d.relname, (d.relpages * d.block)::bigint,
        round(greatest(0, 1 - ceil(d.bytes / ((d.block - 24) * d.fill)) / d.relpages)::numeric, 4)::float8
    FROM needed d JOIN pg_namespace n ON n.oid = d.relnamespace
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
$$;

-- The same of B-tree indexes.
CREATE OR REPLACE FUNCTION monitor.index_bloat()
RETURNS TABLE (nspname name, tblname name, relname name, size bigint, ratio float8)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH needed AS (
        SELECT i.oid, i.relnamespace, i.relname, i.relpages, t.relname AS tblname,
            current_setting('block_size')::float8 AS block,
            coalesce((SELECT split_part(o, '=', 2)::float8 FROM unnest(i.reloptions) o WHERE o LIKE 'fillfactor=%'), 90) / 100 AS fill,
            i.reltuples * (4 + 8 + 8 * ceil(sum(coalesce(e.stawidth * (1 - e.stanullfrac), s.stawidth * (1 - s.stanullfrac), 8)) / 8)) AS bytes
        FROM pg_index x
            JOIN pg_class i ON i.oid = x.indexrelid
            JOIN pg_class t ON t.oid = x.indrelid
            JOIN pg_am m ON m.oid = i.relam AND m.amname = 'btree'
            CROSS JOIN LATERAL unnest(x.indkey) WITH ORDINALITY AS k (attnum, place)
            LEFT JOIN pg_statistic s ON s.starelid = t.oid AND s.staattnum = k.attnum AND NOT s.stainherit
            LEFT JOIN pg_statistic e ON e.starelid = i.oid AND e.staattnum = k.place
        WHERE i.reltuples > 0 AND i.relpages > 1
        GROUP BY i.oid, i.relnamespace, i.relname, i.relpages, i.reltuples, i.reloptions, t.relname
    )
    SELECT n.nspname, d.tblname, d.relname, (d.relpages * d.block)::bigint,
        round(greatest(0, 1 - (1 + ceil(d.bytes / ((d.block - 40) * d.fill))) / d.relpages)::numeric, 4)::float8
    FROM needed d JOIN pg_namespace n ON n.oid = d.relnamespace
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
$$;

DROP VIEW IF EXISTS monitor.pg_table_bloat, monitor.pg_index_bloat, monitor.pg_bloat,
    monitor.pg_session, monitor.pg_seq_scan, monitor.pg_lock_waiting;

CREATE VIEW monitor.pg_table_bloat AS
    SELECT current_catalog AS datname, nspname, relname, size, ratio FROM monitor.table_bloat();
CREATE VIEW monitor.pg_index_bloat AS
    SELECT current_catalog AS datname, nspname, tblname, relname, size, ratio FROM monitor.index_bloat();

CREATE VIEW monitor.pg_bloat AS
    SELECT kind, datname, nspname, relname, pg_size_pretty(size) AS size, round(ratio::numeric * 100, 1) AS percent,
        pg_size_pretty((size * ratio)::bigint) AS wasted
    FROM (SELECT 'table' AS kind, datname, nspname, relname, size, ratio FROM monitor.pg_table_bloat
        UNION ALL SELECT 'index', datname, nspname, relname, size, ratio FROM monitor.pg_index_bloat) b
    ORDER BY b.size * b.ratio DESC;

CREATE VIEW monitor.pg_session AS
    SELECT coalesce(datname, 'none') AS datname, count(*) AS total,
        count(*) FILTER (WHERE state = 'active') AS active,
        count(*) FILTER (WHERE state = 'idle') AS idle,
        count(*) FILTER (WHERE state LIKE 'idle in transaction%') AS in_transaction,
        count(*) FILTER (WHERE wait_event_type = 'Lock') AS waiting,
        coalesce(extract(epoch FROM max(clock_timestamp() - xact_start)), 0)::float8 AS longest_transaction
    FROM pg_stat_activity WHERE backend_type = 'client backend' GROUP BY datname;

CREATE VIEW monitor.pg_seq_scan AS
    SELECT schemaname AS nspname, relname, seq_scan, seq_tup_read, seq_tup_read / nullif(seq_scan, 0) AS seq_tup_avg,
        coalesce(idx_scan, 0) AS idx_scan, n_live_tup AS tuples, pg_size_pretty(pg_relation_size(relid)) AS size
    FROM pg_stat_user_tables WHERE seq_scan > 0 ORDER BY seq_tup_read DESC;

CREATE VIEW monitor.pg_lock_waiting AS
    SELECT w.pid, w.usename, w.datname, w.application_name, clock_timestamp() - w.query_start AS waits, w.query,
        b.pid AS blocked_by, b.usename AS blocked_by_user, b.state AS blocked_by_state,
        clock_timestamp() - b.xact_start AS blocked_by_age, b.query AS blocked_by_query
    FROM pg_stat_activity w
        CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS blocker (pid)
        JOIN pg_stat_activity b ON b.pid = blocker.pid
    WHERE w.wait_event_type = 'Lock';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA monitor FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA monitor TO pg_monitor;
GRANT SELECT ON ALL TABLES IN SCHEMA monitor TO pg_monitor;
