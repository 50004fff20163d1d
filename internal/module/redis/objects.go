package redis

import (
	"pigsty/internal/diag"
	"pigsty/internal/secret"
)

// Instance is one entry of redis_instances, whose key is the port.
type Instance struct {
	_ struct{} `doc:"An instance of a node."`

	Pos       diag.Pos
	ReplicaOf string `param:"replica_of" format:"endpoint" doc:"Address and port of the primary, when the instance is a replica."`
}

// SentinelMonitor is one item of redis_sentinel_monitor.
type SentinelMonitor struct {
	_ struct{} `doc:"A primary that sentinels watch, with its replicas."`

	Pos      diag.Pos
	Name     string       `param:"name" required:"true" doc:"Name by which clients ask sentinels for it."`
	Host     string       `param:"host" required:"true" format:"ip" doc:"Its address."`
	Port     int          `param:"port" default:"6379" format:"port" doc:"Its port."`
	Quorum   int          `param:"quorum" default:"1" min:"1" doc:"How many sentinels must agree that it is down."`
	Password secret.Value `param:"password" doc:"Its password."`
	Remove   bool         `param:"remove" default:"false" doc:"Whether sentinels stop watching it."`
}
