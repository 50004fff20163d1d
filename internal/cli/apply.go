package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"pigsty/internal/diag"
	"pigsty/internal/engine"
	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
	"pigsty/internal/secret"
)

// runFlags are the flags of every command that looks at hosts through plays.
type runFlags struct {
	limit    string
	tags     []string
	extra    []string
	verbose  bool
	listTags bool

	out      string
	detailed bool
	extras   bool

	confirmed bool
	yes       []string
	check     bool
}

func (f *runFlags) common(c *cobra.Command) {
	c.Flags().StringVarP(&f.limit, "limit", "l", "", "only hosts that match the `PATTERN`")
	c.Flags().StringSliceVarP(&f.tags, "tags", "t", nil, "only steps that carry one of these `TAGS`")
	c.Flags().StringArrayVarP(&f.extra, "extra-vars", "e", nil, "set a variable for this run: `KEY=VALUE`")
	c.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "show the content of new files and what is skipped")
	c.Flags().BoolVar(&f.listTags, "list-tags", false, "list the tags that -t takes and stop")
	c.Flags().BoolVarP(&f.confirmed, "assume-yes", "y", false, "do not ask before applying")
	c.Flags().BoolVarP(&f.check, "check", "C", false, "only plan, as the command plan does")
	c.Flags().StringSliceVar(&f.yes, "yes", nil, "`NAMES` of what may be destroyed")
}

func (f *runFlags) request(plays []string) plan.Request {
	req := plan.Request{Plays: plays, Limit: f.limit, Tags: f.tags}
	for _, e := range f.extra {
		req.Extra = append(req.Extra, secret.New(e))
	}
	return req
}

func (a *app) planCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:     "plan [PLAY…]",
		GroupID: "run",
		Short:   "Show what an apply would change, without changing it",
		Long: `Plan observes the hosts and shows, host by host, what differs from the
inventory: what would be created, changed, removed, reloaded or restarted, with
the reason and the impact. Without a PLAY it covers all that deploy does.`,
		Example: "  pigsty plan\n  pigsty plan pgsql -l pg-test -t pg_hba\n  pigsty plan --out change.plan && pigsty apply change.plan",
		RunE: func(c *cobra.Command, args []string) error {
			return a.plan(c.Context(), &f, f.request(a.chosenPlays(args)))
		},
	}
	f.common(c)
	for _, name := range []string{"check", "assume-yes"} {
		_ = c.Flags().MarkHidden(name) // it fails only for a flag that is not there
	}
	c.Flags().StringVar(&f.out, "out", "", "save the plan to `FILE`, readable by you only, for apply")
	c.Flags().BoolVar(&f.detailed, "detailed-exitcode", false, "exit with 2 when there are changes")
	c.Flags().BoolVar(&f.extras, "extra", false, "also list users, databases, schemas and extensions that the inventory does not declare")
	return c
}

func (a *app) applyCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:     "apply [PLAY… | FILE]",
		GroupID: "run",
		Short:   "Plan, ask, and make the changes",
		Long: `Apply plans, asks on a terminal, and makes the changes, each as soon as what it
depends on is done. With the FILE of a saved plan it makes exactly those
changes, or says what has changed since. An apply that is interrupted is
finished by the next one.`,
		Example: "  pigsty apply\n  pigsty apply node etcd -y\n  pigsty apply change.plan",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 && findPlay(a.modules, args[0]) == nil {
				return a.applySaved(c.Context(), &f, args[0])
			}
			return a.apply(c.Context(), &f, f.request(a.chosenPlays(args)), nil)
		},
	}
	f.common(c)
	return c
}

func (a *app) deployCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:     "deploy",
		GroupID: "run",
		Short:   "Run every play in dependency order",
		Long:    `Deploy makes every host and cluster of the inventory what it should be.`,
		Example: "  pigsty deploy\n  pigsty deploy -l pg-test",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			f.confirmed = true
			return a.apply(c.Context(), &f, f.request(a.chosenPlays(nil)), nil)
		},
	}
	f.common(c)
	return c
}

