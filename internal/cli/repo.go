package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"pigsty/internal/inventory"
	"pigsty/internal/module"
	"pigsty/internal/module/infra"
	"pigsty/internal/param"
	"pigsty/internal/plan"
	"pigsty/internal/repo"
	"pigsty/internal/secret"
)

func (a *app) repoCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "repo",
		GroupID: "run",
		Short:   "Compare and update the software repository; carry it to machines without network",
		Long: `The play infra builds the deployment's own software repository (tag repo), with
what the inventory's hosts install. It is built again when it lacks something, and
the versions that are there stay. These commands take the newest versions, and
carry the repository to machines without network.`,
		Example: "  pigsty repo diff\n  pigsty repo update -y\n  pigsty repo build minio mcli\n  pigsty repo pack\n  pigsty repo unpack pigsty-pkg.tgz",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.repoDiffCommand(), a.repoUpdateCommand(), a.repoBuildCommand(), a.repoPackCommand(), a.repoUnpackCommand())
	return c
}

// newest is the part of the play infra that builds repositories with the newest
// versions of everything.
func newest(f *runFlags) plan.Request {
	req := f.request([]string{"infra"})
	req.Tags = []string{"repo_build"}
	req.Extra = append(req.Extra, secret.New("repo_build=true"))
	return req
}

func (a *app) repoDiffCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:     "diff",
		Short:   "Show which packages upstreams have in other versions, or hosts want besides",
		Example: "  pigsty repo diff\n  pigsty repo diff --json",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.plan(c.Context(), &f, newest(&f)) },
	}
	c.Flags().StringVarP(&f.limit, "limit", "l", "", "only infra nodes that match the `PATTERN`")
	c.Flags().BoolVar(&f.detailed, "detailed-exitcode", false, "exit with 2 when there are changes")
	return c
}

func (a *app) repoUpdateCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:     "update",
		Short:   "Build the repository again with the newest versions",
		Example: "  pigsty repo update\n  pigsty repo update -y",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.apply(c.Context(), &f, newest(&f), nil) },
	}
	c.Flags().StringVarP(&f.limit, "limit", "l", "", "only infra nodes that match the `PATTERN`")
	c.Flags().BoolVarP(&f.confirmed, "assume-yes", "y", false, "do not ask")
	return c
}

func (a *app) repoPackCommand() *cobra.Command {
	var dir string
	var extra []string
	c := &cobra.Command{
		Use:   "pack [FILE]",
		Short: "Make one file of this machine's repository, for machines without network",
		Long: `Pack writes the repository of the machine that it runs on, this program and the
digests of both to FILE. Which repository, and the name and folder of the file, are
as the inventory's cache_repo, cache_pkg_name and cache_pkg_dir say unless they are
given; without an inventory, as they are by default.`,
		Example: "  pigsty repo pack\n  pigsty repo pack --dir /www/pigsty /tmp/pkg.tgz\n  pigsty repo pack -e cache_pkg_dir=/tmp",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if dir != "" && len(args) == 1 {
				return a.pack(dir, args[0])
			}
			p, beside, err := a.packing(extra)
			if err != nil {
				return err
			}
			if dir == "" {
				if strings.ContainsAny(p.CacheRepo, ", ") {
					return fmt.Errorf("cache_repo names several repositories, but a package holds one: say which with -e cache_repo=NAME, or --dir")
				}
				dir = filepath.Join(p.RepoHome, p.CacheRepo)
			}
			if len(args) == 1 {
				return a.pack(dir, args[0])
			}
			name, err := repo.PackName(filepath.Join(p.CachePkgDir, p.CachePkgName), p.Version, dir)
			if err != nil {
				return err
			}
			if !filepath.IsAbs(name) {
				name = filepath.Join(beside, name)
			}
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				return err
			}
			return a.pack(dir, name)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "`DIRECTORY` of the repository")
	c.Flags().StringArrayVarP(&extra, "extra-vars", "e", nil, "set a variable for this command: `KEY=VALUE`")
	return c
}

// packing returns the parameters of offline packages and where the inventory
// lies. There need not be one, as on a machine that only has the repository.
func (a *app) packing(extra []string) (*infra.Params, string, error) {
	paths := a.inventoryPaths()
	if _, err := os.Stat(paths[0]); errors.Is(err, fs.ErrNotExist) && len(a.inventories) == 0 && os.Getenv("PIGSTY_INVENTORY") == "" && len(extra) == 0 {
		p, _ := param.Decode[infra.Params](a.catalogue(), inventory.Vars{})
		return p, ".", nil
	}
	d, err := a.load(extra)
	if err != nil {
		return nil, "", err
	}
	if err := d.check(); err != nil {
		return nil, "", err
	}
	hosts := d.site(nil).Hosts()
	builder := slices.IndexFunc(hosts, func(h *module.Host) bool { return module.Params[infra.Params](h).InfraSeq != nil })
	return module.Params[infra.Params](hosts[max(builder, 0)]), d.dir, nil
}

// pack writes file as a whole or not at all.
func (a *app) pack(dir, file string) error {
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	out, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	w := bufio.NewWriterSize(out, 1<<20)
	if err := repo.Pack(w, dir, binary); err != nil {
		return errors.Join(err, out.Close())
	}
	if err := errors.Join(w.Flush(), out.Chmod(0o644), out.Sync(), out.Close()); err != nil {
		return err
	}
	if err := os.Rename(out.Name(), file); err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "%s: %.1f MB; on a machine without network: tar xzf %s bin/pigsty && bin/pigsty repo unpack %s\n",
		file, float64(info.Size())/1e6, filepath.Base(file), filepath.Base(file))
	return nil
}

func (a *app) repoUnpackCommand() *cobra.Command {
	var dir, data string
	var replace bool
	c := &cobra.Command{
		Use:   "unpack FILE",
		Short: "Put the repository of an offline package in place on this machine",
		Long: `Unpack checks FILE as a whole before anything changes, and never removes it. The
next deployment signs the repository with its own key and installs from it; it
needs no upstream for packages that are in it.`,
		Example: "  pigsty repo unpack pigsty-pkg.tgz",
		Args:    oneName,
		RunE: func(_ *cobra.Command, args []string) error {
			in, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer in.Close()
			lock, err := repo.Unpack(in, dir, data, replace)
			if err != nil {
				return fmt.Errorf("%s: %w; it was left as it is", args[0], err)
			}
			fmt.Fprintf(a.out, "%s: %s for %s\n", dir, count(len(lock.Packages), "package"), lock.System)
			return nil
		},
	}
	c.Flags().StringVar(&dir, "dir", "/www/pigsty", "`DIRECTORY` of the repository")
	c.Flags().StringVar(&data, "data", "/data/nginx", "what the directory above it is to be a link to, if it does not exist")
	c.Flags().BoolVar(&replace, "replace", false, "replace a repository that is there")
	return c
}
