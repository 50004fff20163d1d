package pgsql

import (
	"strings"

	"pigsty/internal/module"
)

// settings collects server parameters for one major version. A parameter that
// a version does not know would keep PostgreSQL from starting.
type settings struct {
	mapping
	version int
}

// since adds a parameter that came with a major version.
func (s *settings) since(version int, name string, value any) {
	if s.version >= version {
		s.set(name, value)
	}
}

// until adds a parameter that a later version no longer has.
func (s *settings) until(version int, name string, value any) {
	if s.version <= version {
		s.set(name, value)
	}
}

// templateParameters returns the parameters of the cluster's template, sized
// for the host of m.
func templateParameters(m *Member) mapping {
	c, p := m.Cluster, m.Cluster.Params
	kind := c.Template.Kind
	t := tune(m.capacity(), workloadOf(kind, p, m.Host))
	s := &settings{mapping: make(mapping, 0, 128), version: p.PgVersion}
	s.connections(p, t)
	s.replication(kind, t)
	s.planner(p, kind, t)
	s.memory(t)
	s.background(kind, t)
	s.wal(p, kind, t)
	s.archive(c)
	s.logging(p, kind)
	s.statistics(kind)
	s.vacuum(kind)
	s.client(kind)
	s.libraries(p, kind, t)
	return s.mapping
}

// workloadOf returns what the formulas need to know of the inventory.
func workloadOf(kind string, p *Params, h *module.Host) workload {
	return workload{
		Template: kind, Version: p.PgVersion, MaxConn: p.PgMaxConn,
		Pooled: p.PgDefaultServiceDest == "pgbouncer", BufferRatio: p.PgSharedBufferRatio,
		Libs: p.libraries(), Sharded: p.sharded(), IOMethod: p.PgIoMethod,
		Modern: h.Facts.Family == "deb" || strings.HasPrefix(h.Facts.Codename, "el10"),
	}
}

func (s *settings) connections(p *Params, t tuning) {
	s.set("max_connections", t.MaxConnections)
	s.set("superuser_reserved_connections", 10)
	s.set("max_locks_per_transaction", t.LocksPerTransaction)
	s.set("max_prepared_transactions", t.PreparedTransaction)
	s.set("ssl", "on")
	s.set("ssl_cert_file", certDir+"/server.crt")
	s.set("ssl_key_file", certDir+"/server.key")
	s.set("ssl_ca_file", certDir+"/ca.crt")
	s.set("password_encryption", p.PgPwdEnc)
}

func (s *settings) replication(kind string, t tuning) {
	s.set("wal_level", "logical")
	s.set("max_wal_senders", 50)
	s.set("max_replication_slots", 50)
	s.set("max_slot_wal_keep_size", gigabytes(t.SlotWALKeepSize))
	s.set("wal_log_hints", "on") // pg_rewind needs it where there are no checksums
	s.set("track_commit_timestamp", "on")
	s.set("output_plugin_libraries", outputPlugins)
	s.since(17, "sync_replication_slots", "on")
	s.set("hot_standby_feedback", "on")
	s.set("max_standby_archive_delay", "10min")
	s.set("max_standby_streaming_delay", "3min")
	s.set("wal_receiver_status_interval", "1s")
	s.set("wal_receiver_timeout", "60s")
	s.set("max_logical_replication_workers", 8)
	s.set("max_sync_workers_per_subscription", 6)
	if kind == "crit" {
		s.until(15, "vacuum_defer_cleanup_age", 500000)
		s.since(18, "idle_replication_slot_timeout", "3d")
		return
	}
	s.since(18, "idle_replication_slot_timeout", "7d")
}

// outputPlugins are the libraries by which logical decoding may write changes:
// those of PostgreSQL itself, and those that clusters commonly install. Minor
// versions before 16.15, 17.11 and 18.6 load any library and do not know the
// parameter, which Patroni then leaves out.
const outputPlugins = "pgoutput, test_decoding, wal2json, wal2mongo, decoderbufs"

