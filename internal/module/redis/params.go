package redis

import (
	"pigsty/internal/param"
	"pigsty/internal/secret"
)

// Params are the parameters of the REDIS module.
type Params struct {
	// REDIS

	RedisCluster         string            `param:"redis_cluster" format:"name" level:"cluster" group:"REDIS" doc:"Name of the cluster. Makes the host a node of it."`
	RedisInstances       map[int]Instance  `param:"redis_instances" key:"port" level:"instance" group:"REDIS" doc:"The node's instances by port."`
	RedisNode            *int              `param:"redis_node" min:"0" level:"instance" group:"REDIS" doc:"Number of the node in its cluster."`
	RedisFsMain          string            `param:"redis_fs_main" default:"/data/redis" format:"path" level:"cluster" group:"REDIS" doc:"Directory of the instances' data."`
	RedisExporterEnabled bool              `param:"redis_exporter_enabled" default:"true" level:"cluster" group:"REDIS" doc:"Whether the node's metrics are exported."`
	RedisExporterPort    int               `param:"redis_exporter_port" default:"9121" format:"port" level:"cluster" group:"REDIS" doc:"Port of redis_exporter."`
	RedisExporterOptions string            `param:"redis_exporter_options" default:"" level:"cluster/instance" group:"REDIS" doc:"Further options of redis_exporter."`
	RedisType            string            `param:"redis_type" default:"redis" enum:"redis,valkey" level:"cluster" group:"REDIS" doc:"The server to run."`
	RedisMode            string            `param:"redis_mode" default:"standalone" enum:"standalone,sentinel,cluster" level:"cluster" group:"REDIS" doc:"Standalone instances and their replicas, sentinels that watch over others, or a native cluster."`
	RedisConf            string            `param:"redis_conf" default:"redis.conf" level:"cluster" group:"REDIS" doc:"Template of the configuration file."`
	RedisBindAddress     string            `param:"redis_bind_address" default:"0.0.0.0" format:"bind" level:"cluster" group:"REDIS" doc:"Address to listen on; the node's own when empty."`
	RedisMaxMemory       string            `param:"redis_max_memory" default:"1GB" format:"size" level:"cluster/instance" group:"REDIS" doc:"Memory that each instance may use for data."`
	RedisMemPolicy       string            `param:"redis_mem_policy" default:"allkeys-lru" enum:"allkeys-lru,allkeys-lfu,allkeys-random,volatile-lru,volatile-lfu,volatile-random,volatile-ttl,noeviction" level:"cluster" group:"REDIS" doc:"What is evicted when that memory is full."`
	RedisPassword        secret.Value      `param:"redis_password" default:"" level:"cluster" group:"REDIS" doc:"Password of every instance of the cluster; empty for none."`
	RedisRdbSave         []string          `param:"redis_rdb_save" default:"[1200 1]" format:"snapshot" level:"cluster" group:"REDIS" doc:"When snapshots are written: seconds and number of changes. Empty for never."`
	RedisAofEnabled      bool              `param:"redis_aof_enabled" default:"false" level:"cluster" group:"REDIS" doc:"Whether every change is logged to disk."`
	RedisRenameCommands  map[string]string `param:"redis_rename_commands" default:"{}" level:"cluster" group:"REDIS" doc:"New names for commands; an empty one disables the command."`
	RedisClusterReplicas int               `param:"redis_cluster_replicas" default:"1" min:"0" level:"cluster" group:"REDIS" doc:"Replicas of each master in a native cluster."`
	RedisSentinelMonitor []SentinelMonitor `param:"redis_sentinel_monitor" default:"[]" unique:"name" level:"cluster" group:"REDIS" doc:"Primaries that the sentinels watch."`

	// REDIS_REMOVE

	RedisSafeguard bool `param:"redis_safeguard" default:"false" level:"global/cluster/arg" group:"REDIS_REMOVE" doc:"Whether the removal of instances is refused."`
	RedisRmData    bool `param:"redis_rm_data" default:"true" level:"global/cluster/arg" group:"REDIS_REMOVE" doc:"Whether removal deletes the data."`
	RedisRmPkg     bool `param:"redis_rm_pkg" default:"false" level:"global/cluster/arg" group:"REDIS_REMOVE" doc:"Whether removal uninstalls the packages."`

	// ARG

	RedisPort *int `param:"redis_port" format:"port" level:"arg" group:"ARG" doc:"Restricts a run to the instance with this port."`
}

// Declaration returns what the catalogue of parameters needs to know.
func Declaration() param.Module {
	return param.Module{
		Name:   "REDIS",
		Doc:    "Redis or Valkey: standalone instances and their replicas, sentinels, or native clusters.",
		Params: Params{},
		Groups: map[string]string{
			"REDIS":        "The cluster, its nodes and their instances.",
			"REDIS_REMOVE": "What the removal of instances may do.",
			"ARG":          "Arguments of a run.",
		},
		Prefixes: []string{"redis_"},
		Obsolete: map[string]string{
			"redis_clean": "instances that exist are never wiped; remove them with redis-rm first",
		},
	}
}
