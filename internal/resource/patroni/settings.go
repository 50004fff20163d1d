package patroni

import (
	"strconv"
	"strings"
)

// postmaster are the settings that only a start of PostgreSQL applies:
// pg_settings.context = 'postmaster' of versions 13 to 18, and those of
// extensions that are loaded at the start.
var postmaster = set(`
archive_mode autovacuum_freeze_max_age autovacuum_max_workers autovacuum_multixact_freeze_max_age
autovacuum_worker_slots bonjour bonjour_name cluster_name commit_timestamp_buffers config_file data_directory
data_sync_retry debug_io_direct dynamic_shared_memory_type event_source external_pid_file hba_file hot_standby
huge_page_size huge_pages ident_file ignore_invalid_pages io_max_combine_limit io_max_concurrency io_method
jit_provider listen_addresses logging_collector max_active_replication_origins max_connections
max_files_per_process max_locks_per_transaction max_logical_replication_workers max_notify_queue_pages
max_pred_locks_per_transaction max_prepared_transactions max_replication_slots max_wal_senders
max_worker_processes min_dynamic_shared_memory multixact_member_buffers multixact_offset_buffers notify_buffers
old_snapshot_threshold port recovery_target recovery_target_action recovery_target_inclusive recovery_target_lsn
recovery_target_name recovery_target_time recovery_target_timeline recovery_target_xid reserved_connections
serializable_buffers shared_buffers shared_memory_type shared_preload_libraries subtransaction_buffers
superuser_reserved_connections trace_connection_negotiation track_activity_query_size track_commit_timestamp
transaction_buffers unix_socket_directories unix_socket_group unix_socket_permissions wal_buffers
wal_decode_buffer_size wal_level wal_log_hints
citus.max_worker_nodes_tracked cron.database_name cron.host cron.max_running_jobs cron.use_background_workers
pg_stat_statements.max pg_stat_monitor.pgsm_max pg_wait_sampling.history_size timescaledb.max_background_workers
`)

// shared are the settings that a replica must have at least as large as its
// leader ("Hot Standby", section 26.4.3 of the PostgreSQL manual). When one
// shrinks, the leader must restart before the replicas.
var shared = set(`max_connections max_worker_processes max_wal_senders max_prepared_transactions max_locks_per_transaction`)

func set(names string) map[string]bool {
	out := map[string]bool{}
	for _, n := range strings.Fields(names) {
		out[n] = true
	}
	return out
}

// needsRestart reports whether a change of the setting waits for a restart.
// version is as server_version_num; 0 is not known.
func needsRestart(name string, version int) bool {
	name = strings.ToLower(name)
	if name == "autovacuum_max_workers" && version >= 180000 {
		return false // bounded by autovacuum_worker_slots since
	}
	return postmaster[name]
}

// shrinks reports whether the change makes the replicas' leader go first.
func shrinks(name, old, new string) bool {
	if !shared[strings.ToLower(name)] {
		return false
	}
	a, err := strconv.Atoi(old)
	b, err2 := strconv.Atoi(new)
	return err == nil && err2 == nil && b < a
}
