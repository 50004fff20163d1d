package pgsql

import (
	"strings"

	"pigsty/internal/diag"
	"pigsty/internal/param"
)

// PITR is the value of pg_pitr: what to restore a cluster to. At most one of
// Time, Name, XID and LSN is set; all are empty for the end of the archive.
type PITR struct {
	_ struct{} `doc:"What to restore a cluster to. At most one of time, name, xid and lsn is given; without any, everything that was archived is restored."`

	Pos       diag.Pos
	Cluster   string                   `param:"cluster" format:"name" doc:"Cluster whose backup is restored. The cluster itself unless set."`
	Type      string                   `param:"type" enum:"default,time,xid,name,lsn,immediate" doc:"Kind of the target. Follows from the target unless set; immediate stops as soon as the backup is consistent."`
	Time      string                   `param:"time" doc:"Moment to restore, such as 2030-01-31 12:00:00+00."`
	Name      string                   `param:"name" doc:"Restore point to restore."`
	XID       *int                     `param:"xid" min:"1" max:"4294967295" doc:"Transaction to restore."`
	LSN       string                   `param:"lsn" format:"lsn" doc:"Log position to restore."`
	Set       string                   `param:"set" default:"latest" pattern:"^(latest|[0-9]{8}-[0-9]{6}F(_[0-9]{8}-[0-9]{6}[DI])?)$" form:"latest or the label of a backup" doc:"Backup to start from."`
	Timeline  string                   `param:"timeline" default:"latest" pattern:"^(latest|current|[1-9][0-9]{0,8})$" form:"a timeline's number, latest, or current for that of the backup" doc:"Timeline to follow: the newest, that of the backup (current), or the one with this number."`
	Exclusive bool                     `param:"exclusive" default:"false" doc:"Whether recovery stops just before the target."`
	Action    string                   `param:"action" default:"pause" enum:"pause,promote,shutdown" doc:"What the server does when it is there."`
	Archive   bool                     `param:"archive" default:"true" doc:"Whether the restored cluster goes on archiving."`
	DBInclude []string                 `param:"db_include" doc:"The only databases to restore."`
	DBExclude []string                 `param:"db_exclude" doc:"Databases not to restore."`
	LinkMap   map[string]string        `param:"link_map" doc:"New targets of symbolic links in the data directory."`
	Process   *int                     `param:"process" min:"1" max:"999" doc:"Parallel processes. As many as CPUs unless set."`
	Repo      map[string]param.Setting `param:"repo" secrets:"s3_key,s3_key_secret,s3_token,cipher_pass,azure_key,sftp_private_key_passphrase" doc:"Repository that holds the backup, as an entry of pgbackrest_repo. The cluster's own unless set."`
	Backup    bool                     `param:"backup" default:"false" doc:"Whether the present data directory is set aside first."`
	Data      string                   `param:"data" format:"path" doc:"Directory to restore to. pg_data unless set."`
	Port      *int                     `param:"port" format:"port" doc:"Port of the restored server. pg_port unless set."`
}

// Targets returns the names of the targets that are given.
func (p *PITR) Targets() []string {
	var given []string
	for _, t := range []struct {
		name string
		set  bool
	}{{"time", p.Time != ""}, {"name", p.Name != ""}, {"xid", p.XID != nil}, {"lsn", p.LSN != ""}} {
		if t.set {
			given = append(given, t.name)
		}
	}
	return given
}

// Check requires one target at most, and of the kind that type says.
func (p *PITR) Check(l *diag.List) {
	given := p.Targets()
	fail := func(message, advice string) {
		l.Add(diag.Diagnostic{Code: "invalid-value", Pos: p.Pos, Message: message, Advice: advice})
	}
	if p.Time != "" {
		if _, err := parseTime(p.Time); err != nil {
			fail("pg_pitr has no valid time: "+err.Error(), "write it like 2030-01-31 12:00:00+00")
		}
	}
	switch {
	case len(given) > 1:
		fail("pg_pitr has several targets: "+strings.Join(given, ", "), "keep one of them")
	case p.Type == "" || p.Type == "default" && len(given) == 0 || p.Type == "immediate" && len(given) == 0:
	case len(given) == 0:
		fail("pg_pitr has the type "+p.Type+" but no "+p.Type, "add "+p.Type)
	case p.Type != given[0]:
		fail("pg_pitr has the type "+p.Type+" but a target of type "+given[0], "remove type, which follows from the target")
	}
}
