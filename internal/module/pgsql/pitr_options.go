package pgsql

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// supported refuses what a recovery of a whole cluster cannot do.
func (t *PITR) supported() error {
	refuse := func(what, advice string) error {
		return fmt.Errorf("%s: pg_pitr: %s is not supported; %s", t.Pos, what, advice)
	}
	switch {
	case t.Data != "" || t.Port != nil:
		return refuse("restoring to another data or port", "/pg/bin/pg-pitr -D restores beside a cluster")
	case !t.Archive:
		return refuse("archive: false", "the restored cluster archives on, so that it can be restored again")
	case t.Action == "shutdown":
		return refuse("action: shutdown", "the restored member leads its cluster at once")
	}
	return nil
}

// Words says what is recovered to: "2030-01-31 12:00:00+00", "LSN 0/3000000".
func (t *PITR) Words() string {
	until := ""
	if t.Exclusive {
		until = "just before "
	}
	switch {
	case t.Time != "":
		return until + t.Time
	case t.Name != "":
		return "restore point " + t.Name
	case t.XID != nil:
		return until + "transaction " + strconv.Itoa(*t.XID)
	case t.LSN != "":
		return until + "LSN " + t.LSN
	case t.Type == "immediate":
		return "the end of the backup"
	}
	return "the end of the archive"
}

// options returns what pgbackrest restore is told of the target, all but the timeline.
func (t *PITR) options() []string {
	var out []string
	kind, value := "", ""
	switch {
	case t.Time != "":
		at, _ := parseTime(t.Time)
		kind, value = "time", at.UTC().Format("2006-01-02 15:04:05.000000+00")
	case t.Name != "":
		kind, value = "name", t.Name
	case t.XID != nil:
		kind, value = "xid", strconv.Itoa(*t.XID)
	case t.LSN != "":
		kind, value = "lsn", strings.ToUpper(t.LSN)
	case t.Type == "immediate":
		kind = "immediate"
	}
	if kind != "" {
		out = append(out, "--type="+kind)
	}
	if value != "" {
		out = append(out, "--target="+value)
	}
	if t.Exclusive && (kind == "time" || kind == "xid" || kind == "lsn") {
		out = append(out, "--target-exclusive")
	}
	if kind != "" {
		out = append(out, "--target-action=promote")
	}
	for _, db := range t.DBInclude {
		out = append(out, "--db-include="+db)
	}
	for _, db := range t.DBExclude {
		out = append(out, "--db-exclude="+db)
	}
	var links []string
	for name, to := range t.LinkMap {
		links = append(links, "--link-map="+name+"="+to)
	}
	slices.Sort(links)
	return append(out, links...)
}
