package resource_test

import (
	"testing"

	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

func TestAside(t *testing.T) {
	h := resourcetest.New()
	const dir, list, kept = "/etc/apt/sources.list.d", "/etc/apt/sources.list", "/etc/apt/backup"
	a := &resource.Aside{Dir: dir, Globs: []string{"*.list", "*.sources"}, Files: []string{list}, To: kept, Header: "# ours"}
	run(t, h, a, step{"nothing there", nil, "", ""})
	h.Disk.Put(list, "theirs")
	h.Disk.Put(dir+"/debian.sources", "theirs too")
	h.Disk.Put(dir+"/local.list", "# ours\ndeb x")
	h.Disk.Put(dir+"/old.list.save", "not read")
	run(t, h, a,
		step{"first", nil, "change: set aside\nsources.list: /etc/apt/sources.list → /etc/apt/backup/sources.list\n" +
			"debian.sources: /etc/apt/sources.list.d/debian.sources → /etc/apt/backup/debian.sources", ""},
		step{"again", nil, "", ""},
		step{"a package brings one again", func(h *resourcetest.Host) { h.Disk.Put(dir+"/debian.sources", "newer") },
			"change: set aside\ndebian.sources: /etc/apt/sources.list.d/debian.sources → /etc/apt/backup/debian.sources.1", ""})
	expect(t, "the first", h.Disk.Text(kept+"/debian.sources"), "theirs too")
	expect(t, "ours", h.Disk.Text(dir+"/local.list"), "# ours\ndeb x")

	back := *a
	back.Back = true
	h.Disk.Put(dir+"/debian.sources", "# ours\nin its place")
	h.Disk.Put(list, "by somebody meanwhile")
	run(t, h, &back,
		step{"back", nil, "change: what was there before comes back\n" +
			"debian.sources: /etc/apt/backup/debian.sources → /etc/apt/sources.list.d/debian.sources", ""},
		step{"back again", nil, "", ""},
		step{"room for the other", func(h *resourcetest.Host) { _ = h.Disk.Remove(list) },
			"change: what was there before comes back\nsources.list: /etc/apt/backup/sources.list → /etc/apt/sources.list", ""})
	expect(t, "back", h.Disk.Text(dir+"/debian.sources")+", "+h.Disk.Text(list), "theirs too, theirs")
	_ = h.Disk.Remove(kept + "/debian.sources.1")
	h.Disk.Put(kept+"/x.list", "x")
	run(t, h, &back, step{"the last", nil, "change: what was there before comes back\nx.list: /etc/apt/backup/x.list → /etc/apt/sources.list.d/x.list", ""})
	if _, err := h.Disk.Stat(kept); err == nil {
		t.Error("the empty directory stays")
	}
}

// Files come back where the host would be left with ours alone, which go.
func TestAsideRescue(t *testing.T) {
	h := resourcetest.New()
	const dir, list, kept = "/etc/apt/sources.list.d", "/etc/apt/sources.list", "/etc/apt/backup"
	a := &resource.Aside{Dir: dir, Globs: []string{"*.list", "*.sources"}, Files: []string{list}, To: kept, Header: "# ours", Back: true, Rescue: true}
	h.Disk.Put(kept+"/sources.list", "theirs")
	h.Disk.Put(kept+"/debian.sources", "theirs too")
	h.Disk.Put(dir+"/local.list", "# ours\ndeb x")
	h.Disk.Put(dir+"/old.list.save", "not read")
	h.Disk.Put(list, "by somebody meanwhile")
	run(t, h, a,
		step{"another is left", nil, "", ""},
		step{"ours are left", func(h *resourcetest.Host) { _ = h.Disk.Remove(list) }, "change: what was there before comes back\n" +
			"sources.list: /etc/apt/backup/sources.list → /etc/apt/sources.list\n" +
			"debian.sources: /etc/apt/backup/debian.sources → /etc/apt/sources.list.d/debian.sources", ""},
		step{"again", nil, "", ""})
	expect(t, "ours", h.Disk.Text(dir+"/local.list"), "# ours\ndeb x")
}
