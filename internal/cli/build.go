package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"pigsty/internal/plan"
	"pigsty/internal/repo/pgp"
	"pigsty/internal/repo/recipe"
)

// buildFlags are those of `repo build`.
type buildFlags struct {
	dir            string
	archs, formats []string
	list, plan     bool
}

func (a *app) repoBuildCommand() *cobra.Command {
	var f buildFlags
	c := &cobra.Command{
		Use:   "build RECIPE…",
		Short: "Make packages that no distribution carries, such as minio and mcli",
		Long: `Build compiles Go programs on this machine, packs them as .deb and .rpm, and
signs a repository of them with the deployment's key. The deployment's repository
takes packages from there when the directory lies beside it, as /www/built does
beside /www/pigsty: next run "pigsty repo update", or copy the directory to the
infra node first.

A RECIPE is one of --list, or the path of a .yml file of your own (see
docs/repo.md). Modules are checked against the digest that the recipe has, and
what is there already is not built again.`,
		Example: "  pigsty repo build --list\n  pigsty repo build minio mcli --plan\n  pigsty repo build minio mcli\n  pigsty repo build ./exporter.yml --arch arm64 --dir packages",
		RunE: func(c *cobra.Command, args []string) error {
			if f.list {
				return a.listRecipes()
			}
			return a.build(c.Context(), &f, args)
		},
	}
	c.Flags().StringVar(&f.dir, "dir", "/www/built", "`DIRECTORY` of the packages")
	c.Flags().StringSliceVar(&f.archs, "arch", []string{runtime.GOARCH}, "architectures: "+strings.Join(recipe.Architectures, ", "))
	c.Flags().StringSliceVar(&f.formats, "format", recipe.Formats, "formats of packages")
	c.Flags().BoolVar(&f.list, "list", false, "list the recipes that there are")
	c.Flags().BoolVar(&f.plan, "plan", false, "only say what would be built, and why")
	return c
}

func (a *app) listRecipes() error {
	if a.json {
		enc := json.NewEncoder(a.out)
		for _, r := range recipe.Builtin() {
			if err := enc.Encode(struct {
				Name    string `json:"name"`
				Version string `json:"version"`
				License string `json:"license"`
				Source  string `json:"source"`
				Summary string `json:"summary"`
			}{r.Name, r.FullVersion(), r.License, r.Source(), r.Summary}); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RECIPE\tVERSION\tLICENSE\tWHAT IT IS")
	for _, r := range recipe.Builtin() {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.Name, r.FullVersion(), r.License, r.Summary)
	}
	return w.Flush()
}

// packages returns what recipes make for the architectures and formats of f.
func (f *buildFlags) packages(a *app, recipes []string) ([]recipe.Package, error) {
	if len(recipes) == 0 {
		return nil, errors.New("name a recipe; `pigsty repo build --list` lists them")
	}
	for _, check := range []struct {
		flag         string
		given, known []string
	}{{"--arch", f.archs, recipe.Architectures}, {"--format", f.formats, recipe.Formats}} {
		for _, v := range check.given {
			if !slices.Contains(check.known, v) {
				return nil, fmt.Errorf("%s %s: must be one of %s", check.flag, v, strings.Join(check.known, ", "))
			}
		}
	}
	var all []recipe.Package
	for _, name := range recipes {
		r, err := recipe.Find(name)
		var wrong *recipe.Mistakes
		if errors.As(err, &wrong) {
			wrong.Found.Render(a.err, wrong.Texts, a.coloured(a.err))
			return nil, status(exitInvalid, "%s has %s", name, count(len(wrong.Found), "mistake"))
		}
		if err != nil {
			return nil, err
		}
		for _, arch := range f.archs {
			for _, format := range f.formats {
				all = append(all, recipe.Package{Recipe: r, Arch: arch, Format: format})
			}
		}
	}
	return all, nil
}

func (a *app) build(ctx context.Context, f *buildFlags, recipes []string) error {
	packages, err := f.packages(a, recipes)
	if err != nil {
		return err
	}
	d, err := a.load(nil)
	if err != nil {
		return err
	}
	key, err := pgp.Open(d.pkiDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir, err := recipe.Open(f.dir, key)
	if err != nil {
		return err
	}
	published, err := dir.Published()
	if err != nil {
		return err
	}
	todo := slices.DeleteFunc(slices.Clone(packages), func(p recipe.Package) bool { return dir.Reason(p) == "" })
	if err := a.printBuildPlan(dir, packages); err != nil {
		return err
	}
	switch {
	case len(todo) == 0 && published:
		a.say("nothing to do: %s has %s", f.dir, count(len(packages), "package"))
		return nil
	case f.plan && len(todo) == 0:
		a.say("nothing to build; the index of %s is to be signed", f.dir)
		return nil
	case f.plan:
		a.say("%s to build in %s, and its index to be signed", count(len(todo), "package"), f.dir)
		return nil
	}
	var tools recipe.Toolchain
	if len(todo) > 0 {
		if tools, err = recipe.FindToolchain(ctx); err != nil {
			return err
		}
	}
	if dir.Key == nil {
		if dir.Key, err = d.createRepoKey(); err != nil {
			return err
		}
	}
	if err := dir.Build(ctx, tools, todo, a.printBuilt); err != nil {
		return err
	}
	a.say("%s is signed with this deployment's key; next: pigsty repo update", f.dir)
	return nil
}

// say prints a line for people.
func (a *app) say(format string, args ...any) {
	if !a.json {
		fmt.Fprintf(a.out, format+"\n", args...)
	}
}

// printBuildPlan says of packages what is to be built and why.
func (a *app) printBuildPlan(dir *recipe.Dir, packages []recipe.Package) error {
	if a.json {
		enc := json.NewEncoder(a.out)
		if err := enc.Encode(plan.Header{Type: "version", Format: plan.Format, Command: "repo build"}); err != nil {
			return err
		}
		for _, p := range packages {
			why := dir.Reason(p)
			if err := enc.Encode(struct {
				Type   string `json:"type"`
				File   string `json:"file"`
				Recipe string `json:"recipe"`
				Source string `json:"source"`
				Build  bool   `json:"build"`
				Reason string `json:"reason,omitempty"`
			}{"package", p.File(), p.Recipe.Name, p.Recipe.Source(), why != "", why}); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, p := range packages {
		if why := dir.Reason(p); why != "" {
			fmt.Fprintf(w, "+ %s\tfrom %s\t%s\n", p.File(), p.Recipe.Source(), why)
		}
	}
	return w.Flush()
}

// printBuilt says that a package was built. An error of the terminal is not one
// of the build.
func (a *app) printBuilt(b recipe.Built) {
	if a.json {
		_ = json.NewEncoder(a.out).Encode(struct {
			Type string `json:"type"`
			recipe.Built
		}{"built", b})
		return
	}
	fmt.Fprintf(a.out, "%s: %.1f MB in %.1f s\n", b.File, float64(b.Size)/1e6, b.Seconds)
}
