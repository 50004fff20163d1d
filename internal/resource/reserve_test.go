package resource_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

// TestReserve makes a file, lets it grow, shrink and change hands, and finds no
// room for one.
func TestReserve(t *testing.T) {
	const path = "/data/dummy"
	h := resourcetest.New()
	h.Disk.Put("/data/other", "")
	h.Shell.Answer = func(c resource.Command) ([]byte, error) {
		i := slices.IndexFunc(c.Args, func(a string) bool { return a == "--length" || a == "--size" })
		size, err := strconv.Atoi(c.Args[i+1])
		if err != nil || c.Args[len(c.Args)-1] != path {
			t.Fatalf("%v", c.Args)
		}
		if size > 100 {
			h.Disk.Put(path, "some")
			return nil, errors.New("No space left on device")
		}
		info, err := h.Disk.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return nil, h.Disk.Write(path, make([]byte, size), info.Mode, info.Owner)
	}
	r := func(size int64) *resource.Reserve {
		return &resource.Reserve{Path: path, Size: size, Owner: resource.Owner{User: "postgres", Group: "postgres"}}
	}
	run(t, h, r(40),
		step{"new", nil, "create: does not exist\nsize:  → 40", ""},
		step{"again", nil, "", ""},
		step{"somebody else's", func(h *resourcetest.Host) {
			if err := errors.Join(h.Disk.Chown(path, resource.Owner{}), h.Disk.Chmod(path, 0o644)); err != nil {
				t.Fatal(err)
			}
		}, "change: differs\nmode: 0644 → 0600\nowner: root:root → postgres:postgres", ""},
	)
	run(t, h, r(90), step{"larger", nil, "change: differs\nsize: 40 → 90", ""})
	run(t, h, r(20), step{"smaller", nil, "change: differs\nsize: 90 → 20", ""})
	if c := h.Shell.Ran(); c[len(c)-1].Args[0] != "truncate" || c[0].Args[0] != "fallocate" {
		t.Errorf("ran %v", c)
	}
	if err := h.Disk.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.Converge(ctx, r(200)); err == nil || !strings.Contains(err.Error(), "make room") {
		t.Errorf("without room: %v", err)
	}
	if _, err := h.Disk.Stat(path); err == nil {
		t.Error("a part of what there was no room for is left")
	}
}
