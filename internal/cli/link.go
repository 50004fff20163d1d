package cli

import (
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

// positional turns the plain arguments of a play into a limit and extra
// variables, as Pigsty's scripts do: `pgsql-user CLUSTER USER`, `node HOST…`.
// Adding hosts to a PostgreSQL cluster covers the whole cluster: the services,
// access rules and certificates of its other members name the new ones.
func positional(play string, args []string) (limit string, extra []string) {
	if len(args) == 0 {
		return "", nil
	}
	switch play {
	case "pgsql-user", "pgsql-db":
		if len(args) > 1 {
			name := map[string]string{"pgsql-user": "username", "pgsql-db": "dbname"}[play]
			extra = []string{name + "=" + args[1]}
		}
		return args[0], extra
	case "pgsql", "pgsql-hba", "pgsql-svc", "pgsql-ext":
		return args[0], nil
	case "pgsql-rm":
		if len(args) > 1 {
			return strings.Join(args[1:], ",") + ",&" + args[0], nil
		}
		return args[0], nil
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
