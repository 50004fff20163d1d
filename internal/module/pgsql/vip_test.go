package pgsql

import (
	"fmt"
	"strings"
	"testing"

	"pigsty/internal/resource"
)

// TestLoneRouter is about a member without peers, which announces its virtual
// router to the whole network and must not be taken for somebody else's.
func TestLoneRouter(t *testing.T) {
	vip := func(address string) string { return ", pg_vip_enabled: true, pg_vip_address: " + address + "/24" }
	s := newSite(t, "x.yml", fmt.Sprintf(two, "replica", vip("10.0.0.8"), vip("10.0.0.9")), nil)
	lone := Clusters(s)[1]
	found := 0
	var looks, file string
	for _, step := range deploy(s, s.Hosts()) {
		if r, ok := step.Resource.(*resource.RouterFree); ok {
			found++
			looks = step.ID()
			if step.Host != "10.0.0.4" || r.ID != lone.routerID(s) || r.Address != "10.0.0.9" || !strings.Contains(r.Advice, fmt.Sprintf("vip_vrid: %d ", r.ID)) {
				t.Errorf("%s looks for %+v", step.Host, r)
			}
		}
		if f, ok := step.Resource.(*resource.File); ok && f.Path == "/etc/keepalived/conf.d/pgsql-b.conf" {
			file = strings.Join(step.After, " ")
		}
	}
	if found != 1 || !strings.Contains(file, looks) {
		t.Errorf("%d hosts listen, and the file waits for %q", found, file)
	}
}
