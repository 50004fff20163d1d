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
	var ansible ansibleFlags
	c := &cobra.Command{
		Use:     "list",
		GroupID: "look",
		Short:   "List hosts, groups, clusters, instances and services",
		Long: `List shows what the inventory declares on which host.

With --ansible it answers as Ansible expects it of an inventory that is a
program: --list for the groups and the variables of all hosts, --host NAME for
those of one. Since Ansible needs passwords, they are NOT masked there, and
nothing is printed to a terminal unless --show-secrets is given.`,
		Example: "  pigsty list\n  pigsty list -l pg-test --json\n  pigsty list --ansible --list > inventory.json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := ansible.check(limit); err != nil {
				return err
			}
			if ansible.on {
				return a.listForAnsible(ansible, extra)
			}
			d, err := a.load(extra)
			if err != nil {
				return err
			}
			if err := d.check(); err != nil {
				return err
			}
			site := d.site(nil)
			hosts, err := d.selected(site, limit)
			if err != nil {
				return err
			}
			return d.list(site, hosts)
		},
	}
	c.Flags().StringVarP(&limit, "limit", "l", "", "only hosts that match the `PATTERN`")
	c.Flags().StringArrayVarP(&extra, "extra-vars", "e", nil, "set a variable for this command: `KEY=VALUE`")
	c.Flags().BoolVar(&ansible.on, "ansible", false, "print JSON for Ansible, secrets included")
	c.Flags().BoolVar(&ansible.list, "list", false, "with --ansible: all groups and hosts; so it is without --host, too")
	c.Flags().StringVar(&ansible.host, "host", "", "with --ansible: the variables of the host `NAME`")
	c.Flags().BoolVar(&ansible.showSecrets, "show-secrets", false, "with --ansible: print secrets to a terminal too")
	return c
}

// listed is one host as list shows it.
type listed struct {
	Type      string    `json:"type"` // "host"
	Host      string    `json:"host"`
	Groups    []string  `json:"groups"`
	Instances []listing `json:"instances"`
}

// listing is one instance on a host.
type listing struct {
	Module   string   `json:"module"`
	Cluster  string   `json:"cluster"`
	Instance string   `json:"instance"`
	Role     string   `json:"role,omitempty"`
	Services []string `json:"services,omitempty"` // name:port
}

func (d *deployment) list(site *module.Site, hosts []*module.Host) error {
	a := d.app
	if a.json {
		enc := json.NewEncoder(a.out)
		if err := enc.Encode(plan.Header{Type: "version", Format: plan.Format, Command: "list"}); err != nil {
			return err
		}
		for _, l := range d.describe(site, hosts) {
			if err := enc.Encode(l); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HOST\tINSTANCE\tROLE\tMODULE\tGROUPS\tSERVICES")
	for _, l := range d.describe(site, hosts) {
		if len(l.Instances) == 0 {
			fmt.Fprintf(w, "%s\t-\t-\tnode\t%s\t\n", l.Host, strings.Join(l.Groups, ","))
		}
		for _, c := range l.Instances {
			role := c.Role
			if role == "" {
				role = "-"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", l.Host, c.Instance, role, c.Module, strings.Join(l.Groups, ","), strings.Join(c.Services, " "))
		}
	}
	return w.Flush()
}

// describe says of each of hosts which groups it is in and what it has of the modules.
func (d *deployment) describe(site *module.Site, hosts []*module.Host) []listed {
	out := make([]listed, len(hosts))
	index := map[string]int{}
	for i, h := range hosts {
		index[h.Name()] = i
		out[i] = listed{Type: "host", Host: h.Name(), Groups: []string{}, Instances: []listing{}}
		for _, g := range h.Groups() {
			if g.Name() != "all" {
				out[i].Groups = append(out[i].Groups, g.Name())
			}
		}
		slices.Sort(out[i].Groups)
	}
	for _, m := range d.app.modules {
		if m.Instances == nil {
			continue
		}
		for _, in := range m.Instances(site, hosts) {
			l := &out[index[in.Host.Name()]]
			l.Instances = append(l.Instances, listing{strings.ToLower(m.Declaration.Name), in.Cluster, in.Name, in.Role, in.Services})
		}
	}
	return out
}