func (s *settings) planner(p *Params, kind string, t tuning) {
	if kind != "olap" && kind != "tiny" { // parallelism only where it clearly pays
		s.set("parallel_setup_cost", 2000)
		s.set("parallel_tuple_cost", "0.2")
		s.set("min_parallel_table_scan_size", "32MB")
		s.set("min_parallel_index_scan_size", "2MB")
	}
	s.set("hash_mem_multiplier", "8.0")
	if p.PgStorageType == "SSD" {
		s.set("random_page_cost", "1.1")
		s.set("effective_io_concurrency", 200)
		s.set("maintenance_io_concurrency", 100)
	}
	target := 400
	switch kind {
	case "olap":
		target = 1000
		s.set("enable_partitionwise_join", "on")
		s.set("enable_partitionwise_aggregate", "on")
	case "tiny":
		target = 200
	}
	s.set("default_statistics_target", target)
	s.set("effective_cache_size", megabytes(t.EffectiveCacheSize))
	s.set("max_parallel_workers", t.MaxParallelWorkers)
	s.set("max_parallel_workers_per_gather", t.ParallelGather)
	s.set("max_parallel_maintenance_workers", t.ParallelMaintenance)
}

func (s *settings) memory(t tuning) {
	s.set("shared_buffers", megabytes(t.SharedBuffers))
	s.set("maintenance_work_mem", megabytes(t.MaintenanceWorkMem))
	s.set("work_mem", megabytes(t.WorkMem))
	s.set("temp_file_limit", gigabytes(t.TempFileLimit))
	s.set("huge_pages", "try")
}

func (s *settings) background(kind string, t tuning) {
	s.set("max_worker_processes", t.MaxWorkerProcesses)
	delay, limit := "20ms", 2000
	if kind == "olap" {
		delay, limit = "10ms", 10000
	}
	s.set("vacuum_cost_delay", delay)
	s.set("vacuum_cost_limit", limit)
	s.set("bgwriter_delay", "10ms")
	s.set("bgwriter_lru_maxpages", 800)
	s.set("bgwriter_lru_multiplier", "5.0")
	s.since(18, "io_method", t.IOMethod)
	s.since(18, "io_workers", t.IOWorkers)
	s.since(18, "file_copy_method", "clone")
}

func (s *settings) wal(p *Params, kind string, t tuning) {
	compression := "on"
	if s.version >= 15 {
		compression = "lz4"
	}
	s.set("wal_compression", compression)
	s.set("wal_buffers", "16MB")
	if kind == "crit" {
		s.set("wal_writer_delay", "10ms")
		s.set("wal_writer_flush_after", "0")
	} else {
		s.set("wal_writer_delay", "20ms")
		s.set("wal_writer_flush_after", "1MB")
	}
	s.set("commit_delay", 20)
	s.set("commit_siblings", 10)
	s.set("checkpoint_timeout", "15min")
	s.set("checkpoint_completion_target", "0.95")
	s.set("min_wal_size", gigabytes(t.MinWALSize))
	s.set("max_wal_size", gigabytes(t.MaxWALSize))
}

func (s *settings) archive(c *Cluster) {
	if !c.Params.PgbackrestEnabled {
		return
	}
	s.set("archive_mode", "on")
	s.set("archive_timeout", "300s")
	s.set("archive_command", "pgbackrest --stanza="+c.Name+" archive-push %p")
}

