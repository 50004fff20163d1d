package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"pigsty/internal/module/pgsql"
	"pigsty/internal/plan"
	"pigsty/internal/resource/patroni"
	"pigsty/internal/resource/postgres"
)

// pgFlags are the flags of every command that operates a PostgreSQL cluster.
type pgFlags struct {
	preview   bool
	confirmed bool
	agreed    []string
	force     bool
	leader    string
	to        string
	kind      string
}

func (f *pgFlags) common(c *cobra.Command) {
	c.Flags().BoolVar(&f.preview, "plan", false, "only say what it would do and what that interrupts")
	c.Flags().BoolVarP(&f.confirmed, "assume-yes", "y", false, "do not ask, unless data is lost")
	c.Flags().StringSliceVar(&f.agreed, "yes", nil, "`NAME` of what it may interrupt or destroy, in place of asking")
}

// operation is one of the things that can be done to a cluster that runs.
type operation struct {
	name, args, short, long, example string
	members                          int // how many members may be named: -1 for any number
	flags                            func(c *cobra.Command, f *pgFlags)
	// steps says what to do, from how the cluster is seen to be.
	steps func(o *operating) ([]*plan.Step, error)
}

// operations are in the order of help.
var operations = []operation{
	{
		name: "switchover", args: "CLUSTER", short: "Hand the lead to another member", steps: switchover,
		long: `Switchover makes another member the leader: the one given with --to, else the
replica that is least behind. Sessions on the old leader end and writes pause for
a few seconds; no committed transaction is lost.`,
		example: "  pigsty pg switchover pg-test --plan\n  pigsty pg switchover pg-test --to pg-test-2",
		flags: func(c *cobra.Command, f *pgFlags) {
			c.Flags().StringVar(&f.to, "to", "", "`MEMBER` that shall lead")
			c.Flags().StringVar(&f.leader, "leader", "", "`MEMBER` that leads now; refuse if another does")
		},
	},
	{
		name: "failover", args: "CLUSTER", short: "Make a member the leader when there is none", steps: failover,
		long: `Failover makes a member the leader of a cluster that has none: the one given
with --to, else the one that has most of the write-ahead log. What was committed
and has not reached it is lost. With --force it also replaces a leader.`,
		example: "  pigsty pg failover pg-test --to pg-test-2\n  pigsty pg failover pg-test --force --yes pg-test",
		flags: func(c *cobra.Command, f *pgFlags) {
			c.Flags().StringVar(&f.to, "to", "", "`MEMBER` that shall lead")
			c.Flags().BoolVar(&f.force, "force", false, "although a member leads")
		},
	},
	{
		name: "restart", args: "CLUSTER [MEMBER…]", short: "Restart PostgreSQL, one member after another", members: -1, steps: restart,
		long: `Restart restarts the members whose settings wait for it, the named ones, or with
--all every one: replicas first, each when the one before is back, then the
leader, which hands over first. Sessions on a member end when it restarts;
writes pause for a few seconds at the switchover.`,
		example: "  pigsty pg restart pg-test --plan\n  pigsty pg restart pg-test --all\n  pigsty pg restart pg-test pg-test-2",
		flags: func(c *cobra.Command, f *pgFlags) {
			c.Flags().BoolVar(&f.force, "all", false, "members that need no restart, too")
			c.Flags().BoolVar(&f.force, "force", false, "the same as --all")
		},
	},
	{
		name: "reload", args: "CLUSTER [MEMBER…]", short: "Have members read their configuration again", members: -1, steps: reload,
		long:    "Reload makes Patroni, and with it PostgreSQL, read its configuration again. It interrupts nothing.",
		example: "  pigsty pg reload pg-test",
	},
	{
		name: "reinit", args: "CLUSTER MEMBER", short: "Copy a replica anew from the leader", members: 1, steps: reinit,
		long: `Reinit throws the data of a replica away and copies the leader's. The replica
serves nobody meanwhile; the rest of the cluster goes on. It asks for the
member's name, or for --yes MEMBER where there is no terminal.`,
		example: "  pigsty pg reinit pg-test pg-test-3\n  pigsty pg reinit pg-test pg-test-3 --yes pg-test-3",
	},
	{
		name: "pause", args: "CLUSTER", short: "Keep Patroni from acting on failures", steps: func(o *operating) ([]*plan.Step, error) { return o.cluster.Pause(true), nil },
		long:    "Pause interrupts nothing. While a cluster is paused nobody takes over when its leader fails, and servers that stop stay stopped.",
		example: "  pigsty pg pause pg-test",
	},
	{
		name: "resume", args: "CLUSTER", short: "Let Patroni act on failures again", steps: func(o *operating) ([]*plan.Step, error) { return o.cluster.Pause(false), nil },
		long:    "Resume undoes pause.",
		example: "  pigsty pg resume pg-test",
	},
	{
		name: "backup", args: "CLUSTER", short: "Make a backup now, on the leader", steps: backup,
		long: `Backup has pgBackRest back the leader up into its repository. It interrupts
nothing, and reads the whole data directory. An incr or diff backup becomes a
full one where there is none to build on.`,
		example: "  pigsty pg backup pg-test\n  pigsty pg backup pg-test --type full",
		flags: func(c *cobra.Command, f *pgFlags) {
			c.Flags().StringVar(&f.kind, "type", "incr", "`KIND` of backup: full, diff or incr")
		},
	},
}

