package minio

import (
	_ "embed"

	"pigsty/internal/param"
	"pigsty/internal/secret"
)

//go:embed defaults.yml
var defaults []byte

// Params are the parameters of the MINIO module, which stores objects, such as
// backups.
type Params struct {
	// MINIO

	MinioType      string       `param:"minio_type" default:"silo" enum:"silo,minio" level:"global/cluster" group:"MINIO" doc:"The server to run: silo, a MinIO that is kept up by others, or minio itself."`
	MinioSeq       *int         `param:"minio_seq" min:"0" level:"instance" group:"MINIO" doc:"Number of the node in its cluster. Numbers must follow each other."`
	MinioCluster   string       `param:"minio_cluster" format:"name" level:"cluster" group:"MINIO" doc:"Name of the cluster. Makes the host a member; never set it for all hosts."`
	MinioHTTPS     bool         `param:"minio_https" default:"true" level:"global/cluster" group:"MINIO" doc:"Whether the server speaks TLS."`
	MinioUser      string       `param:"minio_user" default:"minio" format:"username" level:"cluster" group:"MINIO" doc:"Operating-system user of the server."`
	MinioNode      string       `param:"minio_node" default:"${minio_cluster}-${minio_seq}.pigsty" level:"cluster" group:"MINIO" doc:"Pattern of the nodes' DNS names."`
	MinioData      string       `param:"minio_data" default:"/data/minio" format:"path" level:"cluster" group:"MINIO" doc:"Data directory. {x...y} in it stands for several, one for each drive."`
	MinioDomain    string       `param:"minio_domain" default:"sss.pigsty" level:"global" group:"MINIO" doc:"DNS name by which clients reach the cluster."`
	MinioPort      int          `param:"minio_port" default:"9000" format:"port" level:"cluster" group:"MINIO" doc:"Port for clients."`
	MinioAdminPort int          `param:"minio_admin_port" default:"9001" format:"port" level:"cluster" group:"MINIO" doc:"Port of the web console."`
	MinioAccessKey string       `param:"minio_access_key" default:"minioadmin" level:"cluster" group:"MINIO" doc:"Name of the root user."`
	MinioSecretKey secret.Value `param:"minio_secret_key" default:"S3User.MinIO" level:"cluster" group:"MINIO" doc:"Password of the root user; at least 8 characters."`
	MinioExtraVars secret.Value `param:"minio_extra_vars" default:"" level:"cluster" group:"MINIO" doc:"Further lines of the server's environment file."`
	MinioProvision bool         `param:"minio_provision" default:"true" level:"global/cluster" group:"MINIO" doc:"Whether buckets, policies and users are created."`
	MinioAlias     string       `param:"minio_alias" default:"sss" level:"global" group:"MINIO" doc:"Name of the cluster in the client's configuration."`
	MinioBuckets   []Bucket     `param:"minio_buckets" default:"@minio_buckets" unique:"name" level:"cluster" group:"MINIO" doc:"Buckets to create, each with a policy of the same name."`
	MinioUsers     []User       `param:"minio_users" default:"@minio_users" unique:"access_key" level:"cluster" group:"MINIO" doc:"Users to create."`

	// MINIO_REMOVE

	MinioSafeguard bool `param:"minio_safeguard" default:"false" level:"global/cluster/arg" group:"MINIO_REMOVE" doc:"Whether the removal of nodes is refused."`
	MinioRmData    bool `param:"minio_rm_data" default:"true" level:"global/cluster/arg" group:"MINIO_REMOVE" doc:"Whether removal deletes the data."`
	MinioRmPkg     bool `param:"minio_rm_pkg" default:"false" level:"global/cluster/arg" group:"MINIO_REMOVE" doc:"Whether removal uninstalls the packages."`

	// SILO

	MinioEndpoint string `param:"minio_endpoint" level:"cluster" group:"SILO" doc:"URL by which clients reach the cluster. Made of minio_domain and minio_port unless set."`
	MinioVolumes  string `param:"minio_volumes" level:"cluster" group:"SILO" doc:"What the server serves, in its own notation. Made of the nodes and minio_data unless set; needed for several pools."`
}

// Declaration returns what the catalogue of parameters needs to know.
func Declaration() param.Module {
	return param.Module{
		Name:     "MINIO",
		Doc:      "MinIO stores objects, such as backups, on one node or over the drives of several.",
		Params:   Params{},
		Defaults: defaults,
		Groups: map[string]string{
			"MINIO":        "The cluster and its nodes.",
			"MINIO_REMOVE": "What the removal of nodes may do.",
			"SILO":         "What is usually computed.",
		},
		Prefixes: []string{"minio_"},
		Obsolete: map[string]string{
			"minio_clean": "nodes that exist are never wiped; remove them with minio-rm first",
		},
	}
}
