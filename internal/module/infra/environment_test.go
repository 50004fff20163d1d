package infra

import (
	"testing"

	"pigsty/internal/module"
	"pigsty/internal/resource"
)

func TestOwnerOfEnvironment(t *testing.T) {
	for _, c := range []struct {
		facts       resource.Facts
		home, owner string
	}{
		{resource.Facts{}, "/root", "root:root"},
		{resource.Facts{User: "root"}, "/root", "root:root"},
		{resource.Facts{User: "ada"}, "/home/ada", "ada:ada"}, // of a host seen by an older version
		{resource.Facts{User: "ada", Home: "/srv/home/ada", Group: "staff"}, "/srv/home/ada", "ada:staff"},
	} {
		i := &instance{Host: &module.Host{Facts: c.facts}}
		if got := i.userHome(); got != c.home {
			t.Errorf("%+v: home %s, want %s", c.facts, got, c.home)
		}
		if got := i.owner().String(); got != c.owner {
			t.Errorf("%+v: owner %s, want %s", c.facts, got, c.owner)
		}
	}
}
