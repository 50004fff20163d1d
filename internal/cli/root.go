// Package cli is the command line: one file a command.
package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"pigsty/internal/module"
	"pigsty/internal/module/list"
)

// app is what every command needs: where to read and write, the modules, and
// the flags that all commands share.
type app struct {
	in       io.Reader
	out, err io.Writer
	modules  []module.Module

	inventories []string
	colour      string
	json        bool
}

// Main runs the command line args, of which the first is the name that the
// binary was called by, and returns the exit status.
func Main(args []string, in io.Reader, out, errw io.Writer) int {
	a := &app{in: in, out: out, err: errw, modules: list.All()}
	root := a.root()
	root.SetArgs(calledAs(args, a.modules))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := root.ExecuteContext(ctx)
	if err != nil && err.Error() != "" {
		fmt.Fprintf(errw, "%s %v\n", a.paint(errw, "31", "error:"), err)
	}
	return exitStatus(err)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "pigsty",
		Short: "Turn plain Linux hosts into a PostgreSQL service from one inventory",
		Long: `Pigsty reads one declarative inventory, pigsty.yml, shows exactly what differs
on every host, and makes it so: PostgreSQL clusters with Patroni, etcd,
PgBouncer and HAProxy on plain Linux hosts over SSH.

The inventory is the file given with -i, else $PIGSTY_INVENTORY, else
./pigsty.yml. Exit status: 0 done, 1 error, 2 plan has changes (with
--detailed-exitcode), 3 some hosts failed, 4 locked by another apply,
5 invalid inventory, 130 interrupted.`,
		Example: `  pigsty validate                    # check the inventory, offline
  pigsty plan                        # what would change, on real hosts
  pigsty deploy                      # every play in dependency order
  pigsty pgsql -l pg-test            # one play on one cluster
  pigsty sandbox up && pigsty status # try it on hosts of your own machine`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	flags := root.PersistentFlags()
	flags.StringArrayVarP(&a.inventories, "inventory", "i", nil, "inventory `FILE`; several are merged in order")
	flags.StringVar(&a.colour, "color", "auto", "colour the output: auto, always or never")
	flags.BoolVar(&a.json, "json", false, "write records for programs instead of text")
	root.AddGroup(
		&cobra.Group{ID: "look", Title: "Look, offline:"},
		&cobra.Group{ID: "run", Title: "Look at hosts and change them:"},
		&cobra.Group{ID: "play", Title: "Plays, one part each:"},
		&cobra.Group{ID: "more", Title: "More:"},
	)
	root.AddCommand(a.validateCommand(), a.listCommand(), a.renderCommand(), a.schemaCommand(), a.docCommand(),
		a.planCommand(), a.applyCommand(), a.deployCommand(), a.statusCommand(),
		newSandboxCommand(), a.linkCommand(), a.versionCommand(), a.agentCommand())
	for _, m := range a.modules {
		for _, p := range m.Plays {
			root.AddCommand(a.playCommand(p))
		}
	}
	for _, c := range root.Commands() {
		if c.GroupID == "" {
			c.GroupID = "more"
		}
	}
	root.SetHelpCommandGroupID("more")
	root.SetCompletionCommandGroupID("more")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w; see `%s --help`", err, c.CommandPath())
	})
	return root
}

// calledAs turns the name that the binary was called by into a command, so that
// a link called pgsql.yml or pgsql-add does what the playbook or script of that
// name does.
func calledAs(args []string, modules []module.Module) []string {
	name, playbook := strings.CutSuffix(filepath.Base(args[0]), ".yml")
	if play, ok := scripts[name]; ok && !playbook {
		return append([]string{play}, args[1:]...)
	}
	if playbook && (name == "deploy" || findPlay(modules, name) != nil) {
		return append([]string{name}, args[1:]...)
	}
	return args[1:]
}

func findPlay(modules []module.Module, name string) *module.Play {
	for _, m := range modules {
		for i, p := range m.Plays {
			if p.Name == name {
				return &m.Plays[i]
			}
		}
	}
	return nil
}

// coloured reports whether w takes colours.
func (a *app) coloured(w io.Writer) bool {
	switch a.colour {
	case "always":
		return true
	case "never":
		return false
	}
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(w)
}

func (a *app) paint(w io.Writer, colour, text string) string {
	if !a.coloured(w) {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// isTerminal reports whether s, a reader or a writer, is a terminal.
func isTerminal(s any) bool {
	f, ok := s.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
