package pgsql

import "path"

// dbsuGroup is the group of the database superuser, whatever its name.
const dbsuGroup = "postgres"

// Where things are on a host. /pg leads to the directory of the one cluster
// that the host is a member of.
const (
	homeDir    = "/pg"
	certDir    = "/pg/cert"
	confDir    = "/pg/conf"
	runDir     = "/var/run/postgresql"
	patroniYML = "/etc/patroni/patroni.yml"
)

// dataHome returns the directory behind /pg, which names cluster and version so
// that a later major version has its own.
func (m *Member) dataHome() string {
	return path.Join(m.Params.PgFsMain, m.Cluster.Name+"-"+version(m.Params))
}

// backupHome returns the directory behind /pg/backup.
func (m *Member) backupHome() string {
	return path.Join(m.Params.PgFsBackup, m.Cluster.Name+"-"+version(m.Params), "backup")
}
