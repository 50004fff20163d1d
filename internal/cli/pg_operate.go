package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"pigsty/internal/diag"
	"pigsty/internal/engine"
	"pigsty/internal/module"
	"pigsty/internal/module/pgsql"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
	"pigsty/internal/resource/patroni"
	"pigsty/internal/resource/postgres"
)

// operating is one operation on one cluster.
type operating struct {
	*run
	*pgFlags
	ctx      context.Context // ends what is only looked at
	cluster  *pgsql.Cluster
	members  []string // that were named, by instance
	seen     patroni.Cluster
	destroys string // name that must be given because data goes; empty if none does
}

// operate looks how the cluster is, says what an operation would do to it, asks
// and does it. It goes the way of every apply: resources are observed, and then
// applied, so that a plan says what was seen.
func (a *app) operate(ctx context.Context, op operation, f *pgFlags, args []string) error {
	o, err := a.operatingOn(f, "pg-"+op.name, args[0])
	if err != nil {
		return err
	}
	for _, name := range args[1:] {
		if o.members, err = o.name(o.members, name); err != nil {
			return err
		}
	}
	for _, flag := range []*string{&f.to, &f.leader} {
		if *flag != "" {
			found, err := o.name(nil, *flag)
			if err != nil {
				return err
			}
			*flag = found[0]
		}
	}
	if op.asks && !o.canAsk() {
		return o.cannotAsk()
	}
	if err := o.start(ctx, o.cluster.Hosts()); err != nil {
		return err
	}
	defer o.close()
	if err := o.view(); err != nil && !(op.alone && o.cluster.Standalone()) {
		return err
	}
	steps, err := op.steps(o)
	if err != nil {
		return err
	}
	if err := o.observeSteps(steps); err != nil {
		return err
	}
	return o.finish(ctx)
}

// operatingOn loads the inventory and finds the cluster called name in it.
func (a *app) operatingOn(f *pgFlags, command, name string) (*operating, error) {
	d, err := a.load(nil)
	if err != nil {
		return nil, err
	}
	return d.operatingOn(f, plan.Request{Plays: []string{command}, Limit: name})
}

func (d *deployment) operatingOn(f *pgFlags, req plan.Request) (*operating, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	r := &run{deployment: d, req: req, site: d.site(d.knownFacts())}
	c := pgsql.Named(r.site, req.Limit)
	switch {
	case c == nil:
		near := diag.Nearest(req.Limit, slices.Values(pgsql.Names(r.site, nil)))
		return nil, status(exitInvalid, "there is no cluster %q%s; `pigsty pg list` shows them", req.Limit, didYouMean(near))
	case !c.Params.PatroniEnabled:
		return nil, status(exitInvalid, "%s: cluster %s runs without Patroni (patroni_enabled), which does all of this", c.Hosts()[0].At("patroni_enabled"), c.Name)
	}
	return &operating{run: r, pgFlags: f, cluster: c}, nil
}

// name appends the instance name of the member called name.
func (o *operating) name(to []string, name string) ([]string, error) {
	m := o.cluster.Member(name)
	if m == nil {
		names := pgsql.Names(o.site, o.cluster)
		return to, status(exitInvalid, "%s has no member %q%s; its members are %s", o.cluster.Name, name,
			didYouMean(diag.Nearest(name, slices.Values(names))), strings.Join(names, ", "))
	}
	return append(to, m.Instance()), nil
}

// start connects to hosts, and locks them unless nothing will be changed.
func (o *operating) start(ctx context.Context, hosts []*module.Host) error {
	o.ctx = ctx
	show := newProgress(o.app, o.site)
	defer show.stop()
	if err := o.connect(ctx, hosts, show.event); err != nil {
		o.close()
		return err
	}
	o.cluster = pgsql.Named(o.site, o.cluster.Name) // now with facts
	if o.preview {
		return nil
	}
	if err := o.lockAll(); err != nil {
		o.close()
		return err
	}
	return nil
}

