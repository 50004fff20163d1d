package list

import (
	"testing"

	"pigsty/internal/param"
)

// TestAll checks what tools take for granted: declarations that fit together,
// one play of a name, deploy ranks in the order of modules.
func TestAll(t *testing.T) {
	var declarations []param.Module
	plays := map[string]bool{}
	rank := 0
	for _, m := range All() {
		declarations = append(declarations, m.Declaration)
		for _, p := range m.Plays {
			if plays[p.Name] || p.Name == "" || p.Short == "" || p.Steps == nil {
				t.Errorf("play %q of %s is not complete, or there are two", p.Name, m.Declaration.Name)
			}
			plays[p.Name] = true
			if p.Deploy != 0 && p.Deploy <= rank {
				t.Errorf("play %s is deployed at rank %d, after rank %d", p.Name, p.Deploy, rank)
			}
			rank = max(rank, p.Deploy)
		}
	}
	param.NewCatalogue(declarations...) // panics where declarations contradict each other
	for _, name := range []string{"node", "node-rm", "etcd", "etcd-rm", "pgsql", "pgsql-rm"} {
		if !plays[name] {
			t.Errorf("there is no play %s", name)
		}
	}
}