func (a *app) playCommand(p module.Play) *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:     p.Name + " " + arguments(p.Name),
		Args:    expected(p.Name),
		Aliases: scriptsOf(p.Name),
		GroupID: "play",
		Short:   p.Short,
		Example: fmt.Sprintf("  pigsty %s -l PATTERN\n  pigsty %s -l PATTERN --check", p.Name, p.Name),
		RunE: func(c *cobra.Command, args []string) error {
			limit, extra := positional(p.Name, args)
			if limit != "" && f.limit != "" {
				return fmt.Errorf("name the hosts either with -l or as %q, not both", strings.Join(args, " "))
			}
			f.limit += limit
			f.extra = append(f.extra, extra...)
			f.confirmed = true
			return a.apply(c.Context(), &f, f.request([]string{p.Name}), nil)
		},
	}
	f.common(c)
	return c
}

// chosenPlays are the plays named, or those of a deployment in order.
func (a *app) chosenPlays(names []string) []string {
	if len(names) > 0 {
		return names
	}
	var plays []module.Play
	for _, m := range a.modules {
		for _, p := range m.Plays {
			if p.Deploy > 0 {
				plays = append(plays, p)
			}
		}
	}
	slices.SortStableFunc(plays, func(x, y module.Play) int { return x.Deploy - y.Deploy })
	for _, p := range plays {
		names = append(names, p.Name)
	}
	return names
}

func (a *app) plan(ctx context.Context, f *runFlags, req plan.Request) error {
	if f.listTags {
		return a.listTags(req.Plays)
	}
	r, hosts, err := a.prepare(req)
	if err != nil {
		return err
	}
	r.yes = f.yes
	show := newProgress(a, r.site)
	err = r.connect(ctx, hosts, show.event)
	defer r.close()
	show.stop()
	if err != nil {
		return err
	}
	if err := r.observe(ctx); err != nil {
		return err
	}
	if f.out != "" {
		if err := r.plan.Save(f.out); err != nil {
			return fmt.Errorf("save the plan: %w", err)
		}
	}
	if a.json {
		if err := r.plan.JSON(a.out); err != nil {
			return err
		}
	} else {
		r.plan.Text(a.out, plan.Style{Color: a.coloured(a.out), Verbose: f.verbose})
	}
	if f.extras {
		rows, err := r.extras(ctx, hosts)
		if err != nil {
			return err
		}
		if err := a.printExtras(rows); err != nil {
			return err
		}
	}
	return r.planOutcome(f.detailed)
}

// applySaved applies a saved plan, if the hosts still differ in just that way.
func (a *app) applySaved(ctx context.Context, f *runFlags, path string) error {
	saved, err := plan.ReadSaved(path)
	if err != nil {
		return fmt.Errorf("%q is no play%s and cannot be read as a saved plan: %w", path, didYouMean(diag.Nearest(path, slices.Values(a.playNames()))), err)
	}
	if f.limit != "" || len(f.tags)+len(f.extra) > 0 {
		return fmt.Errorf("%s says already what it covers: leave out -l, -t and -e, or plan again with them", path)
	}
	f.confirmed = true
	return a.apply(ctx, f, saved.Request, saved)
}

func (a *app) apply(ctx context.Context, f *runFlags, req plan.Request, saved *plan.Saved) error {
	if f.listTags {
		return a.listTags(req.Plays)
	}
	if f.check {
		return a.plan(ctx, f, req)
	}
	r, hosts, err := a.prepare(req)
	if err != nil {
		return err
	}
	return r.change(ctx, f, hosts, saved)
}

