package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

func (a *app) renderCommand() *cobra.Command {
	var f runFlags
	var dir, factsFile string
	c := &cobra.Command{
		Use:     "render [PLAY…] -o DIR",
		GroupID: "look",
		Short:   "Write the files that each host would get, offline",
		Long: `Render writes, under DIR/HOST/, every file whose whole text the plays decide: for
review, for diffing, for tests. Left out is what only the host knows the rest of,
as lines in /etc/hosts, certificates and the pool's list of passwords. What depends on a host (memory, cores,
disks) is taken from the facts of earlier runs, from --facts FILE (JSON: a map
from host, or "*", to facts as in .pigsty/facts.json), or else from a small
standard machine. The files hold secrets and are readable by you only.`,
		Example: "  pigsty render -l pg-test -o out\n  pigsty render pgsql -o out --facts facts.json",
		RunE: func(_ *cobra.Command, args []string) error {
			if dir == "" {
				return fmt.Errorf("say where to write with -o DIR")
			}
			return a.render(&f, a.chosenPlays(args), dir, factsFile)
		},
	}
	c.Flags().StringVarP(&f.limit, "limit", "l", "", "only hosts that match the `PATTERN`")
	c.Flags().StringSliceVarP(&f.tags, "tags", "t", nil, "only steps that carry one of these `TAGS`")
	c.Flags().StringArrayVarP(&f.extra, "extra-vars", "e", nil, "set a variable for this command: `KEY=VALUE`")
	c.Flags().StringVarP(&dir, "output", "o", "", "the `DIR` to write to")
	c.Flags().StringVar(&factsFile, "facts", "", "facts of hosts, from this JSON `FILE`")
	return c
}

func (a *app) render(f *runFlags, plays []string, dir, factsFile string) error {
	r, hosts, err := a.prepare(f.request(plays))
	if err != nil {
		return err
	}
	facts, err := r.assumedFacts(factsFile)
	if err != nil {
		return err
	}
	site := r.deployment.site(facts)
	var steps []*plan.Step
	for _, p := range r.plays {
		chosen := make([]*module.Host, len(hosts))
		for i, h := range hosts {
			chosen[i] = site.Host(h.Name())
		}
		steps = append(steps, p.Steps(site, chosen)...)
	}
	g, err := plan.Arrange(steps, f.tags)
	if err != nil {
		return err
	}
	n := 0
	for _, s := range g.Steps {
		file, ok := s.Resource.(*resource.File)
		if !ok {
			continue
		}
		path := filepath.Join(dir, s.Host, file.Path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, file.Content(), 0o600); err != nil {
			return err
		}
		n++
	}
	fmt.Fprintf(a.out, "%s for %s in %s\n", count(n, "file"), count(len(hosts), "host"), dir)
	return nil
}

// standardFacts are what render assumes of a host that nobody has seen.
var standardFacts = resource.Facts{
	OS: "debian", Version: "13", Codename: "trixie", Family: "deb", Arch: "x86_64",
	CPUs: 4, Memory: 8 << 30, PageSize: 4096, Mounts: map[string]int64{"/": 100 << 30},
	User: "root", Systemd: true, MaxFiles: 1 << 30, OOMAdjust: true,
}

// assumedFacts gives every host facts: those in file, else those of earlier runs, else
// those of a standard machine.
func (d *deployment) assumedFacts(file string) (map[string]resource.Facts, error) {
	given := map[string]resource.Facts{}
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(data, &given); err != nil {
			var wrong *json.UnmarshalTypeError
			if errors.As(err, &wrong) { // whose text speaks of Go
				err = fmt.Errorf("there is a JSON %s at byte %d", wrong.Value, wrong.Offset)
			}
			return nil, fmt.Errorf("%s is not a map from hosts to facts, as .pigsty/facts.json is: %w", file, err)
		}
	} else {
		given = d.knownFacts()
	}
	out := map[string]resource.Facts{}
	for _, h := range d.inventory.Hosts() {
		f, ok := given[h.Name()]
		if !ok {
			f, ok = given["*"]
		}
		if !ok {
			f = standardFacts
		}
		out[h.Name()] = f
	}
	return out, nil
}
