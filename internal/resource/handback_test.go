package resource_test

import (
	"strings"
	"testing"

	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

func TestHandBack(t *testing.T) {
	const config, dir, unit = "/etc/keepalived/keepalived.conf", "/etc/keepalived/conf.d", "keepalived.service"
	file := resource.NewFile(config, "# ours\ninclude", resource.Keeping("# ours"))
	ours := &resource.Unit{Name: unit, Enabled: true, Running: true, ReloadOn: []string{config}}
	b := &resource.HandBack{Unit: unit, Config: config, Header: "# ours", Trees: []string{dir}, Packages: []string{"keepalived"}}

	for _, c := range []struct {
		name   string
		before func(h *resourcetest.Host) // what the host is before we come
		want   string
		config string
		after  string // what becomes of the unit and the package
	}{
		{"nobody had it", func(*resourcetest.Host) {},
			"remove: no longer wanted (restart)\nrunning: yes → no\npackage: keepalived → \ndirectory: /etc/keepalived/conf.d → ", "",
			"stop keepalived.service, disable keepalived.service; remove keepalived"},
		{"it was installed, and did not run", func(h *resourcetest.Host) {
			h.Apt.Have["keepalived"] = "1"
			h.Disk.Put(config, "an example")
		}, "remove: no longer wanted (restart)\nrunning: yes → no\ndirectory: /etc/keepalived/conf.d → ", "an example",
			"stop keepalived.service, disable keepalived.service; "},
		{"somebody ran it", func(h *resourcetest.Host) {
			h.Apt.Have["keepalived"] = "1"
			h.Disk.Put(config, "theirs")
			h.Systemd.Set(unit, resource.UnitState{Active: "active", Enabled: true})
		}, "restart: what was there before comes back (restart)\ndirectory: /etc/keepalived/conf.d → ", "theirs", "restart keepalived.service; "},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := resourcetest.New()
			h.Systemd.Set(unit, resource.UnitState{})
			h.Apt.Index["keepalived"] = "1"
			c.before(h)
			run(t, h, b, step{"not ours yet", nil, "", ""})
			for _, r := range []resource.Resource{&resource.Packages{Items: []resource.PackageItem{{Name: "keepalived"}}}, file, ours} {
				if _, _, err := h.Converge(ctx, r); err != nil {
					t.Fatal(err)
				}
			}
			h.Disk.Put(dir+"/node-x.conf", "x")
			h.Systemd.Calls()
			h.Apt.Calls()
			run(t, h, b, step{"given back", nil, c.want, ""}, step{"again", nil, "", ""})
			expect(t, "calls", strings.Join(h.Systemd.Calls(), ", ")+"; "+strings.Join(h.Apt.Calls(), ", "), c.after)
			expect(t, "configuration", h.Disk.Text(config), c.config)
		})
	}

	for theirs, was := range map[string]string{"": "", "their unit": "as it was before"} {
		t.Run("somebody ran it by hand, and we with a unit file of ours in place of "+theirs, func(t *testing.T) {
			const unitFile = "/etc/systemd/system/keepalived.service"
			h := resourcetest.New()
			h.Disk.Put(config, "theirs")
			if theirs != "" {
				h.Disk.Put(unitFile, theirs)
			}
			h.Systemd.Set(unit, resource.UnitState{Active: "active"})
			for _, r := range []resource.Resource{file, resource.NewFile(unitFile, "# ours\nunit", resource.Keeping("# ours")), ours} {
				if _, _, err := h.Converge(ctx, r); err != nil {
					t.Fatal(err)
				}
			}
			st, _ := h.Systemd.Show(ctx, unit)
			st.Stale = true // as soon as the file is gone
			h.Systemd.Set(unit, st)
			h.Systemd.Calls()
			run(t, h, &resource.HandBack{Unit: unit, Config: config, Header: "# ours", Trees: []string{unitFile}},
				step{"given back", nil, "restart: what was there before comes back (restart)\nfile: /etc/systemd/system/keepalived.service → " + was, ""},
				step{"again", nil, "", ""})
			expect(t, "calls", strings.Join(h.Systemd.Calls(), ", "), "disable keepalived.service, daemon-reload, restart keepalived.service")
			expect(t, "unit file", h.Disk.Text(unitFile), theirs)

			// The last step of giving it back fails, and all is done once more.
			for _, r := range []resource.Resource{file, resource.NewFile(unitFile, "# ours\nunit", resource.Keeping("# ours")), ours} {
				if _, _, err := h.Converge(ctx, r); err != nil {
					t.Fatal(err)
				}
			}
			h.Systemd.Break(unit, "it does not like its configuration")
			run(t, h, &resource.HandBack{Unit: unit, Config: config, Header: "# ours", Trees: []string{unitFile}}, step{"cut off", nil, "", "restart keepalived.service"})
			h.Systemd.Break(unit, "")
			_ = h.Systemd.Start(ctx, unit)
			if err := (&resource.HandBack{Unit: unit, Config: config, Header: "# ours", Trees: []string{unitFile}}).Apply(ctx, h.Host); err != nil {
				t.Fatal(err)
			}
			expect(t, "unit file, given back twice", h.Disk.Text(unitFile), theirs)
		})
	}

	t.Run("cut off before we started it", func(t *testing.T) {
		h := resourcetest.New()
		h.Disk.Put(config, "an example")
		h.Systemd.Set(unit, resource.UnitState{Enabled: true})
		if _, _, err := h.Converge(ctx, file); err != nil {
			t.Fatal(err)
		}
		h.Systemd.Calls()
		run(t, h, b, step{"given back", nil, "remove: no longer wanted", ""}, step{"again", nil, "", ""})
		expect(t, "calls", strings.Join(h.Systemd.Calls(), ", "), "disable keepalived.service")
		expect(t, "configuration", h.Disk.Text(config), "an example")
	})

	h := resourcetest.New()
	h.Disk.Put(config, "theirs")
	h.Disk.Put(dir+"/theirs.conf", "x")
	h.Systemd.Set(unit, resource.UnitState{Active: "active", Enabled: true})
	run(t, h, b, step{"never ours", nil, "", ""})
	for _, r := range []resource.Resource{file, ours} {
		if _, _, err := h.Converge(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := (&resource.Original{Path: config, Header: "# ours"}).Apply(ctx, h.Host); err != nil {
		t.Fatal(err)
	}
	run(t, h, b, step{"cut off before the restart", nil, "restart: what was there before comes back (restart)\ndirectory: /etc/keepalived/conf.d → ", ""}, step{"again", nil, "", ""})
}
