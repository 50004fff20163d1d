package cli

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"pigsty/internal/diag"
	"pigsty/internal/plan"
)

func (a *app) validateCommand() *cobra.Command {
	var extra []string
	var strict bool
	c := &cobra.Command{
		Use:     "validate",
		GroupID: "look",
		Short:   "Check the inventory without touching a host",
		Long: `Validate reads the inventory, checks every parameter and what only shows
across values and hosts, and compiles every play. Each finding has its
file:line:column, what is wrong and what to do. Exit status 5 if there are errors.`,
		Example: "  pigsty validate\n  pigsty validate -i prod/pigsty.yml --json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			d, err := a.load(extra)
			if err != nil {
				return err
			}
			found := d.problems.Sorted()
			if !found.HasErrors() {
				if err := d.compileAll(); err != nil {
					return err
				}
			}
			if a.json {
				return d.validateJSON(found, strict)
			}
			d.printProblems(a.out, found)
			if found.HasErrors() || strict && found.Count(diag.Warning) > 0 {
				return status(exitInvalid, "%s in the inventory", summary(found))
			}
			fmt.Fprintf(a.out, "%s: %s, %s\n", a.paint(a.out, "32", "valid"),
				count(len(d.inventory.Hosts()), "host"), summary(found))
			return nil
		},
	}
	c.Flags().StringArrayVarP(&extra, "extra-vars", "e", nil, "set a variable for this command: `KEY=VALUE`")
	c.Flags().BoolVar(&strict, "strict", false, "fail on warnings too")
	return c
}

// compileAll compiles the plays of a deployment, which finds what only compiling
// shows. The other plays are parts of them. No more plays at once than there are
// processors, since each holds the steps of all hosts.
func (d *deployment) compileAll() error {
	site := d.site(d.knownFacts())
	var all errgroup.Group
	all.SetLimit(runtime.GOMAXPROCS(0))
	for _, m := range d.app.modules {
		for _, p := range m.Plays {
			if p.Deploy == 0 {
				continue
			}
			all.Go(func() error {
				if _, err := plan.Arrange(p.Steps(site, site.Hosts()), nil); err != nil {
					return fmt.Errorf("play %s: %w", p.Name, err)
				}
				return nil
			})
		}
	}
	return all.Wait()
}

func (d *deployment) validateJSON(found diag.List, strict bool) error {
	enc := json.NewEncoder(d.app.out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(plan.Header{Type: "version", Format: plan.Format, Command: "validate"}); err != nil {
		return err
	}
	for _, f := range found {
		if err := enc.Encode(struct {
			Type string `json:"type"`
			diag.Diagnostic
		}{"diagnostic", f}); err != nil {
			return err
		}
	}
	if found.HasErrors() || strict && found.Count(diag.Warning) > 0 {
		return status(exitInvalid, "")
	}
	return nil
}

// summary counts findings by severity: "1 error, 2 warnings".
func summary(found diag.List) string {
	text := count(found.Count(diag.Error), "error") + ", " + count(found.Count(diag.Warning), "warning")
	if n := found.Count(diag.Note); n > 0 {
		text += ", " + count(n, "note")
	}
	return text
}