func (s *settings) logging(p *Params, kind string) {
	s.set("log_destination", "csvlog")
	s.set("logging_collector", "on")
	s.set("log_directory", p.PgLogDir)
	s.set("log_filename", "postgresql-%a.log") // a week, overwritten day by day
	s.set("log_file_mode", "0640")
	s.set("log_rotation_age", "1d")
	s.set("log_rotation_size", "0")
	s.set("log_truncate_on_rotation", "on")
	s.set("log_timezone", "UTC")
	s.set("log_checkpoints", "on")
	s.set("log_lock_waits", "on")
	s.set("log_temp_files", "1024kB")
	s.set("log_replication_commands", "on")
	s.set("log_statement", "ddl")
	slow := "100ms"
	if kind == "olap" {
		slow = "1000ms"
	}
	s.set("log_min_duration_statement", slow)
	if kind == "oltp" || kind == "crit" {
		s.since(18, "log_lock_failures", "on")
	}
	switch {
	case kind == "crit" && s.version >= 18:
		s.set("log_connections", "receipt,authentication,authorization")
	case kind == "crit":
		s.set("log_connections", "on")
	case kind != "tiny":
		s.since(18, "log_connections", "authorization")
	}
	if kind == "crit" {
		s.set("log_disconnections", "on")
	}
}

func (s *settings) statistics(kind string) {
	s.set("track_io_timing", "on")
	s.set("track_functions", "all")
	size := 8192
	if kind == "crit" {
		size = 32768
	}
	s.set("track_activity_query_size", size)
	if kind == "olap" || kind == "crit" {
		s.since(18, "track_cost_delay_timing", "on")
	}
}

func (s *settings) vacuum(kind string) {
	s.set("log_autovacuum_min_duration", "1s")
	s.set("autovacuum_naptime", "1min")
	s.set("autovacuum_freeze_max_age", 1000000000)
	workers, vacuum, analyze := 3, 500, 250
	switch kind {
	case "tiny":
		workers = 2
	case "olap":
		vacuum, analyze = 1000, 500
	}
	s.set("autovacuum_max_workers", workers)
	s.set("autovacuum_vacuum_threshold", vacuum)
	s.set("autovacuum_analyze_threshold", analyze)
	if kind != "tiny" {
		s.set("autovacuum_vacuum_scale_factor", "0.08")
		s.set("autovacuum_analyze_scale_factor", "0.04")
	}
}

func (s *settings) client(kind string) {
	s.set("deadlock_timeout", "50ms")
	idle := "10min"
	switch kind {
	case "olap": // long transactions are its work
		idle = "0"
	case "crit":
		idle = "1min"
	}
	s.set("idle_in_transaction_session_timeout", idle)
}

// libraries adds the preloaded libraries and the parameters of those of them
// that are known.
func (s *settings) libraries(p *Params, kind string, t tuning) {
	if p.PgLibs != "" {
		s.set("shared_preload_libraries", p.PgLibs)
	}
	libs := p.libraries()
	if preloads(libs, "auto_explain") {
		s.set("auto_explain.log_min_duration", "1s")
		s.set("auto_explain.log_analyze", "on")
		s.set("auto_explain.log_verbose", "on")
		s.set("auto_explain.log_timing", "on")
		s.set("auto_explain.log_nested_statements", "on")
	}
	if preloads(libs, "pg_stat_statements") {
		entries := 10000
		if kind == "tiny" {
			entries = 2500
		}
		s.set("pg_stat_statements.max", entries)
		s.set("pg_stat_statements.track", "all")
		s.set("pg_stat_statements.track_utility", "off")
		s.set("pg_stat_statements.track_planning", "off")
	}
	if preloads(libs, "pg_wait_sampling") { // every process, ten times a second; its default costs ten times that
		s.set("pg_wait_sampling.history_period", 100)
		s.set("pg_wait_sampling.profile_period", 100)
		s.set("pg_wait_sampling.profile_pid", "off")
	}
	if preloads(libs, "timescaledb") {
		s.set("timescaledb.telemetry_level", "off")
		s.set("timescaledb.max_background_workers", t.WorkerBase)
	}
	if preloads(libs, "pg_cron") {
		s.set("cron.database_name", p.PgPrimaryDb)
	}
	if p.sodium() {
		s.set("pgsodium.getkey_script", p.getkeyScript())
	}
	if preloads(libs, "pg_duckdb") && kind != "crit" {
		s.set("duckdb.allow_community_extensions", "on")
	}
}
