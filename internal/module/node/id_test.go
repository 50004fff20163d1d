package node

import (
	"reflect"
	"slices"
	"testing"

	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

func TestNames(t *testing.T) {
	s := site(t, "four.yml", map[string]resource.Facts{"10.10.10.10": machine})
	for host, want := range map[string][2]string{
		"10.10.10.10": {"meta.example.com", "nodes"},
		"10.10.10.11": {"pg-test-1", "pg-test"},
		"10.10.10.13": {"standby", "pg-test"}, // what is written wins over the instance
	} {
		h := s.Host(host)
		if got := [2]string{Name(h), Cluster(h)}; got != want {
			t.Errorf("%s is %v, want %v", host, got, want)
		}
	}
	s = site(t, "wrong.yml", map[string]resource.Facts{"10.10.10.14": machine})
	if got := Name(s.Host("10.10.10.14")); got != "debian" {
		t.Errorf("a node without a name of its own is called %q, want the host's name", got)
	}
}

// TestHAProxyTwice has two plays declare HAProxy, as NODE and PGSQL do.
func TestHAProxyTwice(t *testing.T) {
	s := site(t, "four.yml", map[string]resource.Facts{"10.10.10.12": container})
	h := s.Host("10.10.10.12")
	one, two := plan.NewBuilder(h.Name(), "NODE"), plan.NewBuilder(h.Name(), "PGSQL")
	HAProxy(one, s, h)
	HAProxy(two.Tag("pg_service_reload"), s, h)
	graph, err := plan.Arrange(slices.Concat(one.Steps(), two.Steps()), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(graph.Steps) != len(one.Steps()) {
		t.Errorf("%d steps, want the %d of one play", len(graph.Steps), len(one.Steps()))
	}
	for i, step := range one.Steps() {
		if !reflect.DeepEqual(step.Resource, two.Steps()[i].Resource) {
			t.Errorf("%s differs between plays", step.ID())
		}
	}
}
