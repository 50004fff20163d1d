package conf

import (
	"cmp"
	"context"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"pigsty/internal/host"
	"pigsty/internal/resource"
	"pigsty/internal/secret"
)

// Machine is what is known of the machine that this runs on.
type Machine struct {
	Facts     resource.Facts
	Addresses []Address // by which other hosts may reach it, the likeliest first
	UTF8      bool      // it has the locale C.UTF-8
	Zone      string    // time zone, such as Asia/Shanghai; empty if it is not known
}

// Address is an IPv4 address of a network interface.
type Address struct {
	IP        netip.Addr
	Interface string
	Default   bool // the way to everywhere else leads through the interface
}

// ThisMachine finds out what the machine is. It reaches no other.
func ThisMachine(ctx context.Context) (Machine, error) {
	facts, err := host.Gather()
	if err != nil {
		return Machine{}, err
	}
	routes, _ := os.ReadFile("/proc/net/route") // without it, no address is likelier
	return Machine{
		Facts:     facts,
		Addresses: addresses(facts.Addresses, defaultInterface(string(routes))),
		UTF8:      hasUTF8(ctx),
		Zone:      timeZone(),
	}, nil
}

// inner matches interfaces that lead to containers and virtual machines of this
// machine, where no other host is.
var inner = regexp.MustCompile(`^(?:docker|br-[0-9a-f]{12}|veth|virbr|vnet|cni|flannel|cali|podman|lxc|lxd|incus)`)

// addresses picks the IPv4 addresses that other hosts may use; all maps
// prefixes to interfaces.
func addresses(all map[string]string, through string) []Address {
	var out []Address
	for cidr, name := range all {
		prefix, err := netip.ParsePrefix(cidr)
		if err != nil || !prefix.Addr().Is4() || inner.MatchString(name) {
			continue
		}
		out = append(out, Address{IP: prefix.Addr(), Interface: name, Default: name == through})
	}
	slices.SortFunc(out, func(a, b Address) int {
		if a.Default != b.Default {
			return map[bool]int{true: -1, false: 1}[a.Default]
		}
		return cmp.Or(cmp.Compare(a.Interface, b.Interface), a.IP.Compare(b.IP))
	})
	return out
}

// defaultInterface reads /proc/net/route, see proc_net(5): the second field is
// the destination, 0 for the default route.
func defaultInterface(routes string) string {
	for line := range strings.Lines(routes) {
		if f := strings.Fields(line); len(f) > 1 && f[1] == "00000000" {
			return f[0]
		}
	}
	return ""
}

// Has reports whether ip is one of the machine's own addresses.
func (m Machine) Has(ip netip.Addr) bool {
	return slices.ContainsFunc(m.Addresses, func(a Address) bool { return a.IP == ip })
}

// hasUTF8 reports whether the locale C.UTF-8 is there: as a directory, where
// distributions put it, or built into the C library.
func hasUTF8(ctx context.Context) bool {
	for _, name := range []string{"C.utf8", "C.UTF-8"} {
		if _, err := os.Stat(filepath.Join("/usr/lib/locale", name)); err == nil {
			return true
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	list, _ := exec.CommandContext(ctx, "locale", "-a").Output()
	return slices.ContainsFunc(strings.Fields(string(list)), func(name string) bool {
		return strings.EqualFold(name, "C.UTF-8") || strings.EqualFold(name, "C.utf8")
	})
}

// timeZone returns the zone that /etc/localtime leads to.
func timeZone() string {
	target, err := os.Readlink("/etc/localtime")
	if err != nil {
		return ""
	}
	_, zone, _ := strings.Cut(target, "zoneinfo/")
	return zone
}

// Regions are the values of the parameter region.
var Regions = []string{"default", "china", "europe"}

// Region returns the region whose mirrors are near, judged by the time zone.
// Asking hosts of the internet which of them answers would tell more, and tell
// them.
func (m Machine) Region() string {
	if slices.Contains([]string{"Asia/Shanghai", "Asia/Chongqing", "Asia/Harbin", "Asia/Urumqi", "PRC"}, m.Zone) {
		return "china"
	}
	return "default"
}

// Versions are the major versions of PostgreSQL that can be asked for.
var Versions = []int{13, 14, 15, 16, 17, 18}

// packaged says which PostgreSQL a distribution's own repositories carry.
var packaged = map[string]int{"debian 12": 15, "debian 13": 17, "ubuntu 22.04": 14, "ubuntu 24.04": 16}

// latest is the version for systems that carry none, or none that is known.
const latest = 18

// Version chooses a major version of PostgreSQL for the machine and says why:
// the one that can be had without repositories of others, else the latest.
func (m Machine) Version() (version int, why string) {
	if v, ok := packaged[m.Facts.OS+" "+m.Facts.Version]; ok {
		return v, "what " + m.System() + " itself carries; -v chooses another"
	}
	return latest, "the latest, which needs repositories of PostgreSQL's own; -v chooses another"
}

// System names the operating system for people.
func (m Machine) System() string {
	name := m.Facts.OS
	switch name {
	case "debian", "ubuntu", "rocky":
		name = strings.ToUpper(name[:1]) + name[1:]
	case "":
		name = "an unknown system"
	}
	return strings.TrimSpace(name + " " + m.Facts.Version)
}

// ProxyOf reads the usual environment variables, in lower case and, but for
// HTTP_PROXY, in upper case: a web server may set that one from a request. For
// what they leave out, all_proxy stands.
func ProxyOf(getenv func(string) string) Proxy {
	either := func(name string) secret.Value {
		return secret.New(cmp.Or(getenv(name), getenv(strings.ToUpper(name))))
	}
	return Proxy{
		HTTP: secret.New(getenv("http_proxy")), HTTPS: either("https_proxy"), All: either("all_proxy"),
		No: either("no_proxy").Reveal(),
	}
}