// observeSteps plans steps. What cannot be done is an error.
func (o *operating) observeSteps(steps []*plan.Step) error {
	var err error
	if o.graph, err = plan.Arrange(steps, nil); err != nil {
		return err
	}
	if o.plan, err = o.fleet.Observe(o.ctx, o.graph, o.req); err != nil {
		return err
	}
	for i, h := range o.plan.Hosts {
		o.plan.Hosts[i].Label = label(o.site.Host(h.Name))
	}
	for _, it := range o.plan.Items {
		if it.Error != "" {
			return fmt.Errorf("%s: %s", it.Step.Resource.Key(), it.Error)
		}
	}
	return nil
}

// finish shows the plan, asks, and carries it out.
func (o *operating) finish(ctx context.Context) error {
	a, p := o.app, o.plan
	switch {
	case !a.json:
		p.Text(a.out, plan.Style{Color: a.coloured(a.out)})
	case o.preview || p.Empty():
		if err := p.JSON(a.out); err != nil {
			return err
		}
	}
	if o.preview || p.Empty() {
		return nil
	}
	if err := o.consent(ctx); err != nil {
		return err
	}
	summary, path, err := o.carry(ctx)
	if err != nil {
		return err
	}
	if err := o.outcome(ctx, summary, path); err != nil || a.json {
		return err
	}
	if err := o.view(); err == nil {
		return o.printMembers(o.cluster, o.seen)
	}
	return nil
}

// canAsk reports whether consent can be had, or need not be.
func (o *operating) canAsk() bool {
	return o.preview || o.confirmed || len(o.agreed) > 0 || o.app.cannotAsk() == ""
}

func (o *operating) cannotAsk() error {
	return fmt.Errorf("%s: look with --plan at what is interrupted, and pass -y or --yes %s to go on", o.app.cannotAsk(), o.cluster.Name)
}

// consent asks for what is about to be interrupted or destroyed. What destroys
// data wants its name.
func (o *operating) consent(ctx context.Context) error {
	name := o.destroys
	switch impact := o.plan.Impact(); {
	case impact <= resource.ImpactReload,
		slices.Contains(o.agreed, name) && name != "",
		name == "" && (o.confirmed || slices.Contains(o.agreed, o.cluster.Name)):
		return nil
	case o.app.cannotAsk() != "" && name == "":
		return o.cannotAsk()
	case o.app.cannotAsk() != "":
		return fmt.Errorf("this destroys data of %s: look with --plan, and say so with --yes %s", name, name)
	case name == "":
		return o.app.confirm(ctx, "Apply these changes?")
	}
	return o.app.typeName(ctx, "This destroys data of "+name, name)
}

// outcome is how the operation ended. A member's host that is down is no failure
// of an operation that other members did.
func (o *operating) outcome(ctx context.Context, s *engine.Summary, path string) error {
	for _, h := range o.plan.Hosts {
		if h.Error != "" {
			delete(s.Hosts, h.Name)
		}
	}
	return o.report(ctx, s, path)
}

// backups observes the backups that m's repository has, and what a recovery of
// them asks about, unless that is nil.
func (o *operating) backups(m *pgsql.Member, recovery *pgsql.PITR) (postgres.BackupsSeen, error) {
	it, err := o.look(m.Backups(recovery))
	if err != nil {
		return postgres.BackupsSeen{}, fmt.Errorf("%s: %w", m.Instance(), err)
	}
	return postgres.SeenBackups(it.Change)
}

// view observes how the cluster is.
func (o *operating) view() error {
	if o.cluster.Standalone() {
		return status(exitInvalid, "%s: cluster %s runs without Patroni (patroni_mode: remove), which does all of this; `pigsty status` shows how it is",
			o.cluster.Hosts()[0].At("patroni_mode"), o.cluster.Name)
	}
	it, err := o.look(o.cluster.View())
	if err == nil {
		o.seen, err = patroni.Seen(it.Change)
	}
	switch {
	case errors.Is(err, engine.ErrInterrupted):
		return err
	case err != nil:
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
	seen, err := o.fleet.Observe(o.ctx, g, plan.Request{})
	if err != nil {
		return plan.Item{}, err
	}
	it := seen.Items[0]
	if it.Error != "" {
		return it, errors.New(it.Error)
	}
	return it, nil
}
