// Package list names the modules that the product is made of.
package list

import (
	"pigsty/internal/module"
	"pigsty/internal/module/docker"
	"pigsty/internal/module/etcd"
	"pigsty/internal/module/infra"
	"pigsty/internal/module/minio"
	"pigsty/internal/module/node"
	"pigsty/internal/module/pgsql"
	"pigsty/internal/module/redis"
)

// All returns every module, in the order in which a deployment needs them.
// Those without plays have parameters that are checked and explained, but this
// version does not manage what they are about.
func All() []module.Module {
	return []module.Module{
		node.Module(),
		infra.Module(),
		etcd.Module(),
		{Declaration: minio.Declaration(), Check: minio.Check, Ports: minio.Ports, Advise: minio.Advise},
		pgsql.Module(),
		{Declaration: redis.Declaration(), Check: redis.Check, Ports: redis.Ports},
		{Declaration: docker.Declaration()},
	}
}
