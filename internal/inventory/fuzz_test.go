package inventory

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func FuzzLoad(f *testing.F) {
	for _, data := range testSources(f) {
		f.Add(data, "x={{ y }}")
	}
	f.Fuzz(func(t *testing.T, data []byte, extra string) {
		if strings.HasPrefix(strings.TrimSpace(extra), "@") {
			t.Skip("would read files")
		}
		source := Source{Name: "f.yml", Data: data}
		inv, diags := Load(source, source)
		diags.Add(inv.Check()...)
		diags.Add(inv.SetExtra([]string{extra})...)
		diags.Add(inv.Check()...)
		var out strings.Builder
		diags.Render(&out, map[string][]byte{"f.yml": data}, true)
		lines := 2 // an error can stand behind the last line break
		for _, br := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029"} {
			lines += strings.Count(string(data), br)
		}
		for _, d := range diags {
			if d.Code == "" || d.Message == "" || d.Pos.File == "f.yml" && d.Pos.Line > lines {
				t.Errorf("odd diagnostic %+v", d)
			}
		}
		for _, h := range inv.Hosts() {
			names := slices.Collect(func(yield func(string) bool) {
				for v := range h.Vars().All() {
					if !yield(v.Name) {
						return
					}
				}
			})
			if !slices.IsSorted(names) || len(slices.Compact(names)) != h.Vars().Len() {
				t.Errorf("variables of %q: %q", h.Name(), names)
			}
			if !slices.Contains(inv.Group("all").Hosts(), h) {
				t.Errorf("%q is not in all", h.Name())
			}
		}
		again, _ := Load(source, source)
		if !reflect.DeepEqual(namesOf(inv.Hosts()), namesOf(again.Hosts())) {
			t.Error("loading twice gives different hosts")
		}
	})
}

func FuzzSelect(f *testing.F) {
	inv, _ := Load(Source{Name: "t.yml", Data: large(30, 2)})
	for _, pattern := range []string{"all", "pg-*:!pg-1", "10.0.0.[0:9]", "~10\\..*", "pg-1[0:2],&pg-2", "pg-[!a-z]", "*[-1]", "a[", "]", "[z-a]", "[]", "[!]"} {
		f.Add(pattern)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		hosts, err := inv.Select(pattern)
		if err != nil && (hosts != nil || err.Error() == "") {
			t.Errorf("%q: %v with %v", pattern, err, hosts)
		}
		if !slices.IsSortedFunc(hosts, func(a, b *Host) int { return a.index - b.index }) || len(hosts) > len(inv.hosts) {
			t.Errorf("%q: %v", pattern, namesOf(hosts))
		}
	})
}
