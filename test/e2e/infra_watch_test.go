package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"
)

// watched is an address that VictoriaMetrics is to collect from, with its labels.
type watched struct {
	address string
	labels  map[string]string
}

// known returns what the files of targets on host n name.
func (w *world) known(t *testing.T, n byte) []watched {
	t.Helper()
	var groups []struct {
		Labels  map[string]string
		Targets []string
	}
	if err := yaml.Unmarshal([]byte(w.on(t, n, "cat /infra/targets/*/*.yml")), &groups); err != nil {
		t.Fatal(err)
	}
	var out []watched
	for _, g := range groups {
		for _, address := range g.Targets {
			out = append(out, watched{address, g.Labels})
		}
	}
	return out
}

// unpacked are targets of programs that no repository of the sandbox has.
func (x watched) unpacked() bool {
	return slices.Contains([]string{"vlogs", "vtraces", "grafana"}, x.labels["cls"]) ||
		x.labels["exporter"] == "vector"
}

// collected fails unless the VictoriaMetrics of host n collects from every target
// of its files and from nothing else.
func (w *world) collected(t *testing.T, n byte) {
	t.Helper()
	files := w.known(t, n)
	if len(files) < 20 {
		t.Errorf("%s knows of %d targets only: %v", w.addr(n), len(files), files)
	}
	eventually(t, 3*time.Minute, "every target is collected from", func() error {
		var answer struct {
			Data struct {
				ActiveTargets []struct {
					DiscoveredLabels  map[string]string
					Health, LastError string
				}
			}
		}
		text, err := fetch(nil, fmt.Sprintf("http://%s:8428/api/v1/targets?state=active", w.addr(n)), 200)
		if err == nil {
			err = json.Unmarshal([]byte(text), &answer)
		}
		if err != nil {
			return err
		}
		active := answer.Data.ActiveTargets
		if len(active) != len(files) {
			return fmt.Errorf("%s has %d targets, its files %d", w.addr(n), len(active), len(files))
		}
		for _, x := range files {
			i := slices.IndexFunc(active, func(a struct {
				DiscoveredLabels  map[string]string
				Health, LastError string
			}) bool {
				own := maps.Clone(a.DiscoveredLabels)
				maps.DeleteFunc(own, func(name, _ string) bool { _, ours := x.labels[name]; return !ours })
				return a.DiscoveredLabels["__address__"] == x.address && maps.Equal(own, x.labels)
			})
			switch {
			case i < 0:
				return fmt.Errorf("%s does not collect from %v", w.addr(n), x)
			case !x.unpacked() && active[i].Health != "up":
				return fmt.Errorf("%v is %s: %s", x, active[i].Health, active[i].LastError)
			}
		}
		return nil
	})
}

// answered fails unless the name server of host n answers as its files say.
func (w *world) answered(t *testing.T, n byte) {
	t.Helper()
	names := map[string][]string{}
	for line := range strings.Lines(w.on(t, n, "cat /etc/dnsmasq.d/pigsty/*")) {
		if words := strings.Fields(line); len(words) > 1 && !strings.HasPrefix(line, "#") {
			for _, name := range words[1:] {
				names[name] = append(names[name], words[0])
			}
		}
	}
	for _, name := range []string{"i.pigsty", "meta-2", "infra-2", "nodes"} {
		if names[name] == nil {
			t.Errorf("the files of %s lack %s: %v", w.addr(n), name, names)
		}
	}
	for name, want := range names {
		got := strings.Fields(w.lookup(n, name))
		slices.Sort(got)
		slices.Sort(want)
		if want = slices.Compact(want); !slices.Equal(got, want) {
			t.Errorf("%s says that %s is %q, its files %q", w.addr(n), name, got, want)
		}
	}
}
