package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pigsty/internal/module"
	"pigsty/internal/module/pgsql"
	"pigsty/internal/plan"
	"pigsty/internal/resource/patroni"
	"pigsty/internal/resource/postgres"
)

func (a *app) pgListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list [CLUSTER…]", Short: "List clusters and their members as Patroni sees them",
		Example:           "  pigsty pg list\n  pigsty pg list pg-test --json",
		ValidArgsFunction: a.completeClusters,
		RunE: func(c *cobra.Command, args []string) error {
			return a.pgLook(c.Context(), "pg-list", args, (*operating).list)
		},
	}
}

func (a *app) pgStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status [CLUSTER…]", Short: "Show how clusters are: members, backups, archiving, what waits for a restart",
		Example:           "  pigsty pg status pg-test\n  pigsty pg status --json",
		ValidArgsFunction: a.completeClusters,
		RunE: func(c *cobra.Command, args []string) error {
			return a.pgLook(c.Context(), "pg-status", args, (*operating).status)
		},
	}
}

func (a *app) completeClusters(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	names, directive := a.completeCluster(0)(c, nil, word)
	return slices.DeleteFunc(names, func(n string) bool { return slices.Contains(args, n) }), directive
}

// pgLook shows each of the clusters called names, all if there are none.
func (a *app) pgLook(ctx context.Context, command string, names []string, show func(*operating) error) error {
	d, err := a.load(nil)
	if err != nil {
		return err
	}
	if err := d.check(); err != nil {
		return err
	}
	if len(names) == 0 {
		for _, c := range pgsql.Clusters(d.site(nil)) {
			if c.Params.PatroniEnabled {
				names = append(names, c.Name)
			}
		}
	}
	if len(names) == 0 {
		return status(exitInvalid, "the inventory has no PostgreSQL cluster with Patroni")
	}
	var all []*operating
	var hosts []*module.Host
	for _, name := range names {
		o, err := d.operatingOn(&pgFlags{preview: true}, plan.Request{Plays: []string{command}, Limit: name})
		if err != nil {
			return err
		}
		all = append(all, o)
		hosts = append(hosts, o.cluster.Hosts()...)
	}
	if err := all[0].start(ctx, hosts); err != nil {
		return err
	}
	defer all[0].close()
	if a.json {
		if err := json.NewEncoder(a.out).Encode(plan.Header{Type: "version", Format: plan.Format, Command: command}); err != nil {
			return err
		}
	}
	failed := 0
	for i, o := range all {
		o.run, o.ctx = all[0].run, ctx
		o.cluster = pgsql.Named(o.site, o.cluster.Name) // now with facts
		if i > 0 && !a.json {
			fmt.Fprintln(a.out)
		}
		for _, look := range []func() error{o.view, func() error { return show(o) }} {
			err := look()
			if ctx.Err() != nil {
				return err
			}
			if err != nil { // what the hosts say counts even if Patroni says nothing
				failed++
				fmt.Fprintf(a.err, "%s %v\n", a.paint(a.err, "31", "error:"), err)
			}
			if o.cluster.Standalone() {
				break
			}
		}
	}
	if failed > 0 {
		return status(exitHosts, "")
	}
	return nil
}

// memberRow is one member as list shows it.
type memberRow struct {
	Type     string `json:"type"` // "member"
	Cluster  string `json:"cluster"`
	Member   string `json:"member"`
	Host     string `json:"host"`
	Role     string `json:"role"`
	State    string `json:"state"`
	Timeline int    `json:"timeline,omitempty"`
	Lag      *int64 `json:"lag,omitempty"` // bytes; absent when unknown, and of a leader
	Pending  bool   `json:"pending_restart,omitempty"`
	Paused   bool   `json:"paused,omitempty"`

	more string
}

// rows are the members of the inventory and those that only Patroni knows.
func memberRows(c *pgsql.Cluster, seen patroni.Cluster) []memberRow {
	var rows []memberRow
	for _, m := range seen.Members {
		row := memberRow{Type: "member", Cluster: c.Name, Member: m.Name, Host: m.Host, Role: m.Role, State: m.State,
			Timeline: m.Timeline, Pending: m.PendingRestart, Paused: seen.Paused}
		if lag := int64(m.Lag); !m.Leads() && lag >= 0 {
			row.Lag = &lag
		}
		var more []string
		if m.PendingRestart {
			names := slices.Sorted(maps.Keys(m.PendingRestartReason))
			more = append(more, strings.TrimSpace("waits for a restart "+strings.Join(names, ", ")))
		}
		if m.NoFailover() {
			more = append(more, "never leads")
		}
		if c.Member(m.Name) == nil {
			more = append(more, "not in the inventory")
		}
		row.more = strings.Join(more, "; ")
		rows = append(rows, row)
	}
	for _, name := range pgsql.Names(nil, c) {
		if _, ok := seen.Member(name); !ok {
			rows = append(rows, memberRow{Type: "member", Cluster: c.Name, Member: name, Host: c.Member(name).Name(), State: "not a member"})
		}
	}
	slices.SortStableFunc(rows, func(a, b memberRow) int { return cmp.Compare(a.Member, b.Member) })
	return rows
}

