package conf

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"pigsty/internal/resource"
)

func TestMachine(t *testing.T) {
	got := addresses(map[string]string{
		"10.0.0.5/24": "eth1", "192.168.1.9/24": "eth0", "fd00::5/64": "eth0",
		"172.17.0.1/16": "docker0", "172.18.0.1/16": "br-0123456789ab", "10.1.0.1/24": "br0",
	}, "eth1")
	want := []Address{
		{netip.MustParseAddr("10.0.0.5"), "eth1", true},
		{netip.MustParseAddr("10.1.0.1"), "br0", false},
		{netip.MustParseAddr("192.168.1.9"), "eth0", false},
	}
	if !slices.Equal(got, want) {
		t.Errorf("addresses() = %v, want %v", got, want)
	}
	routes := "Iface\tDestination\tGateway\neth0\t0000A8C0\t00000000\neth1\t00000000\t0100000A\n"
	if got := defaultInterface(routes); got != "eth1" {
		t.Errorf("the default route leads through %q", got)
	}
	for _, c := range []struct {
		os, version string
		want        int
	}{{"debian", "12", 15}, {"debian", "13", 17}, {"ubuntu", "24.04", 16}, {"rocky", "9.6", latest}, {"debian", "14", latest}} {
		m := Machine{Facts: resource.Facts{OS: c.os, Version: c.version}}
		if got, _ := m.Version(); got != c.want {
			t.Errorf("%s gets PostgreSQL %d, want %d", m.System(), got, c.want)
		}
	}
	if got := (Machine{Zone: "Asia/Shanghai"}).Region() + " " + (Machine{Zone: "Europe/Vienna"}).Region(); got != "china default" {
		t.Errorf("regions are %s", got)
	}
}

func TestProxyOf(t *testing.T) {
	env := map[string]string{"http_proxy": "http://a", "HTTP_PROXY": "http://b", "HTTPS_PROXY": "http://c", "NO_PROXY": "localhost"}
	p := ProxyOf(func(name string) string { return env[name] })
	if got := []string{p.HTTP.Reveal(), p.HTTPS.Reveal(), p.All.Reveal(), p.No}; !slices.Equal(got, []string{"http://a", "http://c", "", "localhost"}) {
		t.Errorf("ProxyOf() = %q", got)
	}
	if p := ProxyOf(func(string) string { return "" }); !p.IsZero() {
		t.Error("an empty environment has a proxy")
	}
}

func TestListeners(t *testing.T) {
	table, err := os.ReadFile("testdata/tcp")
	if err != nil {
		t.Fatal(err)
	}
	found := map[int]bool{}
	listeners(string(table), found)
	if len(found) != 2 || !found[22] || !found[5432] {
		t.Errorf("listeners() finds %v, want 22 and 5432", found)
	}
}

func TestChecks(t *testing.T) {
	good := Machine{UTF8: true, Facts: resource.Facts{OS: "rocky", Version: "9.6", Family: "rpm", Arch: "aarch64", Memory: 4 << 30, Systemd: true}}
	bad := Machine{Facts: resource.Facts{OS: "void", Version: "1", Arch: "riscv64", Memory: 512 << 20}}
	states := func(m Machine) string {
		var out []string
		for _, c := range []Check{m.system(), m.arch(), m.systemd(), m.memory(), m.locale()} {
			if (c.Advice == "") != (c.State == OK) {
				t.Errorf("%s is %s, and the advice is %q", c.Name, c.State, c.Advice)
			}
			out = append(out, c.Name+" "+string(c.State))
		}
		return strings.Join(out, ", ")
	}
	if got, want := states(good), "system ok, architecture ok, systemd ok, memory ok, locale ok"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := states(bad), "system warning, architecture failure, systemd failure, memory warning, locale warning"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
