package docker

import (
	"pigsty/internal/param"
)

// Params are the parameters of the DOCKER module and of the applications that
// run on it.
type Params struct {
	// DOCKER

	DockerEnabled         bool     `param:"docker_enabled" default:"false" level:"cluster" group:"DOCKER" doc:"Whether Docker runs on the node."`
	DockerData            string   `param:"docker_data" default:"/data/docker" format:"path" level:"global/cluster/instance" group:"DOCKER" doc:"Directory of images and containers."`
	DockerStorageDriver   string   `param:"docker_storage_driver" default:"overlay2" usual:"overlay2,btrfs,zfs,vfs,fuse-overlayfs" level:"cluster" group:"DOCKER" doc:"Storage driver."`
	DockerCgroupsDriver   string   `param:"docker_cgroups_driver" default:"systemd" enum:"systemd,cgroupfs" level:"cluster" group:"DOCKER" doc:"Cgroup driver."`
	DockerRegistryMirrors []string `param:"docker_registry_mirrors" default:"[]" format:"url" level:"cluster" group:"DOCKER" doc:"Registry mirrors to ask first."`
	DockerExporterPort    int      `param:"docker_exporter_port" default:"9323" format:"port" level:"global" group:"DOCKER" doc:"Port of Docker's metrics."`
	DockerImage           []string `param:"docker_image" default:"[]" level:"cluster" group:"DOCKER" doc:"Images to pull."`
	DockerImageCache      string   `param:"docker_image_cache" default:"/tmp/docker/*.tgz" format:"path" level:"cluster" group:"DOCKER" doc:"Archives of images to load, a file name pattern."`

	// APP

	App  string         `param:"app" level:"arg/cluster" group:"APP" doc:"Application to install."`
	Apps map[string]App `param:"apps" default:"{}" level:"cluster" group:"APP" doc:"Applications by name."`
}

// Declaration returns what the catalogue of parameters needs to know.
func Declaration() param.Module {
	return param.Module{
		Name:   "DOCKER",
		Doc:    "Docker, and applications made of containers.",
		Params: Params{},
		Groups: map[string]string{
			"DOCKER": "The engine.",
			"APP":    "Applications.",
		},
		Prefixes: []string{"docker_"},
	}
}