func (o *operating) list() error {
	if err := o.printMembers(o.cluster, o.seen); err != nil || o.app.json {
		return err
	}
	if _, led := o.seen.Leader(); led && o.cluster.KeepsOwnBackups() {
		if it, err := o.look(o.cluster.FirstBackup()); err == nil && it.Change.Note != "" {
			fmt.Fprintln(o.app.out, it.Change.Note)
		}
	}
	return nil
}

func (o *operating) printMembers(c *pgsql.Cluster, seen patroni.Cluster) error {
	a := o.app
	rows := memberRows(c, seen)
	if a.json {
		enc := json.NewEncoder(a.out)
		for _, row := range rows {
			if err := enc.Encode(row); err != nil {
				return err
			}
		}
		return nil
	}
	title := c.Name
	if seen.Paused {
		title += ", " + a.paint(a.out, "33", "paused: nobody takes over when the leader fails")
	}
	if _, led := seen.Leader(); !led {
		title += ", " + a.paint(a.out, "31", "no leader")
	}
	fmt.Fprintln(a.out, title)
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MEMBER\tHOST\tROLE\tSTATE\tTIMELINE\tLAG\t")
	for _, r := range rows {
		lag, timeline := "-", "-"
		if r.Lag != nil {
			lag = fmt.Sprint(*r.Lag)
		}
		if r.Timeline > 0 {
			timeline = fmt.Sprint(r.Timeline)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Member, r.Host, orDash(r.Role), r.State, timeline, lag, r.more)
	}
	return w.Flush()
}

// backupRow is what status says of one member's backups.
type backupRow struct {
	Type    string               `json:"type"` // "backups"
	Cluster string               `json:"cluster"`
	Member  string               `json:"member"`
	Error   string               `json:"error,omitempty"`
	Seen    postgres.BackupsSeen `json:"backups,omitzero"`
}

// status adds what the members' repositories and archives are like.
func (o *operating) status() error {
	a := o.app
	if err := o.list(); err != nil {
		return err
	}
	if !o.cluster.Params.PgbackrestEnabled {
		return nil
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	if !a.json {
		fmt.Fprintln(w, "\nMEMBER\tBACKUPS\tNEWEST\tWAL ARCHIVE\tARCHIVING")
	}
	leader, _ := o.seen.Leader()
	for _, name := range pgsql.Names(nil, o.cluster) {
		row := backupRow{Type: "backups", Cluster: o.cluster.Name, Member: name}
		seen, err := o.backups(o.cluster.Member(name), nil)
		if err != nil {
			row.Error = err.Error()
		}
		row.Seen = seen
		if a.json {
			if err := json.NewEncoder(a.out).Encode(row); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintln(w, row.text(leader.Name == name))
	}
	return w.Flush()
}

func (row backupRow) text(leads bool) string {
	problem := cmp.Or(row.Error, row.Seen.Problem)
	if problem != "" {
		first, _, _ := strings.Cut(problem, "\n")
		return fmt.Sprintf("%s\t-\t%s", row.Member, first)
	}
	newest, wal, archiving := "-", "-", "-"
	if n := len(row.Seen.Sets); n > 0 {
		s := row.Seen.Sets[n-1]
		newest = fmt.Sprintf("%s (%s, %s ago)", s.Label, s.Type, row.Seen.Now.Sub(s.Stop).Round(time.Second))
	}
	if row.Seen.WALMax != "" {
		wal = row.Seen.WALMin + " to " + row.Seen.WALMax
	}
	switch s := row.Seen.Server; {
	case s.ArchiveFails():
		archiving = "fails: " + s.FailedWAL
	case leads && len(row.Seen.Sets) == 0:
		archiving = "no backup to go with it: `pigsty pg backup` makes one"
	case leads:
		archiving = "works"
	}
	if row.Seen.Recovery != nil {
		archiving = "a restore was begun and is not done: run pgsql-pitr again"
	}
	return fmt.Sprintf("%s\t%d\t%s\t%s\t%s", row.Member, len(row.Seen.Sets), newest, wal, archiving)
}
