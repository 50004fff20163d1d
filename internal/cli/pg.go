package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"pigsty/internal/module/pgsql"
	"pigsty/internal/plan"
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
	members                          int  // how many members may be named: -1 for any number
	asks                             bool // whether it always interrupts something, so that it must be consented to
	alone                            bool // whether it can do without Patroni
	flags                            func(c *cobra.Command, f *pgFlags)
	// steps says what to do, from how the cluster is seen to be.
	steps func(o *operating) ([]*plan.Step, error)
}

// operations are in the order of help.
var operations = []operation{
	{
		name: "switchover", args: "CLUSTER", short: "Hand the lead to another member", steps: switchover, asks: true,
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
		name: "failover", args: "CLUSTER", short: "Make a member the leader when there is none", steps: failover, asks: true,
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
		name: "reinit", args: "CLUSTER MEMBER", short: "Copy a replica anew from the leader", members: 1, steps: reinit, asks: true,
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
		name: "backup", args: "CLUSTER", short: "Make a backup now, on the leader", steps: backup, alone: true,
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
