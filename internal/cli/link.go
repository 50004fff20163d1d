package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// scripts are the names in Pigsty's bin folder that this binary answers to, and
// the plays that they run.
var scripts = map[string]string{
	"node-add": "node", "node-rm": "node-rm",
	"etcd-add": "etcd", "etcd-rm": "etcd-rm",
	"pgsql-add": "pgsql", "pgsql-rm": "pgsql-rm",
	"pgsql-user": "pgsql-user", "pgsql-db": "pgsql-db", "pgsql-hba": "pgsql-hba",
	"pgsql-svc": "pgsql-svc", "pgsql-ext": "pgsql-ext",
}

// playbooks are those of Pigsty that are no plays here, and the commands that do
// what they do.
var playbooks = map[string][]string{
	"cert":  {"cert", "issue"},
	"cache": {"repo", "pack"},
}

// scriptsOf returns the scripts that run a play under another name.
func scriptsOf(play string) []string {
	var names []string
	for script, runs := range scripts {
		if runs == play && script != play {
			names = append(names, script)
		}
	}
	return names
}

// arguments returns what the plain arguments of a play are, as its line of help
// has it.
func arguments(play string) string {
	switch play {
	case "pgsql-user":
		return "[CLUSTER [USER]]"
	case "pgsql-db":
		return "[CLUSTER [DATABASE]]"
	case "pgsql-ext":
		return "[CLUSTER [EXTENSION…]]"
	case "pgsql", "pgsql-hba", "pgsql-svc", "pgsql-rm":
		return "[CLUSTER [HOST…]]"
	}
	return "[HOST…]"
}

// expected returns the check that the plain arguments of a play are not more
// than it knows what to do with.
func expected(play string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if form := arguments(play); len(args) > strings.Count(form, "[") && !strings.Contains(form, "…") {
			return fmt.Errorf("%s takes %s, but there is %q as well; see `%s --help`", c.CommandPath(), form, args[strings.Count(form, "[")], c.CommandPath())
		}
		return nil
	}
}

// positional turns the plain arguments of a play into a limit and extra
// variables, as Pigsty's scripts do: `pgsql-user CLUSTER USER`, `node HOST…`.
// Adding hosts to a PostgreSQL cluster covers the whole cluster: the services,
// access rules and certificates of its other members name the new ones.
func positional(play string, args []string) (limit string, extra []string) {
	if len(args) == 0 {
		return "", nil
	}
	cluster, rest := args[0], args[1:]
	switch play {
	case "pgsql-user", "pgsql-db":
		if len(rest) > 0 {
			name := map[string]string{"pgsql-user": "username", "pgsql-db": "dbname"}[play]
			extra = []string{name + "=" + rest[0]}
		}
		return cluster, extra
	case "pgsql-ext":
		if len(rest) > 0 {
			value, _ := json.Marshal(map[string][]string{"pg_extensions": rest}) // strings always can be
			extra = []string{string(value)}
		}
		return cluster, extra
	case "pgsql", "pgsql-hba", "pgsql-svc", "pgsql-rm":
		if len(rest) == 0 {
			return cluster, nil
		}
		if play == "pgsql" {
			rest = args // hosts that there are not are found out all the same
		}
		return strings.Join(rest, ",") + ",&" + cluster, nil
	}
	return strings.Join(args, ","), nil
}

func (a *app) linkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "link [DIR]",
		Short: "Create links named as Pigsty's playbooks and scripts (pgsql.yml, bin/pgsql-add)",
		Long: `Link creates, in DIR or the current folder, a link to this binary for every
playbook (pgsql.yml, node.yml, deploy.yml …) and script (bin/pgsql-add …) of
Pigsty, so that command lines from runbooks work as they are written. Files
that exist and are not such links are left alone.`,
		Example: "  pigsty link\n  ./pgsql.yml -l pg-test\n  bin/pgsql-user pg-test dbuser_app",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			binary, err := os.Executable()
			if err != nil {
				return err
			}
			return a.link(dir, binary)
		},
	}
}

func (a *app) link(dir, binary string) error {
	names := []string{"deploy.yml", pitrName + ".yml", "configure"}
	for playbook := range playbooks {
		names = append(names, playbook+".yml")
	}
	for _, m := range a.modules {
		for _, p := range m.Plays {
			names = append(names, p.Name+".yml")
		}
	}
	for name := range scripts {
		names = append(names, filepath.Join("bin", name))
	}
	slices.Sort(names)
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755); err != nil {
		return err
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		switch target, err := os.Readlink(path); {
		case err == nil && filepath.Base(target) == filepath.Base(binary):
			if err := os.Remove(path); err != nil {
				return err
			}
		case err == nil || !errors.Is(err, fs.ErrNotExist):
			fmt.Fprintf(a.out, "%s exists and is not a link to pigsty; left alone\n", path)
			continue
		}
		if err := os.Symlink(binary, path); err != nil {
			return err
		}
		fmt.Fprintln(a.out, path)
	}
	return nil
}
