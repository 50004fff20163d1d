package resource_test

import (
	"slices"
	"strings"
	"testing"

	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

func TestUnit(t *testing.T) {
	const conf, unitFile = "/etc/app/app.conf", "/etc/systemd/system/app.service"
	h := resourcetest.New()
	h.Disk.Put(conf, "1")
	h.Disk.Put("/etc/app/d/a", "1")
	h.Disk.Put(unitFile, "1")
	u := &resource.Unit{Name: "app.service", Enabled: true, Running: true,
		ReloadOn: []string{conf, "/etc/app/d/"}, RestartOn: []string{unitFile}, Check: []string{"app", "-t"}}

	calls := func(want string) {
		t.Helper()
		expect(t, "calls", strings.Join(h.Systemd.Calls(), ", "), want)
	}
	run(t, h, u, step{"not there", nil, "", "unit app.service does not exist on this host"})
	calls("daemon-reload")
	h.Systemd.Set("app.service", resource.UnitState{})
	run(t, h, u, step{"first start", nil, "change: the unit is inactive\nenabled: no → yes\nrunning: no → yes", ""})
	calls("enable app.service, start app.service")
	run(t, h, u, step{"nothing", nil, "", ""},
		step{"file", func(h *resourcetest.Host) { h.Disk.Put(conf, "2") }, "reload: /etc/app/app.conf changed since it was last read (reload)", ""})
	calls("reload app.service")
	run(t, h, u, step{"tree", func(h *resourcetest.Host) { h.Disk.Put("/etc/app/d/b", "2") }, "reload: /etc/app/d/ changed since it was last read (reload)", ""},
		step{"removed", func(h *resourcetest.Host) { _ = h.Disk.Remove("/etc/app/d/b") }, "reload: /etc/app/d/ changed since it was last read (reload)", ""})
	calls("reload app.service, reload app.service")
	run(t, h, u, step{"touched only", func(h *resourcetest.Host) { h.Disk.Put(conf, "2") }, "", ""},
		step{"restart", func(h *resourcetest.Host) { h.Disk.Put(unitFile, "2"); h.Disk.Put(conf, "3") },
			"restart: /etc/systemd/system/app.service changed since it was last read (restart)", ""})
	calls("restart app.service")

	// Somebody restarts it after a change: it has read everything.
	h.Disk.Put(conf, "4")
	_ = h.Systemd.Restart(ctx, "app.service")
	run(t, h, u, step{"restarted by hand", nil, "", ""})
	h.Systemd.Calls()
	// A run that broke off between file and reload, on a host without a manifest.
	h.Manifest = &resource.Manifest{}
	run(t, h, u, step{"nothing remembered", nil, "", ""},
		step{"forgotten reload", func(h *resourcetest.Host) { h.Disk.Put(conf, "5") }, "reload: /etc/app/app.conf is newer than the running unit (reload)", ""})
	calls("reload app.service")

	run(t, h, u, step{"disabled", func(h *resourcetest.Host) { _ = h.Systemd.Disable(ctx, "app.service") }, "change: differs\nenabled: no → yes", ""})
	h.Systemd.Calls()
	run(t, h, u, step{"unit file read late", func(h *resourcetest.Host) {
		st, _ := h.Systemd.Show(ctx, "app.service")
		st.Stale = true
		h.Systemd.Set("app.service", st)
	}, "reload: its unit file changed", ""})
	calls("daemon-reload")

	h.Shell.Answer = func(c resource.Command) ([]byte, error) {
		return nil, &resource.CommandError{Args: c.Args, Code: 1, Output: "port: not a number"}
	}
	run(t, h, u, step{"bad configuration", func(h *resourcetest.Host) { h.Disk.Put(conf, "x") }, "",
		"refusing to reload app.service, whose configuration is not valid: app exited with status 1: port: not a number"})
	calls("")
	h.Shell.Answer = nil
	run(t, h, u, step{"masked", func(h *resourcetest.Host) {
		h.Systemd.Set("app.service", resource.UnitState{Load: "masked"})
	}, "", "systemctl unmask app.service"})
}

// TestUnitSocket checks that systemd reads the file of a unit's socket before
// the unit restarts for it.
func TestUnitSocket(t *testing.T) {
	const file = "/etc/systemd/system/app.socket"
	h := resourcetest.New()
	h.Disk.Put(file, "1")
	h.Systemd.Set("app.service", resource.UnitState{Enabled: true})
	h.Systemd.Set("app.socket", resource.UnitState{})
	u := &resource.Unit{Name: "app.service", Enabled: true, Running: true, Sockets: []string{"app.socket"}, RestartOn: []string{file}}
	run(t, h, u, step{"first start", nil, "change: the unit is inactive\nrunning: no → yes", ""})
	h.Systemd.Calls()
	run(t, h, u, step{"nothing", nil, "", ""},
		step{"its socket's file", func(h *resourcetest.Host) {
			h.Disk.Put(file, "2")
			h.Systemd.Set("app.socket", resource.UnitState{Stale: true})
		}, "restart: " + file + " changed since it was last read (restart)", ""})
	expect(t, "calls", strings.Join(h.Systemd.Calls(), ", "), "daemon-reload, restart app.service")
	if !slices.Contains(u.Requires(), "file "+file) {
		t.Error("the unit may come before its socket's file")
	}
}

func TestUnitFailure(t *testing.T) {
	h := resourcetest.New()
	h.Systemd.Set("app.service", resource.UnitState{Active: "failed", Enabled: true})
	h.Systemd.Break("app.service", "line one\nport 80 is taken")
	u := &resource.Unit{Name: "app.service", Enabled: true, Running: true}
	run(t, h, u, step{"start", nil, "", "start app.service: the job failed; app.service is failed, and its log ends with\n  line one\n  port 80 is taken"})
	h.Systemd.Break("app.service", "")
	run(t, h, u, step{"mended", nil, "change: the unit is failed\nrunning: no → yes", ""})
}

func TestUnitPending(t *testing.T) {
	h := resourcetest.New()
	h.Disk.Put("/etc/app/a.conf", "1")
	u := &resource.Unit{Name: "app.service", Enabled: true, Running: true, ReloadOn: []string{"/etc/app/"},
		RestartOn: []string{"/etc/app.env"}, RestartImpact: resource.ImpactFailover}
	h.Systemd.Set("app.service", resource.UnitState{Enabled: true})
	if _, _, err := h.Converge(ctx, u); err != nil {
		t.Fatal(err)
	}
	plan := func(r resource.Resource) {
		t.Helper()
		c, err := r.Diff(ctx, h.Host)
		if err != nil {
			t.Fatal(err)
		}
		h.SetPending(r.Key(), c)
	}
	expectPlan := func(want string) {
		t.Helper()
		c, err := u.Diff(ctx, h.Host)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "plan", show(c), want)
	}
	plan(resource.NewFile("/etc/app/a.conf", "1"))
	expectPlan("")
	plan(resource.NewFile("/etc/app/b.conf", "2"))
	expectPlan("reload: /etc/app/b.conf changes (reload)")
	plan(&resource.Absent{Path: "/etc/app/a.conf"})
	expectPlan("reload: /etc/app/a.conf changes (reload)")
	plan(resource.NewFile("/etc/app.env", "2"))
	expectPlan("restart: /etc/app.env changes (failover)")
	h.SetPending("file /etc/app.env", resource.Change{})
	h.SetPending("file /etc/app/b.conf", resource.Change{})
	h.SetPending("absent /etc/app/a.conf", resource.Change{})
	plan(resource.NewFile("/etc/systemd/system/app.service.d/x.conf", ""))
	expectPlan("reload: /etc/systemd/system/app.service.d/x.conf changes")
}

