package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pigsty/internal/module/pgsql"
	"pigsty/internal/plan"
	"pigsty/internal/resource/patroni"
	"pigsty/internal/resource/postgres"
	"pigsty/internal/secret"
)

// pitrName is the command that restores a cluster, called as Pigsty's playbook is.
const pitrName = "pgsql-pitr"

// pitrFlags say what to restore.
type pitrFlags struct {
	pgFlags
	limit, member                            string
	extra                                    []string
	time, lsn, xid, name, set, backup, tline string
	latest, immediate, exclusive, check      bool
}

func (a *app) pitrCommand() *cobra.Command {
	var f pitrFlags
	c := &cobra.Command{
		Use:     pitrName + " [CLUSTER]",
		GroupID: "play",
		Short:   "Restore a cluster to a point in time",
		Long: `Pgsql-pitr restores a whole cluster, in place, from its pgBackRest backups and
archived write-ahead log: to a time, a log position, a transaction, a named
restore point, or the end of what was archived. What was committed later is lost
to the cluster, though it stays in the archive.

A new cluster on fresh hosts gets back what a lost one of its name left in the
repository. With pg_pitr.cluster it becomes a copy of another cluster, and with
pg_pitr.repo the backups come from another repository. All that the cluster has
is lost then; where it comes from is only read.

The leader is restored; Patroni is paused meanwhile, and clients are kept out
until it leads again. Then the replicas are copied anew. The target is checked
before anything is stopped, and the cluster's name is asked for (--yes NAME
where there is no terminal). A restore that is cut is gone on with by the same
command.

What to restore may also stand in the inventory as pg_pitr, or come with -e.`,
		Example: `  pigsty pgsql-pitr -l pg-test --time '2030-01-31 12:00:00+00' --plan
  pigsty pgsql-pitr -l pg-test --name before-upgrade
  pigsty pgsql-pitr -l pg-test -e '{"pg_pitr": {"lsn": "0/4000000"}}' --yes pg-test
  pigsty pgsql-pitr -l pg-copy -e '{"pg_pitr": {"cluster": "pg-test"}}' --plan`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeCluster(0),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 && f.limit != "" {
				return fmt.Errorf("name the cluster either with -l or as %q, not both", args[0])
			}
			f.limit += strings.Join(args, "")
			f.preview = f.preview || f.check
			return a.pitr(c.Context(), &f)
		},
	}
	flags := c.Flags()
	flags.StringVarP(&f.limit, "limit", "l", "", "the `CLUSTER` to restore")
	flags.StringArrayVarP(&f.extra, "extra-vars", "e", nil, "set a variable for this run, such as pg_pitr: `KEY=VALUE`")
	flags.StringVar(&f.time, "time", "", "restore to this `TIME`, such as '2030-01-31 12:00:00+00'")
	flags.StringVar(&f.lsn, "lsn", "", "restore to this position in the write-ahead log: `LSN`")
	flags.StringVar(&f.xid, "xid", "", "restore to this transaction: `XID`")
	flags.StringVar(&f.name, "name", "", "restore to this restore point: `NAME`")
	flags.BoolVar(&f.latest, "latest", false, "restore everything that was archived")
	flags.BoolVar(&f.immediate, "immediate", false, "restore the backup alone, to the moment that it ended")
	flags.BoolVar(&f.exclusive, "exclusive", false, "stop just before the target")
	flags.StringVar(&f.set, "set", "", "start from the backup with this `LABEL`; the newest before the target unless given")
	flags.StringVar(&f.backup, "backup", "", "the same as --set `LABEL`")
	flags.StringVar(&f.tline, "timeline", "", "follow this `TIMELINE`: a number, latest (unless given), or current for the backup's own")
	flags.StringVar(&f.member, "member", "", "restore this `MEMBER`; the leader unless given")
	flags.BoolVar(&f.preview, "plan", false, "only say what would be restored, from what, and what is lost")
	flags.BoolVarP(&f.check, "check", "C", false, "the same as --plan")
	flags.StringSliceVar(&f.agreed, "yes", nil, "`NAME` of the cluster, in place of asking")
	return c
}

// target returns the flags as a value of pg_pitr; ok is whether there are any.
func (f *pitrFlags) target() (value map[string]any, ok bool, err error) {
	value = map[string]any{}
	var targets []string
	for name, text := range map[string]string{"time": f.time, "lsn": f.lsn, "xid": f.xid, "name": f.name} {
		if text != "" {
			value[name] = text
			targets = append(targets, "--"+name)
		}
	}
	if f.latest {
		value["type"] = "default"
		targets = append(targets, "--latest")
	}
	if f.immediate {
		value["type"] = "immediate"
		targets = append(targets, "--immediate")
	}
	slices.Sort(targets)
	switch {
	case len(targets) > 1:
		return nil, false, fmt.Errorf("%s: keep one of them", strings.Join(targets, ", "))
	case f.set != "" && f.backup != "" && f.set != f.backup:
		return nil, false, errors.New("--set and --backup are the same: keep one of them")
	}
	if label := cmp.Or(f.set, f.backup); label != "" {
		value["set"] = label
	}
	if f.tline != "" {
		value["timeline"] = f.tline
	}
	if f.exclusive {
		value["exclusive"] = true
	}
	if len(value) > 0 && len(targets) == 0 {
		return nil, false, errors.New("say what to restore to: --time, --lsn, --xid, --name, --immediate or --latest")
	}
	return value, len(value) > 0, nil
}

