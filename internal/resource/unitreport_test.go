package resource_test

import (
	"context"
	"testing"

	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

func TestUnitReport(t *testing.T) {
	r := &resource.UnitReport{Name: "vmetrics.service", Packages: []string{"vmutils", "victoria-metrics"}}
	h := resourcetest.New()
	told := func() string {
		t.Helper()
		c, err := r.Diff(context.Background(), h.Host)
		if err != nil || !c.Empty() {
			t.Fatalf("%+v, %v", c, err)
		}
		text := ""
		for _, a := range c.Attrs {
			text += a.Name + "=" + a.New + " "
		}
		return text
	}
	check := func(want string) {
		t.Helper()
		if got := told(); got != want {
			t.Errorf("it says %q, not %q", got, want)
		}
	}
	check("state=not installed ")
	h.Apt.Have["victoria-metrics"] = "1.112.0"
	check("state=not set up version=1.112.0 ")
	h.Systemd.Set("vmetrics.service", resource.UnitState{Load: "loaded", Active: "failed"})
	check("state=failed version=1.112.0 ")
	h.Systemd.Set("vmetrics.service", resource.UnitState{Load: "loaded", Active: "active"})
	check("state=running version=1.112.0 ")
}
