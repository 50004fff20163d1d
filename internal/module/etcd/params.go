package etcd

import (
	"pigsty/internal/param"
	"pigsty/internal/secret"
)

// Params are the parameters of the ETCD module, the store in which clusters
// agree on their leaders.
type Params struct {
	// ETCD

	EtcdSeq               *int         `param:"etcd_seq" min:"0" level:"instance" group:"ETCD" doc:"Number of the member, unique in the cluster. Makes the host a member."`
	EtcdCluster           string       `param:"etcd_cluster" default:"etcd" format:"name" level:"cluster" group:"ETCD" doc:"Name of the etcd cluster, and of its group of hosts."`
	EtcdLearner           bool         `param:"etcd_learner" default:"false" level:"instance/arg" group:"ETCD" idle:"a member that joins a running cluster is a learner until it has caught up, and votes from then on" doc:"Whether the member joins as a learner."`
	EtcdData              string       `param:"etcd_data" default:"/data/etcd" format:"path" level:"cluster" group:"ETCD" doc:"Directory of etcd's data."`
	EtcdPort              int          `param:"etcd_port" default:"2379" format:"port" level:"cluster" group:"ETCD" doc:"Port for clients."`
	EtcdPeerPort          int          `param:"etcd_peer_port" default:"2380" format:"port" level:"cluster" group:"ETCD" doc:"Port for other members."`
	EtcdInit              string       `param:"etcd_init" default:"new" enum:"new,existing" level:"cluster" group:"ETCD" doc:"Whether members form a new cluster or join one that runs. Needed only to force either."`
	EtcdElectionTimeout   int          `param:"etcd_election_timeout" default:"1000" min:"1" level:"cluster" group:"ETCD" doc:"Milliseconds without a leader until an election starts."`
	EtcdHeartbeatInterval int          `param:"etcd_heartbeat_interval" default:"100" min:"1" level:"cluster" group:"ETCD" doc:"Milliseconds between a leader's heartbeats."`
	EtcdRootPassword      secret.Value `param:"etcd_root_password" default:"Etcd.Root" level:"global" group:"ETCD" doc:"Password of etcd's user root."`

	// ETCD_REMOVE

	EtcdSafeguard bool `param:"etcd_safeguard" default:"false" level:"global/cluster/arg" group:"ETCD_REMOVE" doc:"Whether the removal of members is refused."`
	EtcdRmData    bool `param:"etcd_rm_data" default:"true" level:"global/cluster/arg" group:"ETCD_REMOVE" doc:"Whether removal deletes the data."`
	EtcdRmPkg     bool `param:"etcd_rm_pkg" default:"false" level:"global/cluster/arg" group:"ETCD_REMOVE" doc:"Whether removal uninstalls the packages."`
}

// Declaration returns what the catalogue of parameters needs to know.
func Declaration() param.Module {
	return param.Module{
		Name:   "ETCD",
		Doc:    "etcd is where PostgreSQL clusters agree on their leaders. Its members are the hosts of group etcd.",
		Params: Params{},
		Groups: map[string]string{
			"ETCD":        "The cluster and its members.",
			"ETCD_REMOVE": "What the removal of members may do.",
		},
		Prefixes: []string{"etcd_"},
		Obsolete: map[string]string{
			"etcd_clean": "members that exist are never wiped; remove them with etcd-rm first",
			"etcd_api":   "clients speak version 3 of the API",
		},
	}
}