func (a *app) pgCommand() *cobra.Command {
	group := &cobra.Command{
		Use:     "pg",
		GroupID: "run",
		Short:   "Operate PostgreSQL clusters: switch over, restart, reinitialize, back up",
		Long: `These commands operate clusters that run. They reach Patroni by way of the
members' hosts, any of them that answers. Each shows what it would do with
--plan, and asks before it interrupts anything. To restore a cluster to a point
in time see pgsql-pitr.`,
		Example: "  pigsty pg list\n  pigsty pg status pg-test\n  pigsty pg switchover pg-test --to pg-test-2",
		Args:    cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			return unknownCommand(c, args[0])
		},
	}
	group.AddCommand(a.pgListCommand(), a.pgStatusCommand())
	for _, op := range operations {
		group.AddCommand(a.operationCommand(op))
	}
	return group
}

func (a *app) operationCommand(op operation) *cobra.Command {
	var f pgFlags
	c := &cobra.Command{
		Use: op.name + " " + op.args, Short: op.short, Long: op.long, Example: op.example,
		ValidArgsFunction: a.completeCluster(op.members),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return fmt.Errorf("name a cluster; `pigsty pg list` shows them, see `%s --help`", c.CommandPath())
			case op.members >= 0 && len(args) > 1+op.members:
				return fmt.Errorf("%s takes %s, but there is also %q; see `%s --help`", c.CommandPath(), op.args, args[1+op.members], c.CommandPath())
			case op.members == 1 && len(args) < 2:
				return fmt.Errorf("name a member of %s; `pigsty pg list %s` shows them", args[0], args[0])
			}
			return a.operate(c.Context(), op, &f, args)
		},
	}
	f.common(c)
	if op.flags != nil {
		op.flags(c, &f)
	}
	if c.Flag("to") != nil {
		_ = c.RegisterFlagCompletionFunc("to", a.completeCluster(-1)) // it fails only for a flag that is not there
	}
	return c
}

// completeCluster completes the name of a cluster and then those of its members.
func (a *app) completeCluster(members int) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		d, err := a.load(nil)
		if err != nil || d.problems.HasErrors() {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		site := d.site(nil)
		if len(args) == 0 {
			return pgsql.Names(site, nil), cobra.ShellCompDirectiveNoFileComp
		}
		c := pgsql.Named(site, args[0])
		if c == nil || members >= 0 && len(args) > members {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return pgsql.Names(site, c), cobra.ShellCompDirectiveNoFileComp
	}
}

