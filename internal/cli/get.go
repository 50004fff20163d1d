package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"pigsty/internal/diag"
	"pigsty/internal/inventory"
	"pigsty/internal/plan"
)

func (a *app) getCommand() *cobra.Command {
	var extra []string
	var all bool
	c := &cobra.Command{
		Use:     "get HOST [PARAMETER…]",
		GroupID: "look",
		Short:   "Explain which value a parameter has on a host, and where it comes from",
		Long: `Get shows the value that each PARAMETER has on HOST, the group, host or option
that gives it with its file and line, and the weaker values that it overrides.
Without a PARAMETER it shows all that the inventory sets for HOST. References
are expanded, and shown as written too; secrets are masked.`,
		Example:           "  pigsty get 10.10.10.11\n  pigsty get 10.10.10.11 pg_version pg_conf\n  pigsty get 10.10.10.11 --all --json",
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.completeGet,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("name a host; see `pigsty get --help`")
			}
			d, err := a.load(extra)
			if err != nil {
				return err
			}
			var wrong error // what is sound is shown all the same
			if d.problems.HasErrors() {
				wrong = d.check()
			}
			h := d.inventory.Host(args[0])
			if h == nil {
				if wrong != nil {
					return wrong
				}
				return d.noHost(args[0])
			}
			list, err := d.explain(h, args[1:], all)
			if err == nil {
				err = d.print(h, list)
			}
			if err == nil {
				err = wrong
			}
			return err
		},
	}
	c.Flags().BoolVarP(&all, "all", "a", false, "also parameters that have their defaults")
	c.Flags().StringArrayVarP(&extra, "extra-vars", "e", nil, "set a variable for this command: `KEY=VALUE`")
	return c
}

// noHost says that no host is called name.
func (d *deployment) noHost(name string) error {
	if g := d.inventory.Group(name); g != nil && len(g.Hosts()) > 0 {
		return status(exitInvalid, "%s is a group; name one of its hosts, such as %s", name, g.Hosts()[0].Name())
	}
	return status(exitInvalid, "there is no host %q%s", name, didYouMean(diag.Nearest(name, func(yield func(string) bool) {
		for _, h := range d.inventory.Hosts() {
			if !yield(h.Name()) {
				return
			}
		}
	})))
}

// print writes what was explained of h.
func (d *deployment) print(h *inventory.Host, list []explained) error {
	if d.app.json {
		enc := json.NewEncoder(d.app.out)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(plan.Header{Type: "version", Format: plan.Format, Command: "get"}); err != nil {
			return err
		}
		for _, e := range list {
			if err := enc.Encode(e); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(d.app.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PARAMETER\tGIVEN BY\tAT\tVALUE")
	for _, e := range list {
		row(w, e.Name, e.from, e.Pos, e.value)
		if e.written.Kind != inventory.Null {
			row(w, "  written as", "", diag.Pos{}, e.written)
		}
		for _, o := range e.Overrides {
			row(w, "  overrides", o.from, o.Pos, o.value)
		}
	}
	return w.Flush()
}

// row writes a line of the table, and more for a value that is long.
func row(w io.Writer, name, from string, at diag.Pos, v inventory.Value) {
	where := ""
	if !at.IsZero() {
		at.Col = 0
		where = at.String()
	}
	for _, text := range valueLines(v) {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", name, from, where, text)
		name, from, where = "", "", ""
	}
}

// valueWidth is how long a value may be that is written on one line.
const valueWidth = 60

// valueLines writes v as YAML, the items of a long one on lines of their own.
func valueLines(v inventory.Value) []string {
	flow := v.Flow()
	var lines []string
	switch {
	case v.Kind == inventory.Null:
		return []string{"null"}
	case v.Kind == inventory.String && strings.Contains(v.Text, "\n"):
		return append([]string{"|"}, strings.Split(strings.TrimSuffix(v.Text, "\n"), "\n")...)
	case len(flow) <= valueWidth:
		return []string{flow}
	}
	for _, item := range v.Items {
		lines = append(lines, "- "+item.Flow())
	}
	for _, p := range v.Pairs {
		lines = append(lines, p.Key+": "+p.Value.Flow())
	}
	if lines == nil {
		return []string{flow}
	}
	return lines
}

// variableNames are the names that a variable of a host can be asked for by.
func (d *deployment) variableNames(vars inventory.Vars) []string {
	var names []string
	for _, p := range d.catalogue.All() {
		names = append(names, p.Name)
	}
	for v := range vars.All() {
		names = append(names, v.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// completeGet completes the name of a host, then names of its variables. It asks
// for no password and says nothing of mistakes.
func (a *app) completeGet(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	d := &deployment{app: a, catalogue: a.catalogue()}
	sources, _, err := inventory.Read(a.inventoryPaths(), strings.NewReader(""))
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	d.inventory, _ = inventory.Load(sources...)
	if len(args) > 0 {
		var vars inventory.Vars
		if h := d.inventory.Host(args[0]); h != nil {
			vars = h.Vars()
		}
		return d.variableNames(vars), cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, h := range d.inventory.Hosts() {
		names = append(names, h.Name())
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