// TestUnitAbsentOurs checks that a unit is taken away only from whom it was us who
// gave it.
func TestUnitAbsentOurs(t *testing.T) {
	h := resourcetest.New()
	absent, unit := &resource.UnitAbsent{Name: "app.service", Ours: true}, &resource.Unit{Name: "app.service", Enabled: true, Running: true}
	h.Systemd.Set("app.service", resource.UnitState{Active: "active", Enabled: true})
	run(t, h, unit, step{"it ran before", nil, "", ""})
	run(t, h, absent, step{"of others", nil, "", ""})
	h.Systemd.Set("app.service", resource.UnitState{})
	run(t, h, unit, step{"started", nil, "change: the unit is inactive\nenabled: no → yes\nrunning: no → yes", ""})
	run(t, h, absent, step{"ours", nil, "remove: no longer wanted (restart)\nenabled: yes → no\nrunning: yes → no", ""})
}

func TestUnitStopped(t *testing.T) {
	h := resourcetest.New()
	h.Systemd.Set("app.service", resource.UnitState{Active: "active", Enabled: true})
	run(t, h, &resource.Unit{Name: "app.service"}, step{"running", nil, "change: the unit should not run (restart)\nenabled: yes → no\nrunning: yes → no", ""})
	run(t, h, &resource.UnitAbsent{Name: "no.service"}, step{"none", nil, "", ""})
	run(t, h, &resource.UnitAbsent{Name: "app.service"},
		step{"stopped", nil, "", ""},
		step{"failing over and over", func(h *resourcetest.Host) {
			h.Systemd.Set("app.service", resource.UnitState{Active: "activating", Enabled: true})
		}, "remove: no longer wanted (restart)\nenabled: yes → no\nrunning: yes → no", ""},
		step{"static", func(h *resourcetest.Host) {
			h.Systemd.Set("app.service", resource.UnitState{Enabled: true, Static: true})
		}, "", ""})
}