func switchover(o *operating) ([]*plan.Step, error) {
	leader, led := o.seen.Leader()
	switch {
	case !led:
		return nil, fmt.Errorf("%s has no leader to hand over; `pigsty pg failover %s` makes a member the leader", o.cluster.Name, o.cluster.Name)
	case o.leader != "" && o.leader != leader.Name:
		return nil, fmt.Errorf("%s leads %s, not %s; nothing was changed", leader.Name, o.cluster.Name, o.leader)
	case o.to == leader.Name:
		return nil, fmt.Errorf("%s leads already", o.to)
	}
	return o.cluster.Switchover(leader.Name, o.to), nil
}

func failover(o *operating) ([]*plan.Step, error) {
	leader, led := o.seen.Leader()
	switch {
	case led && !o.force:
		return nil, fmt.Errorf("%s leads %s: `pigsty pg switchover %s` hands over without loss; --force fails over all the same", leader.Name, o.cluster.Name, o.cluster.Name)
	case led && o.to == leader.Name:
		return nil, fmt.Errorf("%s leads already", o.to)
	case led:
		o.destroys = o.cluster.Name
	}
	return o.cluster.Failover(leader.Name, o.to), nil
}

func restart(o *operating) ([]*plan.Step, error) {
	running := map[string]string{}
	for _, m := range o.seen.Members {
		if o.force && len(o.members) == 0 || slices.Contains(o.members, m.Name) {
			running[m.Name] = m.Started
		}
	}
	for _, name := range o.members {
		if _, ok := running[name]; !ok {
			return nil, fmt.Errorf("%s is no member of %s now; `pigsty pg list %s` shows who is", name, o.cluster.Name, o.cluster.Name)
		}
	}
	return o.cluster.Restart(running), nil
}

func reload(o *operating) ([]*plan.Step, error) { return o.cluster.Reload(o.members), nil }

func reinit(o *operating) ([]*plan.Step, error) {
	m, _ := o.seen.Member(o.members[0])
	o.destroys = o.members[0]
	return o.cluster.Member(o.members[0]).Reinit(m.Started), nil
}

func backup(o *operating) ([]*plan.Step, error) {
	if !slices.Contains([]string{"full", "diff", "incr"}, o.kind) {
		return nil, fmt.Errorf("--type must be full, diff or incr, not %q", o.kind)
	}
	leader, led := o.seen.Leader()
	if !led {
		return nil, fmt.Errorf("%s has no leader to back up; `pigsty pg list %s` shows how its members are", o.cluster.Name, o.cluster.Name)
	}
	m := o.cluster.Member(leader.Name)
	if m == nil {
		return nil, fmt.Errorf("%s leads %s, and the inventory has no such member", leader.Name, o.cluster.Name)
	}
	seen, err := o.backups(m)
	if err != nil {
		return nil, err
	}
	if seen.Problem != "" {
		return nil, fmt.Errorf("the backups of %s cannot be read: %s", leader.Name, seen.Problem)
	}
	newest := ""
	if n := len(seen.Sets); n > 0 {
		newest = seen.Sets[n-1].Label
	}
	return o.cluster.Backup(o.kind, newest), nil
}

// backups observes the backups that m's repository has.
func (o *operating) backups(m *pgsql.Member) (postgres.BackupsSeen, error) {
	it, err := o.look(m.Backups())
	if err != nil {
		return postgres.BackupsSeen{}, fmt.Errorf("%s: %w", m.Instance(), err)
	}
	return postgres.SeenBackups(it.Change)
}

// view observes how the cluster is.
func (o *operating) view() error {
	it, err := o.look(o.cluster.View())
	if err == nil {
		o.seen, err = patroni.Seen(it.Change)
	}
	if err != nil {
		return fmt.Errorf("nobody says how %s is:\n  %s", o.cluster.Name, strings.ReplaceAll(err.Error(), "\n", "\n  "))
	}
	return nil
}

// look observes one step.
func (o *operating) look(s *plan.Step) (plan.Item, error) {
	g, err := plan.Arrange([]*plan.Step{s}, nil)
	if err != nil {
		return plan.Item{}, err
	}
	it := o.fleet.Observe(g, plan.Request{}).Items[0]
	if it.Error != "" {
		return it, errors.New(it.Error)
	}
	return it, nil
}
