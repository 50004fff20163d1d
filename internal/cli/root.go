// Package cli is the command line: one file a command.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"pigsty/internal/diag"
	"pigsty/internal/module"
	"pigsty/internal/module/list"
	"pigsty/internal/secret"
)

// app is what every command needs: where to read and write, the modules, and
// the flags that all commands share.
type app struct {
	in       io.Reader
	out, err io.Writer
	modules  []module.Module

	inventories []string
	vault       vaultFlags
	decrypted   []secret.Value // never to be shown
	colour      colourChoice
	json        bool
	ask         struct{ login, become bool } // passwords to ask for
}

// Main runs the command line args, of which the first is the name that the
// binary was called by, and returns the exit status.
func Main(args []string, in io.Reader, out, errw io.Writer) int {
	a := &app{in: in, out: out, err: errw, modules: list.All()}
	words := calledAs(args, a.modules)
	root := a.root(words)
	root.SetArgs(words)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := root.ExecuteContext(ctx)
	if err != nil && err.Error() != "" {
		fmt.Fprintf(a.err, "%s %v\n", a.paint(a.err, "31", "error:"), err)
	}
	if err != nil && ctx.Err() != nil {
		return exitInterrupted // whatever came of it
	}
	return exitStatus(err)
}

// root makes the command tree; words are the command line, for messages.
func (a *app) root(words []string) *cobra.Command {
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
		Example: `  pigsty init -g             # write an inventory for this machine
  pigsty validate            # check the inventory, offline
  pigsty plan                # what would change, on real hosts
  pigsty deploy              # every play in dependency order
  pigsty pgsql -l pg-test    # one play on one cluster

  # all of it on four hosts that this machine makes up:
  pigsty sandbox up && pigsty init -c sandbox -s && pigsty deploy`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			return unknownCommand(c, args[0])
		},
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	flags := root.PersistentFlags()
	flags.StringArrayVarP(&a.inventories, "inventory", "i", nil, "inventory `FILE` or directory, - for stdin; several are merged in order")
	a.vault.flags(flags)
	a.colour = "auto"
	flags.Var(&a.colour, "color", "colour the output: auto, always or never")
	flags.BoolVarP(&a.ask.login, "ask-pass", "k", false, "ask for the password to log in to hosts with")
	flags.BoolVarP(&a.ask.become, "ask-become-pass", "K", false, "ask for the password for sudo on hosts")
	flags.BoolVar(&a.json, "json", false, "write records for programs instead of text")
	root.AddGroup(
		&cobra.Group{ID: "look", Title: "Look, offline:"},
		&cobra.Group{ID: "run", Title: "Look at hosts and change them:"},
		&cobra.Group{ID: "play", Title: "Plays, one part each:"},
		&cobra.Group{ID: "more", Title: "More:"},
	)
	root.AddCommand(a.initCommand(), a.validateCommand(), a.listCommand(), a.getCommand(), a.renderCommand(), a.schemaCommand(), a.docCommand(),
		a.planCommand(), a.applyCommand(), a.deployCommand(), a.statusCommand(), a.pgCommand(), a.pitrCommand(),
		a.certCommand(), a.repoCommand(), newSandboxCommand(), a.linkCommand(), a.versionCommand(), a.agentCommand())
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
		if word := firstWord(words); c == root && word != "" {
			return unknownCommand(root, word) // whose flags nobody can know
		}
		return fmt.Errorf("%w; see `%s --help`", err, c.CommandPath())
	})
	return root
}

// calledAs turns the name that the binary was called by into a command, so that
// a link called pgsql.yml or pgsql-add does what the playbook or script of that
// name does.
func calledAs(args []string, modules []module.Module) []string {
	name, playbook := strings.CutSuffix(filepath.Base(args[0]), ".yml")
	if name == "configure" && !playbook {
		return append([]string{"init"}, args[1:]...)
	}
	if play, ok := scripts[name]; ok && !playbook {
		return append([]string{play}, args[1:]...)
	}
	if command := playbooks[name]; playbook && command != nil {
		return slices.Concat(command, args[1:])
	}
	if playbook && (name == "deploy" || name == pitrName || findPlay(modules, name) != nil) {
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

// unknownCommand says that no command is called name.
func unknownCommand(root *cobra.Command, name string) error {
	var names []string
	for _, known := range root.Commands() {
		names = append(names, known.Name())
	}
	return fmt.Errorf("there is no command %q%s; `pigsty --help` lists them", name, didYouMean(diag.Nearest(name, slices.Values(names))))
}

// firstWord returns the first of args that is neither a flag of all commands
// nor the value of one, "" if there is none.
func firstWord(args []string) string {
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "-i" || args[i] == "--inventory" || args[i] == "--color":
			i++
		case !strings.HasPrefix(args[i], "-"):
			return args[i]
		}
	}
	return ""
}

// noArgs is for commands that take flags only.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("%s takes no arguments, but there is %q; see `%s --help`", c.CommandPath(), args[0], c.CommandPath())
}

// colourChoice is the value of --color.
type colourChoice string

// Set takes a choice; with String and Type it makes colourChoice a flag's value.
func (c *colourChoice) Set(text string) error {
	if text != "auto" && text != "always" && text != "never" {
		return errors.New("must be auto, always or never")
	}
	*c = colourChoice(text)
	return nil
}

func (c *colourChoice) String() string { return string(*c) }

// Type names the values in help texts.
func (c *colourChoice) Type() string { return "WHEN" }

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
	f, ok := fileOf(s)
	return ok && term.IsTerminal(int(f.Fd()))
}

// fileOf returns the file that s, a reader or a writer, stands for.
func fileOf(s any) (*os.File, bool) {
	if w, ok := s.(*secret.Writer); ok {
		s = w.Unwrap()
	}
	f, ok := s.(*os.File)
	return f, ok
}
