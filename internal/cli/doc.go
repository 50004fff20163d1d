package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"pigsty/internal/diag"
	"pigsty/internal/param"
)

// catalogue is every parameter of every module.
func (a *app) catalogue() *param.Catalogue {
	declarations := make([]param.Module, len(a.modules))
	for i, m := range a.modules {
		declarations[i] = m.Declaration
	}
	return param.NewCatalogue(declarations...)
}

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		GroupID: "look",
		Short:   "Print a JSON Schema of the inventory, for editors",
		Example: "  pigsty schema > pigsty.schema.json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			text, err := a.catalogue().Schema()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.out, "%s\n", text)
			return err
		},
	}
}

// modulePage writes the reference page of the module called name.
func (a *app) modulePage(cat *param.Catalogue, name string) error {
	var names []string
	for _, m := range cat.Modules() {
		if strings.EqualFold(m.Name, name) {
			return cat.Reference(a.out, name)
		}
		names = append(names, m.Name)
	}
	return status(exitInvalid, "there is no module %q; modules are %s", name, strings.Join(names, ", "))
}

// referenceIndex writes the page that leads to those of the modules.
func (a *app) referenceIndex(cat *param.Catalogue) error {
	var b strings.Builder
	b.WriteString("# Reference\n\nEvery parameter, written from the code by `make reference`. " +
		"`pigsty doc PARAMETER` explains one at the terminal, and `pigsty schema` prints a JSON Schema for editors.\n\n" +
		"| Module | Parameters | |\n|---|---|---|\n")
	counts := map[string]int{}
	for _, p := range cat.All() {
		counts[p.Module]++
	}
	for i, m := range cat.Modules() {
		about := m.Doc
		if len(a.modules[i].Plays) == 0 {
			about += " Known and checked, but not managed by this version."
		}
		fmt.Fprintf(&b, "| [%s](%s.md) | %d | %s |\n", m.Name, strings.ToLower(m.Name), counts[m.Name], about)
	}
	_, err := fmt.Fprint(a.out, b.String())
	return err
}

// checksPage writes the page of everything that can be found in an inventory.
func (a *app) checksPage() error {
	var b strings.Builder
	b.WriteString("# Checks\n\nWhat `pigsty validate` can find in an inventory, before any host is contacted; written from the code by\n" +
		"`make reference`. Each finding has its place, what is wrong, what to do, and one of these codes, which stay\n" +
		"the same from version to version: `pigsty validate --json` has them in the field `code`.\n\n" +
		"An *error* stops every command (exit status 5), a *warning* is likely a mistake (`--strict` fails on it), a\n" +
		"*note* is worth knowing. One code may come with different severities.\n\n" +
		"| Code | What it means |\n|---|---|\n")
	for _, c := range diag.Codes {
		fmt.Fprintf(&b, "| `%s` | %s |\n", c.Name, strings.ReplaceAll(c.Meaning, "{{ name }}", "`{{ name }}`"))
	}
	_, err := fmt.Fprint(a.out, b.String())
	return err
}

func (a *app) docCommand() *cobra.Command {
	var module string
	var modules, index, checks bool
	c := &cobra.Command{
		Use:     "doc [PARAMETER]",
		GroupID: "look",
		Short:   "Explain a parameter, or write the reference page of a module",
		Long: `Doc explains PARAMETER: its type, default and meaning, an example, which files
and objects of a deployment it decides about, and what a change of it reloads
or restarts. The latter is found out by trying the example on a small sample
deployment, of one infra node and a cluster of two; INSTANCE, CLUSTER and
ADDRESS stand for names of yours.`,
		Example: "  pigsty doc pg_hba_rules\n  pigsty doc --module PGSQL > pgsql.md",
		Args:    cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, p := range a.catalogue().All() {
				names = append(names, p.Name)
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			cat := a.catalogue()
			switch {
			case modules:
				for _, m := range cat.Modules() {
					fmt.Fprintln(a.out, m.Name)
				}
				return nil
			case index:
				return a.referenceIndex(cat)
			case checks:
				return a.checksPage()
			}
			if module != "" {
				return a.modulePage(cat, module)
			}
			if len(args) == 0 {
				return fmt.Errorf("name a parameter, or a module with --module; see `pigsty doc --help`")
			}
			p, ok := cat.Lookup(args[0])
			if !ok {
				return status(exitInvalid, "there is no parameter %q%s", args[0], didYouMean(cat.Nearest(args[0])))
			}
			return a.newSample(cat).explain(p)
		},
	}
	c.Flags().StringVar(&module, "module", "", "write the reference page of this `MODULE`: NODE, ETCD, PGSQL …")
	c.Flags().BoolVar(&modules, "modules", false, "list the modules")
	c.Flags().BoolVar(&index, "index", false, "write the index of the reference pages")
	c.Flags().BoolVar(&checks, "checks", false, "write the page of the codes that findings have")
	c.MarkFlagsMutuallyExclusive("module", "modules", "index", "checks")
	return c
}
