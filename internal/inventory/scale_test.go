package inventory

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// Aliases of aliases must not take more than the text that holds them.
func TestAliasBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("all:\n  vars:\n    a0: &a0 [ x, x, x, x, x, x, x, x, x, x ]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&b, "    a%d: &a%d [ %s ]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	_, diags := Load(Source{Name: "t.yml", Data: []byte(b.String())})
	if len(diags) != 1 || diags[0].Code != "too-many-aliases" {
		t.Errorf("got %v", diags)
	}
}

// References that double a text over and over must not exhaust memory, and what
// all hosts ask for must not be made for each.
func TestReferencesAreLimited(t *testing.T) {
	var b strings.Builder
	b.WriteString("all:\n  hosts: { \"h[1:2000]\": }\n  vars:\n    all_hosts: \"{{ groups['all'] }}\"\n    v0: 0123456789\n")
	for i := 1; i < 60; i++ {
		fmt.Fprintf(&b, "    v%d: \"{{ v%d }}{{ v%d }}\"\n", i, i-1, i-1)
	}
	inv, diags := Load(Source{Name: "t.yml", Data: []byte(strings.Replace(b.String(), "2000", "2", 1))})
	if diags = append(diags, inv.Check()...); len(diags) != 1 || diags[0].Code != "reference-too-long" {
		t.Errorf("got %v", diags)
	}
	text, _, _ := strings.Cut(b.String(), "    v0")
	inv, _ = Load(Source{Name: "t.yml", Data: []byte(text)})
	first, _ := inv.Hosts()[0].Vars().Get("all_hosts")
	last, _ := inv.Hosts()[1999].Vars().Get("all_hosts")
	if len(first.Value.Items) != 2000 || &first.Value.Items[0] != &last.Value.Items[0] {
		t.Error("the hosts have lists of their own")
	}
}

func TestDepthIsLimited(t *testing.T) {
	for _, text := range []string{strings.Repeat("[", 100_000), strings.Repeat("{a: ", 100_000), strings.Repeat("- ", 100_000)} {
		if _, diags := Load(Source{Name: "t.yml", Data: []byte(text)}); len(diags) != 1 || !strings.Contains(diags[0].Message, "nested") {
			t.Errorf("%.10s: got %v", text, diags)
		}
	}
}

// large returns an inventory of so many hosts in clusters of three, each host
// with own variables of its own besides 40 of "all" and 5 of its cluster.
func large(hosts, own int) []byte {
	var b strings.Builder
	b.WriteString("all:\n  vars:\n    admin_ip: 10.10.10.10\n    url: \"http://{{ admin_ip }}/{{ pg_cluster }}\"\n")
	for i := range 38 {
		fmt.Fprintf(&b, "    var_%03d: value %d  # a comment\n", i, i)
	}
	b.WriteString("  children:\n")
	for i := range hosts {
		if i%3 == 0 {
			fmt.Fprintf(&b, "    pg-%d:\n      vars: { pg_cluster: pg-%d, pg_conf: crit.yml, pg_version: 17, pg_vip_enabled: yes, pg_users: [ { name: a, roles: [ b ] } ] }\n      hosts:\n", i/3, i/3)
		}
		fmt.Fprintf(&b, "        10.%d.%d.%d: { pg_seq: %d, pg_role: replica", i>>16, i>>8&255, i&255, i%3+1)
		for j := 2; j < own; j++ {
			fmt.Fprintf(&b, ", own_%03d: value %d", j, i)
		}
		b.WriteString(" }\n")
	}
	return []byte(b.String())
}

func loadAll(data []byte) *Inventory {
	inv, diags := Load(Source{Name: "pigsty.yml", Data: data})
	if diags = append(diags, inv.Check()...); len(diags) > 0 {
		panic(diags[0].Pos.String() + diags[0].Message)
	}
	return inv
}

// Of four times the hosts each takes as many allocations and as much memory, but
// for the slices and maps of all that grow by doubling.
func TestLoadIsLinear(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	perHost := func(hosts, own int) (allocations, bytes float64) {
		data := large(hosts, own)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		loadAll(data)
		runtime.ReadMemStats(&after)
		return float64(after.Mallocs-before.Mallocs) / float64(hosts), float64(after.TotalAlloc-before.TotalAlloc) / float64(hosts)
	}
	loadAll(large(3, 2)) // what the first one makes for all
	for _, own := range []int{2, 20} {
		fewAllocations, fewBytes := perHost(500, own)
		manyAllocations, manyBytes := perHost(2000, own)
		if manyAllocations > 1.1*fewAllocations {
			t.Errorf("%d own variables: each of 500 hosts takes %.0f allocations, of 2000 %.0f", own, fewAllocations, manyAllocations)
		}
		if manyBytes > 1.25*fewBytes {
			t.Errorf("%d own variables: each of 500 hosts takes %.0f bytes, of 2000 %.0f", own, fewBytes, manyBytes)
		}
		t.Logf("%d own variables: %.1f → %.1f allocations and %.0f → %.0f bytes a host", own, fewAllocations, manyAllocations, fewBytes, manyBytes)
	}
}

// The time to load 5,000 hosts with about 50 effective variables each and to
// work all of them out; live-MB is what the inventory then keeps.
func BenchmarkLoad5000(b *testing.B) {
	for _, own := range []int{5, 50} {
		data := large(5000, own)
		b.Run(fmt.Sprintf("own=%d", own), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			var inv *Inventory
			for b.Loop() {
				inv = loadAll(data)
			}
			kept := inv
			inv = nil
			var with, without runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&with)
			runtime.KeepAlive(kept)
			kept = nil
			runtime.GC()
			runtime.ReadMemStats(&without)
			b.ReportMetric(float64(with.HeapAlloc-without.HeapAlloc)/1e6, "live-MB")
		})
	}
}
