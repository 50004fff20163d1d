package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"pigsty/internal/module"
	"pigsty/internal/plan"
)

func (a *app) listCommand() *cobra.Command {
	var limit string
	var extra []string
	c := &cobra.Command{
		Use:     "list",
		GroupID: "look",
		Short:   "List hosts, groups, clusters, instances and services",
		Example: "  pigsty list\n  pigsty list -l pg-test --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			d, err := a.load(extra)
			if err != nil {
				return err
			}
			if err := d.check(); err != nil {
				return err
			}
			hosts, err := d.selected(d.site(nil), limit)
			if err != nil {
				return err
			}
			return d.list(hosts)
		},
	}
	c.Flags().StringVarP(&limit, "limit", "l", "", "only hosts that match the `PATTERN`")
	c.Flags().StringArrayVarP(&extra, "extra-vars", "e", nil, "set a variable for this command: `KEY=VALUE`")
	return c
}

// listed is one host as list shows it.
type listed struct {
	Type     string    `json:"type"` // "host"
	Host     string    `json:"host"`
	Groups   []string  `json:"groups"`
	Clusters []listing `json:"instances"`
}

// listing is one instance on a host.
type listing struct {
	Module   string   `json:"module"`
	Cluster  string   `json:"cluster"`
	Instance string   `json:"instance"`
	Role     string   `json:"role,omitempty"`
	Services []string `json:"services,omitempty"` // name:port
}

func (d *deployment) list(hosts []*module.Host) error {
	a := d.app
	if a.json {
		enc := json.NewEncoder(a.out)
		if err := enc.Encode(plan.Header{Type: "version", Format: plan.Format, Command: "list"}); err != nil {
			return err
		}
		for _, h := range hosts {
			if err := enc.Encode(d.describe(h)); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HOST\tINSTANCE\tROLE\tMODULE\tGROUPS\tSERVICES")
	for _, h := range hosts {
		l := d.describe(h)
		if len(l.Clusters) == 0 {
			fmt.Fprintf(w, "%s\t-\t-\tnode\t%s\t\n", l.Host, strings.Join(l.Groups, ","))
		}
		for _, c := range l.Clusters {
			role := c.Role
			if role == "" {
				role = "-"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", l.Host, c.Instance, role, c.Module, strings.Join(l.Groups, ","), strings.Join(c.Services, " "))
		}
	}
	return w.Flush()
}

func (d *deployment) describe(h *module.Host) listed {
	l := listed{Type: "host", Host: h.Name(), Groups: []string{}, Clusters: []listing{}}
	for _, g := range h.Groups() {
		if g.Name() != "all" {
			l.Groups = append(l.Groups, g.Name())
		}
	}
	slices.Sort(l.Groups)
	for _, m := range d.app.modules {
		if m.Instances == nil {
			continue
		}
		for _, in := range m.Instances(h) {
			l.Clusters = append(l.Clusters, listing{strings.ToLower(m.Declaration.Name), in.Cluster, in.Name, in.Role, in.Services})
		}
	}
	return l
}
