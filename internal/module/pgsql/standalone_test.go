package pgsql

import (
	"slices"
	"strings"
	"testing"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
	"pigsty/internal/resource/postgres"
)

// withoutPatroni is pg-test under patroni_mode: remove; units are what each
// member's host was seen to run, by its last byte.
func withoutPatroni(t *testing.T, units map[string][]string) (*module.Site, *Cluster) {
	t.Helper()
	s := siteWith(t, `{"patroni_mode": "remove"}`)
	facts := map[string]resource.Facts{}
	for _, h := range s.Hosts() {
		facts[h.Name()] = machine
		for last, names := range units {
			if strings.HasSuffix(h.Name(), "."+last) {
				f := machine
				f.Units = names
				facts[h.Name()] = f
			}
		}
	}
	s = module.NewSite(s.Inventory, s.Catalogue, facts)
	return s, Named(s, "pg-test")
}

// TestStandalone takes Patroni away, from where a cut run left it on each member.
func TestStandalone(t *testing.T) {
	running, handed := []string{"patroni.service", "pgbouncer.service"}, []string{"patroni.service", postgresUnit}
	for _, tt := range []struct {
		name    string
		units   map[string][]string
		patroni bool     // whether Patroni is started or waited for
		early   []string // the members that are seen to before the cluster's contents
		new     string   // the member that has no data
	}{
		{"none yet", map[string][]string{"11": running, "12": running, "13": running}, true, nil, ""},
		{"cut", map[string][]string{"11": running, "12": handed, "13": running}, false, []string{"10.10.10.12"}, ""},
		{"done", map[string][]string{"11": handed[1:], "12": handed[1:], "13": handed[1:]}, false, []string{"10.10.10.11", "10.10.10.12", "10.10.10.13"}, ""},
		{"one that joins", map[string][]string{"11": handed[1:], "12": handed[1:]}, false, []string{"10.10.10.11", "10.10.10.12"}, "10.10.10.13"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, c := withoutPatroni(t, tt.units)
			steps := deploy(s, c.Hosts())
			if _, err := plan.Arrange(steps, nil); err != nil {
				t.Fatal(err)
			}
			var early []string
			for _, step := range steps {
				switch r := step.Resource.(type) {
				case *resource.Unit:
					if r.Name == postgresUnit && !slices.Contains(step.After, plan.ID("10.10.10.11", "role test")) {
						early = append(early, step.Host)
					}
				case postgres.SettingsDrift:
					if started := plan.ID(step.Host, "unit "+postgresUnit); slices.Contains(tt.early, step.Host) && !slices.Contains(step.After, started) {
						t.Errorf("%s: %s is not after %s", step.Host, r.Key(), started)
					}
				case postgres.Handed:
					if r.New != (step.Host == tt.new) {
						t.Errorf("%s: new is %v", step.Host, r.New)
					}
				}
			}
			if !slices.Equal(early, tt.early) {
				t.Errorf("before the contents: %v", early)
			}
			for _, step := range steps {
				switch key := step.Resource.Key(); key {
				case "unit absent patroni.service", "file /etc/haproxy/conf.d/pg-test-primary.cfg":
					for _, id := range handoverIDs(c.Members) {
						if after := step.After; tt.name == "none yet" && !slices.Contains(after, id) {
							t.Errorf("%s: %s is not after %s", step.Host, key, id)
						}
					}
				}
			}
			for _, step := range append(steps, access(s, c.Hosts())...) {
				if key := step.Resource.Key(); !tt.patroni && (key == "unit patroni.service" || strings.HasPrefix(key, "patroni ")) {
					t.Errorf("%s has the step %s", step.Host, key)
				}
			}
		})
	}
}

// TestReturned gives the servers back to Patroni when the inventory wants it again.
func TestReturned(t *testing.T) {
	s, _ := withoutPatroni(t, map[string][]string{"11": {postgresUnit}})
	facts := map[string]resource.Facts{}
	for _, h := range s.Hosts() {
		facts[h.Name()] = h.Facts
	}
	s = siteWith(t, `{"patroni_mode": "default"}`)
	s = module.NewSite(s.Inventory, s.Catalogue, facts)
	var back []string
	for _, step := range deploy(s, Named(s, "pg-test").Hosts()) {
		if _, ok := step.Resource.(postgres.Returned); ok {
			back = append(back, step.Host)
			if !slices.Contains(step.After, plan.ID(step.Host, "patroni ready pg-test-1")) {
				t.Errorf("it is before Patroni has found the server: after %v", step.After)
			}
		}
	}
	if !slices.Equal(back, []string{"10.10.10.11"}) {
		t.Errorf("returned: %v", back)
	}
}
