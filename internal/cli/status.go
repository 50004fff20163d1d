package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"pigsty/internal/engine"
	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

func (a *app) statusCommand() *cobra.Command {
	var limit string
	var extra []string
	c := &cobra.Command{
		Use:     "status",
		GroupID: "run",
		Short:   "Show what runs now: leaders, replicas, lag, services and their versions",
		Long: `Status asks the hosts what of the inventory runs there, in which role and
version, and at which ports. It changes nothing, on the hosts or beside the
inventory.`,
		Example: "  pigsty status\n  pigsty status -l pg-test --json",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.status(c.Context(), limit, extra)
		},
	}
	c.Flags().StringVarP(&limit, "limit", "l", "", "only hosts that match the `PATTERN`")
	c.Flags().StringArrayVarP(&extra, "extra-vars", "e", nil, "set a variable for this command: `KEY=VALUE`")
	return c
}

// statusRow is one instance as status shows it.
type statusRow struct {
	Type     string            `json:"type"` // "instance"
	Module   string            `json:"module"`
	Cluster  string            `json:"cluster"`
	Instance string            `json:"instance"`
	Host     string            `json:"host"`
	Role     string            `json:"role,omitempty"` // what it is now, not what the inventory says
	State    string            `json:"state"`
	Lag      *int64            `json:"lag,omitempty"` // bytes
	Services []string          `json:"services,omitempty"`
	More     map[string]string `json:"more,omitempty"`
}

func (a *app) status(ctx context.Context, limit string, extra []string) error {
	d, err := a.load(extra)
	if err != nil {
		return err
	}
	if err := d.check(); err != nil {
		return err
	}
	r := &run{deployment: d, site: d.site(d.knownFacts())}
	hosts, err := d.selected(r.site, limit)
	if err != nil {
		return err
	}
	rows, steps := r.instances(hosts)
	if len(steps) == 0 {
		return status(exitInvalid, "there is nothing on the selected hosts whose status could be shown")
	}
	g, err := plan.Arrange(steps, nil)
	if err != nil {
		return err
	}
	dial, err := r.dialer()
	if err != nil {
		return err
	}
	registerResources()
	var names []string
	for _, row := range rows {
		if !slices.Contains(names, row.Host) {
			names = append(names, row.Host)
		}
	}
	show := newProgress(a, r.site)
	r.fleet = engine.Connect(ctx, names, dial, signNothing, show.event)
	defer r.close()
	show.stop()
	if r.plan, err = r.fleet.Observe(ctx, g, plan.Request{}); err != nil {
		return err
	}
	for _, it := range r.plan.Items {
		rows[it.Step.ID()].fill(it)
	}
	return r.printStatus(steps, rows)
}

// signNothing is the signer of a run that only looks.
func signNothing(s resource.Signed, _ []byte) ([]byte, error) {
	return nil, fmt.Errorf("nothing is signed while only looking: %s", s.Key())
}

// instances returns a row and a step for each instance on hosts.
func (r *run) instances(hosts []*module.Host) (map[string]*statusRow, []*plan.Step) {
	rows := map[string]*statusRow{}
	var steps []*plan.Step
	for _, m := range r.app.modules {
		if m.Instances == nil {
			continue
		}
		for _, in := range m.Instances(r.site, hosts) {
			s := &plan.Step{Host: in.Host.Name(), Module: m.Declaration.Name, Resource: in.Report}
			steps = append(steps, s)
			rows[s.ID()] = &statusRow{Type: "instance", Module: strings.ToLower(m.Declaration.Name), Cluster: in.Cluster,
				Instance: in.Name, Host: in.Host.Name(), Services: in.Services, More: map[string]string{}}
		}
	}
	return rows, steps
}

// fill takes what was observed of the instance.
func (row *statusRow) fill(it plan.Item) {
	if it.Error != "" {
		row.State = "not reached"
		row.More["error"] = it.Error
		return
	}
	for _, attr := range it.Change.Attrs {
		switch attr.Name {
		case "role":
			row.Role = attr.New
		case "state":
			row.State = attr.New
		case "lag":
			if n, err := strconv.ParseInt(attr.New, 10, 64); err == nil {
				row.Lag = &n
			}
		default:
			row.More[attr.Name] = attr.New
		}
	}
}

func (r *run) printStatus(steps []*plan.Step, rows map[string]*statusRow) error {
	a := r.app
	down := 0
	for _, row := range rows {
		if row.State == "not reached" {
			down++
		}
	}
	if a.json {
		enc := json.NewEncoder(a.out)
		if err := enc.Encode(plan.Header{Type: "version", Format: plan.Format, Command: "status"}); err != nil {
			return err
		}
		for _, s := range steps {
			if err := enc.Encode(rows[s.ID()]); err != nil {
				return err
			}
		}
	} else {
		w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "INSTANCE\tHOST\tROLE\tSTATE\tLAG\tVERSION\tSERVICES\t")
		for _, s := range steps {
			row := rows[s.ID()]
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", row.Instance, row.Host, orDash(row.Role), row.State, row.lag(),
				orDash(row.More["version"]), strings.Join(row.Services, " "), row.more())
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if down > 0 {
		return status(exitHosts, "%s not reached", count(down, "instance"))
	}
	return nil
}

func (row *statusRow) lag() string {
	if row.Lag == nil {
		return "-"
	}
	return strconv.FormatInt(*row.Lag, 10)
}

// more is what is worth a word beside the columns.
func (row *statusRow) more() string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(row.More)) {
		if name != "timeline" && name != "version" && name != "database" {
			words = append(words, name+": "+row.More[name])
		}
	}
	return strings.Join(words, ", ")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
