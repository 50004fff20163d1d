package patroni

import (
	"slices"
	"testing"

	"pigsty/internal/resource"
)

func TestAgainst(t *testing.T) {
	config := func(parameters map[string]any) DynamicConfig {
		return DynamicConfig{Cluster: "c", Desired: Tree{"ttl": 30, "postgresql": map[string]any{"parameters": parameters}}}
	}
	one := config(map[string]any{"max_connections": 100, "work_mem": "64MB", "autovacuum_max_workers": 3})
	for _, test := range []struct {
		name    string
		other   DynamicConfig
		impact  resource.Impact
		restart []string
	}{
		{"the same", config(map[string]any{"max_connections": "100", "work_mem": "65536kB", "autovacuum_max_workers": 3}), resource.ImpactNone, nil},
		{"a reload", config(map[string]any{"max_connections": 100, "work_mem": "4MB", "autovacuum_max_workers": 2}), resource.ImpactReload, nil},
		{"a restart", config(map[string]any{"max_connections": 50, "work_mem": "4MB", "autovacuum_max_workers": 3}), resource.ImpactRestart, []string{"max_connections"}},
	} {
		c := one.Against(test.other, 180000)
		if got := RestartSettings(c, 180000); c.Impact != test.impact || !slices.Equal(got, test.restart) {
			t.Errorf("%s: %v, restarts for %q", test.name, c.Impact, got)
		}
	}
}
