package node

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"pigsty/internal/inventory"
	"pigsty/internal/module"
	"pigsty/internal/module/moduletest"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// TestTopics runs each archive of testdata/topic: inventories, and what the tag
// of a play makes of them, its steps and then its files.
//
// The archive begins with lines "play PLAY", "tag TAG", "host ADDRESS FACTS" for
// each host, where FACTS names one of those above, and more words of it: resolved,
// directory for a login user whom a directory knows, and units that were started there.
func TestTopics(t *testing.T) {
	archives, err := filepath.Glob("testdata/topic/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, file := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			out := &txtar.Archive{Comment: a.Comment}
			for _, f := range a.Files {
				if strings.HasSuffix(f.Name, " output") {
					continue
				}
				out.Files = append(out.Files, f,
					txtar.File{Name: f.Name + " output", Data: []byte(topic(t, string(a.Comment), f.Name, f.Data))})
			}
			moduletest.Golden(t, filepath.Join("topic", filepath.Base(file)), string(txtar.Format(out)))
		})
	}
}

// topic compiles the inventory data as header says.
func topic(t *testing.T, header, name string, data []byte) string {
	t.Helper()
	known := map[string]resource.Facts{"machine": machine, "container": container, "rocky": rocky, "ubuntu": ubuntu}
	facts := map[string]resource.Facts{}
	var play, tag string
	for line := range strings.Lines(header) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "play":
			play = words[1]
		case "tag":
			tag = words[1]
		case "host":
			f := known[words[2]]
			for _, word := range words[3:] {
				switch word {
				case "resolved":
					f.Resolved = true
				case "directory":
					f.Home, f.Group = "", ""
				default:
					f.Units = append(f.Units, word)
				}
			}
			facts[words[1]] = f
		}
	}
	s := prepared(moduletest.Site(t, inventory.Source{Name: name, Data: data}, facts, Declaration()))
	plays := Module().Plays
	i := slices.IndexFunc(plays, func(p module.Play) bool { return p.Name == play })
	if i < 0 || !slices.Contains(plays[i].Tags, tag) {
		t.Fatalf("%s: there is no play %q with a tag %q", name, play, tag)
	}
	steps := slices.DeleteFunc(plays[i].Steps(s, s.Hosts()), func(s *plan.Step) bool { return !s.Tagged([]string{tag}) })
	graph, err := plan.Arrange(steps, nil)
	if err != nil {
		t.Fatal(err)
	}
	return moduletest.Steps(graph.Steps) + strings.ReplaceAll(moduletest.Files(graph.Steps), "-- ", "= ")
}