// change plans, asks, and makes the changes of a run that is prepared.
func (r *run) change(ctx context.Context, f *runFlags, hosts []*module.Host, saved *plan.Saved) error {
	a := r.app
	if why := a.cannotAsk(); !f.confirmed && why != "" {
		return fmt.Errorf("%s: look at the changes with `pigsty plan`, and pass -y to apply without asking", why)
	}
	r.yes = f.yes
	if err := r.confirmRemoval(ctx, hosts); err != nil {
		return err
	}
	show := newProgress(a, r.site)
	defer show.stop()
	err := r.connect(ctx, hosts, show.event)
	defer r.close()
	if err != nil {
		return err
	}
	if err := r.lockAll(); err != nil {
		return err
	}
	err = r.observe(ctx)
	show.stop()
	if err != nil {
		return fmt.Errorf("%w; nothing was changed", err)
	}
	if saved != nil {
		if changed := saved.Differences(r.plan); changed != nil {
			return fmt.Errorf("the hosts are not as they were when the plan was saved:\n  %s", strings.Join(changed, "\n  "))
		}
	}
	if !a.json {
		r.plan.Text(a.out, plan.Style{Color: a.coloured(a.out), Verbose: f.verbose})
	}
	if r.plan.Empty() {
		if a.json {
			if err := r.plan.JSON(a.out); err != nil {
				return err
			}
		}
		return r.planOutcome(false)
	}
	if !f.confirmed {
		if err := a.confirm(ctx, "Apply these changes?"); err != nil {
			return err
		}
	}
	return r.carryOut(ctx)
}

// carryOut makes the changes of the plan, showing and recording what happens.
func (r *run) carryOut(ctx context.Context) error {
	summary, path, err := r.carry(ctx)
	if err != nil {
		return err
	}
	return r.report(ctx, summary, path)
}

// carry makes the changes and returns what became of them and where the record is.
func (r *run) carry(ctx context.Context) (*engine.Summary, string, error) {
	record, err := r.newRecord()
	if err != nil {
		return nil, "", err
	}
	defer record.close()
	show := newProgress(r.app, r.site)
	show.expect(r.plan)
	r.fleet.Watch(func(e engine.Event) {
		record.event(e)
		show.event(e)
	})
	defer context.AfterFunc(ctx, func() {
		fmt.Fprintln(r.app.err, "interrupted: steps that run are let finish; interrupt again to leave them to their hosts")
	})()
	summary := r.fleet.Apply(ctx, r.graph, r.plan)
	show.stop()
	record.end(summary)
	return summary, record.path, nil
}

// confirm asks whether to go on, on a terminal.
func (a *app) confirm(ctx context.Context, question string) error {
	answer, err := a.answer(ctx, question+" [y/N] ")
	if answer = strings.ToLower(answer); err == nil && answer != "y" && answer != "yes" {
		err = errDeclined
	}
	return err
}

// confirmRemoval has the user name what a removing play destroys, and lets
// safeguards refuse it whatever the user says.
func (r *run) confirmRemoval(ctx context.Context, hosts []*module.Host) error {
	for _, p := range r.plays {
		if p.Removes == nil {
			continue
		}
		names, refused := p.Removes(r.site, hosts)
		if refused.HasErrors() {
			r.printProblems(r.app.err, refused)
			return status(exitError, "%s is refused by a safeguard; no host was contacted", p.Name)
		}
		for _, name := range names {
			if slices.Contains(r.yes, name) {
				continue
			}
			if !isTerminal(r.app.in) {
				return fmt.Errorf("%s destroys %s: say so with --yes %s", p.Name, strings.Join(names, ", "), strings.Join(names, ","))
			}
			if err := r.app.typeName(ctx, p.Name+" destroys "+name, name); err != nil {
				return err
			}
			r.yes = append(r.yes, name)
		}
	}
	return nil
}

// refuseLoss turns steps that destroy data into errors unless a removing play
// was confirmed or the step's key is among the names given with --yes.
func (r *run) refuseLoss() {
	for _, p := range r.plays {
		if p.Removes != nil {
			return
		}
	}
	for i := range r.plan.Items {
		it := &r.plan.Items[i]
		key := it.Step.Resource.Key()
		if it.Change.Impact == resource.ImpactDataLoss && !slices.Contains(r.yes, key) {
			it.Error = fmt.Sprintf("refused because it destroys data (%s); ask for it by name with --yes %q", it.Change.Reason, key)
		}
	}
}

func (a *app) listTags(plays []string) error {
	for _, name := range plays {
		p := findPlay(a.modules, name)
		if p == nil {
			return status(exitInvalid, "there is no play %q%s", name, didYouMean(diag.Nearest(name, slices.Values(a.playNames()))))
		}
		fmt.Fprintf(a.out, "%s: %s\n", name, strings.Join(p.Tags, " "))
	}
	return nil
}
