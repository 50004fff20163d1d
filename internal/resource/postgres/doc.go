// Package postgres holds the resources that live inside a PostgreSQL server:
// roles, databases, schemas, extensions, privileges, settings.
//
// Each reads its current state from the system catalogs and is compared one
// attribute at a time, so that what somebody changed by hand in SQL shows up in
// a plan. Only attributes that are declared are compared; what is not declared is
// left alone.
//
// Resources of the whole cluster return resource.ErrNotLeader on a server that is in
// recovery. On a server that cannot be reached their change is unknown "after
// postgres accepts connections".
//
// The resources of one host and server share connections and one snapshot of
// the shared catalogs (see pass), so an unchanged cluster costs a few queries,
// however many objects are declared.
package postgres

import "pigsty/internal/resource"

// Resources returns a zero value of every resource of this package, for
// resource.Register.
func Resources() []resource.Resource {
	return []resource.Resource{
		Role{}, Database{}, Schema{}, Extension{}, DefaultPrivileges{}, DatabasePrivileges{},
		Baseline{}, ReplicationGrants{}, Reload{}, SettingsDrift{}, UserList{}, Stanza{}, StanzaAbsent{}, StanzaIdle{}, HBAFile{}, &DataFile{}, Extra{}, Stopped{},
		Backup{}, ArchiveCheck{}, Backups{}, Restore{}, RestoreBegun{}, Outdated{}, Handed{}, Returned{}, &Report{},
	}
}
