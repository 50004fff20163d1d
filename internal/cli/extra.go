package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"pigsty/internal/module"
	"pigsty/internal/plan"
)

// extraRow is something that is on the hosts and not in the inventory.
type extraRow struct {
	Type    string `json:"type"` // "extra"
	Module  string `json:"module"`
	Cluster string `json:"cluster,omitempty"`
	Host    string `json:"host"`
	Kind    string `json:"kind,omitempty"` // user, database, schema, extension
	Name    string `json:"name,omitempty"`
	Error   string `json:"error,omitempty"` // why it could not be found out
}

// extras asks the hosts, which are connected, what they have that the inventory
// does not declare. Nothing is ever changed because of it.
func (r *run) extras(ctx context.Context, hosts []*module.Host) ([]extraRow, error) {
	chosen := make([]*module.Host, len(hosts))
	for i, h := range hosts {
		chosen[i] = r.site.Host(h.Name()) // of the site that has facts
	}
	var steps []*plan.Step
	for _, m := range r.app.modules {
		if m.Extras != nil {
			steps = append(steps, m.Extras(r.site, chosen)...)
		}
	}
	g, err := plan.Arrange(steps, nil)
	if err != nil {
		return nil, err
	}
	seen, err := r.fleet.Observe(ctx, g, plan.Request{})
	if err != nil {
		return nil, err
	}
	var rows []extraRow
	for _, it := range seen.Items {
		row := extraRow{Type: "extra", Module: it.Step.Module, Cluster: it.Step.Cluster, Host: it.Step.Host}
		if why := it.Error + it.Change.Unknown + it.Change.Skipped; why != "" {
			row.Error = why
			rows = append(rows, row)
		}
		for _, a := range it.Change.Attrs {
			row.Kind, row.Name = a.Name, a.New
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// printExtras shows what extras found, below a plan.
func (a *app) printExtras(rows []extraRow) error {
	if a.json {
		enc := json.NewEncoder(a.out)
		for _, row := range rows {
			if err := enc.Encode(row); err != nil {
				return err
			}
		}
		return nil
	}
	if len(rows) == 0 {
		fmt.Fprintln(a.out, "Nothing is there that the inventory does not declare.")
		return nil
	}
	fmt.Fprintln(a.out, "\nNot in the inventory, and left alone:")
	cluster := ""
	for _, row := range rows {
		if row.Cluster != cluster {
			cluster = row.Cluster
			fmt.Fprintf(a.out, "%s\n", cluster)
		}
		if row.Error != "" {
			fmt.Fprintf(a.out, "  ? known %s\n", row.Error)
			continue
		}
		fmt.Fprintf(a.out, "  %s %s\n", row.Kind, row.Name)
	}
	return nil
}
