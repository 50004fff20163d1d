package resource_test

import (
	"slices"
	"testing"
	"time"

	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

// TestUnitWorkers checks that a reload is over when the workers before it take no
// connections any more and there is a new one, and that it waits for no other process.
func TestUnitWorkers(t *testing.T) {
	const conf, title = "/etc/app/app.conf", "app: worker"
	h := resourcetest.New()
	h.Disk.Put(conf, "1")
	h.Systemd.Set("app.service", resource.UnitState{Active: "active", Enabled: true, MainPID: 70})
	u := &resource.Unit{Name: "app.service", Enabled: true, Running: true, ReloadOn: []string{conf}, Workers: resource.Workers{Title: title, Renewed: true}}
	h.Disk.Put("/proc/70/task/70/children", "71 72 73 ")
	h.Disk.Put("/proc/71/cmdline", title+"\x00\x00")
	h.Disk.Put("/proc/72/cmdline", "app: cache\x00")
	h.Disk.Put("/proc/73/cmdline", title+"\x00")
	h.Disk.Put(conf, "2")

	done := make(chan error)
	go func() { done <- u.Apply(ctx, h.Host) }()
	for !slices.Contains(h.Systemd.Calls(), "reload app.service") {
		select {
		case err := <-done:
			t.Fatalf("it ended before the reload: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	for _, happens := range []func(){
		func() {},
		func() { _ = h.Disk.Remove("/proc/71/cmdline") },                         // 73 still works
		func() { h.Disk.Put("/proc/73/cmdline", title+" is shutting down\x00") }, // nobody does
	} {
		happens()
		select {
		case err := <-done:
			t.Fatalf("it ended too early: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
	h.Disk.Put("/proc/70/task/70/children", "71 72 73 74 ")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
