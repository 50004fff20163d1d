package host

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"pigsty/internal/resource"
)

// logs shows progress in the test's log.
type logs struct{ *testing.T }

func (logs) Blob(context.Context, string) ([]byte, error)         { return nil, os.ErrNotExist }
func (logs) Sign(context.Context, string, []byte) ([]byte, error) { return nil, os.ErrPermission }
func (logs) Ping(context.Context) error                           { return nil }
func (l logs) Log(_ context.Context, line string)                 { l.T.Log(line) }

// testHost opens this host where the environment says that it is for tests.
func testHost(t *testing.T) *resource.Host {
	t.Helper()
	if os.Getenv("PIGSTY_TEST_HOST") == "" {
		t.Skip("set PIGSTY_TEST_HOST on a host with systemd that may be changed")
	}
	h, err := Open(logs{t})
	if err != nil {
		t.Fatal(err)
	}
	if !h.Facts.Systemd {
		t.Skip("no systemd here")
	}
	t.Cleanup(h.Close)
	return h
}

// converge applies r and sees that nothing is left to do.
func converge(t *testing.T, h *resource.Host, r resource.Resource) resource.Change {
	t.Helper()
	c, err := r.Diff(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	if c.Empty() {
		return c
	}
	if err := r.Apply(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if left, err := r.Diff(t.Context(), h); err != nil || !left.Empty() {
		t.Fatalf("%s: after apply: %+v %v", r.Key(), left, err)
	}
	return c
}

func TestUnitForReal(t *testing.T) {
	h := testHost(t)
	const name, conf = "pigsty-test.service", "/etc/pigsty-test.conf"
	unitFile := "/etc/systemd/system/" + name
	text := "[Service]\nExecStart=/bin/sh -c 'echo started; exec sleep 1000'\nExecReload=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
	gone := &resource.UnitAbsent{Name: name}
	t.Cleanup(func() {
		_ = gone.Apply(context.Background(), h)
		_ = h.Files.Remove(unitFile)
		_ = h.Files.Remove(conf)
	})
	u := &resource.Unit{Name: name, Enabled: true, Running: true, ReloadOn: []string{conf}, RestartOn: []string{unitFile}}
	if _, err := u.Diff(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if err := u.Apply(t.Context(), h); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Fatalf("without a unit file: %v", err)
	}
	converge(t, h, resource.NewFile(unitFile, text))
	began := time.Now()
	converge(t, h, u)
	first, err := h.Units.Show(t.Context(), name)
	if err != nil || first.Active != "active" || !first.Enabled || first.Invocation == "" || first.MainPID == 0 ||
		first.Since.Before(began.Truncate(time.Microsecond)) || first.Since.After(time.Now()) {
		t.Fatalf("%+v %v", first, err)
	}
	converge(t, h, resource.NewFile(conf, "1"))
	if c := converge(t, h, u); c.Action != resource.Reload {
		t.Errorf("after a change of what it reads: %+v", c)
	}
	if st, _ := h.Units.Show(t.Context(), name); st.MainPID != first.MainPID {
		t.Error("a reload changed the process")
	}
	converge(t, h, resource.NewFile(unitFile, text+"# more\n"))
	if c := converge(t, h, u); c.Action != resource.Restart {
		t.Errorf("after a change of the unit file: %+v", c)
	}
	if st, _ := h.Units.Show(t.Context(), name); st.MainPID == first.MainPID || st.Stale {
		t.Errorf("after a restart: %+v", st)
	}
	converge(t, h, resource.NewFile(unitFile, strings.Replace(text, "exec sleep 1000", "exit 7", 1)))
	if err := u.Apply(t.Context(), h); err == nil || !strings.Contains(err.Error(), "started") || !strings.Contains(err.Error(), "failed") {
		t.Errorf("a unit that fails: %v", err)
	} else {
		t.Log(err)
	}
	converge(t, h, resource.NewFile(unitFile, text))
	converge(t, h, u)
	for _, enabled := range []bool{false, true, false} {
		converge(t, h, &resource.Unit{Name: name, Enabled: enabled, Running: true})
		st, err := h.Units.Show(t.Context(), name)
		if err != nil || st.Enabled != enabled || st.Stale {
			t.Errorf("enabled: %v: %+v %v", enabled, st, err)
		}
		if ssh, err := h.Units.Show(t.Context(), "ssh.service"); err != nil || ssh.Stale {
			t.Errorf("another unit is to be read anew, too: %+v %v", ssh, err)
		}
	}
	if err := h.Units.ReadLinks(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st, err := (&units{}).Show(t.Context(), name); err != nil || st.Enabled {
		t.Errorf("systemd does not know that the unit is disabled: %+v %v", st, err)
	}
	converge(t, h, gone)
}

func TestPackagesForReal(t *testing.T) {
	h := testHost(t)
	p := &resource.Packages{Items: []resource.PackageItem{{Name: "cron-daemon-common"}, {Name: "cron"}}}
	if h.Facts.Family == "rpm" {
		p = &resource.Packages{Items: []resource.PackageItem{{Name: "cronie"}}}
	}
	t.Logf("plan: %+v", converge(t, h, p))
	if st, err := h.Units.Show(t.Context(), "cron.service"); err != nil || st.Active == "active" {
		t.Errorf("installing started the service: %+v %v", st, err)
	}
	lost := &resource.Packages{Items: []resource.PackageItem{{Name: "cron-99-nothing", For: "a test"}}}
	if _, err := lost.Diff(t.Context(), h); err == nil || !strings.Contains(err.Error(), "a test") {
		t.Errorf("a package that is nowhere: %v", err)
	} else {
		t.Log(err)
	}
	var names []string
	for _, item := range p.Items {
		names = append(names, item.Name)
	}
	converge(t, h, &resource.PackagesAbsent{Names: names})
	if _, err := os.Stat(policyFile); err == nil {
		t.Error("the policy against starts is still there")
	}
}

func TestFactsForReal(t *testing.T) {
	h := testHost(t)
	t.Logf("%+v", h.Facts)
}