// pitr restores a cluster.
func (a *app) pitr(ctx context.Context, f *pitrFlags) error {
	if f.limit == "" {
		return fmt.Errorf("name the cluster to restore: pigsty %s -l CLUSTER", pitrName)
	}
	value, given, err := f.target()
	if err != nil {
		return err
	}
	extra := slices.Clone(f.extra)
	if given {
		data, err := json.Marshal(map[string]any{"pg_pitr": value})
		if err != nil {
			return err
		}
		extra = append(extra, string(data))
	}
	d, err := a.load(extra)
	if err != nil {
		return err
	}
	req := plan.Request{Plays: []string{pitrName}, Limit: f.limit}
	for _, e := range extra {
		req.Extra = append(req.Extra, secret.New(e))
	}
	o, err := d.operatingOn(&f.pgFlags, req)
	if err != nil {
		return err
	}
	if _, set := o.cluster.Wanted(); !set {
		return fmt.Errorf("say what to restore %s to: --time, --lsn, --xid, --name, --immediate or --latest, or pg_pitr in the inventory", o.cluster.Name)
	}
	if f.member != "" {
		found, err := o.name(nil, f.member)
		if err != nil {
			return err
		}
		f.member = found[0]
	}
	o.destroys = o.cluster.Name
	if !o.canAsk() {
		return fmt.Errorf("%s throws away what %s has now: look with --plan, and say so with --yes %s", pitrName, o.destroys, o.destroys)
	}
	if err := o.start(ctx, o.cluster.Hosts()); err != nil {
		return err
	}
	defer o.close()
	r, err := o.recovery(f.member)
	if err != nil {
		return err
	}
	if err := o.observeSteps(r.Steps()); err != nil {
		return err
	}
	if err := o.show(r); err != nil {
		return err
	}
	return o.finish(ctx)
}

// recovery observes the cluster and its backups and finds out how the target
// can be reached. Every member must be there: one that goes on by itself would
// be another cluster of the same name.
func (o *operating) recovery(member string) (*pgsql.Recovery, error) {
	if o.cluster.Standalone() {
		return nil, status(exitInvalid, "cluster %s runs without Patroni (patroni_mode: remove), which a restore would bring back; restore by hand with pgbackrest", o.cluster.Name)
	}
	target, _ := o.cluster.Wanted()
	seen := map[*pgsql.Member]postgres.BackupsSeen{}
	for _, m := range o.cluster.Members {
		if err := o.fleet.Err(m.Name()); err != nil {
			return nil, status(exitHosts, "%s is not reached: %v; every member must stop for a restore: bring it back, or take it out of the inventory", m.Instance(), err)
		}
		found, err := o.backups(m, target)
		if err != nil {
			return nil, err
		}
		seen[m] = found
	}
	var view *patroni.Cluster
	if err := o.view(); err == nil {
		view = &o.seen
	}
	r, err := o.cluster.Recover(target, view, member, seen)
	if err != nil {
		return nil, fmt.Errorf("%w; nothing was changed", err)
	}
	return r, nil
}

// show says what will be restored from what, and what that costs.
func (o *operating) show(r *pgsql.Recovery) error {
	a := o.app
	stops := strings.Join(r.Stops(), ", ")
	if a.json {
		return json.NewEncoder(a.out).Encode(struct {
			Type     string             `json:"type"` // "recovery"
			Cluster  string             `json:"cluster"`
			Member   string             `json:"member"`
			Target   string             `json:"target"`
			Source   string             `json:"source"`  // stanza and repository
			Foreign  bool               `json:"foreign"` // whether that is not what this cluster has
			Backup   postgres.BackupSet `json:"backup"`
			WALMax   string             `json:"wal_max"`
			Timeline int                `json:"timeline"`        // the server's
			Follows  int                `json:"target_timeline"` // 0 for the backup's
			Lost     string             `json:"lost"`
			Stops    []string           `json:"stops"`
			Phase    string             `json:"phase,omitempty"`
		}{"recovery", r.Cluster.Name, r.Member.Instance(), r.Target.Words(), r.Source(), r.Foreign, r.Set, r.Seen.WALMax, r.Seen.Server.Timeline, r.Line.ID, r.Lost(), r.Stops(), r.Phase})
	}
	fmt.Fprintf(a.out, "%s is restored on %s to %s\n", r.Cluster.Name, r.Member.Instance(), r.Target.Words())
	line := func(name, format string, args ...any) {
		fmt.Fprintf(a.out, "  %-10s%s\n", name, fmt.Sprintf(format, args...))
	}
	if r.Phase != "" {
		line("goes on", "an earlier run was cut when it was %s", r.Phase)
	}
	line("source", "%s", r.Source())
	line("backup", "%s (%s, ended %s, %d MB)", r.Set.Label, r.Set.Type, r.Set.Stop.UTC().Format(time.DateTime+"Z07:00"), r.Set.Size>>20)
	until := ", and what is archived until the stop"
	if r.Foreign {
		until = ""
	}
	line("WAL", "%s to %s%s", r.Set.StartWAL, r.Seen.WALMax, until)
	line("timeline", "%s; the restored cluster begins a new one", r.Timeline())
	line("lost", "%s", r.Lost())
	if to := r.Archives(); to != "" {
		line("archives", "%s", to)
	}
	line("stops", "%s; nothing is served from then until %s leads again", stops, r.Member.Instance())
	if len(r.Stops()) > 1 {
		line("copied", "%s, anew from %s", strings.Join(r.Stops()[:len(r.Stops())-1], ", "), r.Member.Instance())
	}
	fmt.Fprintln(a.out)
	return nil
}
