// Package sandbox turns one Linux machine into several real hosts: systemd-nspawn containers, each with
// its own systemd, sshd and address on a private bridge, over one shared base image (overlayfs).
//
// A sandbox is a directory, a bridge and a subnet; several live side by side when all three differ.
// Everything it makes on the machine is named after its bridge and removed by Down: the bridge itself,
// the host ends of the veth pairs, one nftables table for NAT and one for partitions, a cgroup subtree
// and overlay mounts under its directory. It leaves net.ipv4.ip_forward and the raised inotify limits,
// since others on the machine may have come to rely on them.
//
// What is running is read from the kernel (cgroups, mounts, nftables), never from a pid file, so a crash
// or a reboot of the machine leaves nothing that the next Up or Down does not see as it is.
package sandbox

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// DirEnv names the environment variable that overrides DefaultDir.
const DirEnv = "PIGSTY_SANDBOX_DIR"

// What a Config leaves out.
const (
	DefaultDir    = "/var/lib/pigsty-sandbox"
	DefaultBridge = "pgbr0"
	DefaultSubnet = "10.10.10.0/24"
	DefaultOS     = "debian13"
)

// firstHost is the offset of the first host in the subnet: 10.10.10.10 in 10.10.10.0/24, the address of
// the first node in the example inventories. Lower ones stay free for the gateway and for VIPs.
const firstHost = 10

// Config says which sandbox to open. Every field may be left zero: it is then what the sandbox in Dir was
// made with, else the default.
type Config struct {
	// Dir holds the hosts' disks, keys and logs: an absolute path, without ':', ',' or '\' (overlayfs
	// gives them a meaning in its mount options).
	Dir string
	// ImageDir holds base images and the package cache; Dir by default. Sandboxes that share it share
	// both, so that a second one costs no download.
	ImageDir string
	// Bridge names the network interface, at most 15 bytes: letters, digits, '-', '_', '.'.
	Bridge string
	// Subnet is an IPv4 prefix of /16 to /28; the machine takes its first address as gateway.
	Subnet netip.Prefix
	// OS is what new hosts run, one of Releases.
	OS string
	// Packages are installed on new hosts from the start, at the cost of installing them once.
	Packages []string
	// Mirror is the Debian archive that base images are built from; by default the first one in the
	// machine's own apt configuration.
	Mirror string
}

// Sandbox is one set of hosts. Its methods may be called from several processes at once: those that
// change something wait for each other on a lock in its directory.
type Sandbox struct {
	dir, images, bridge string
	subnet              netip.Prefix
	os                  string   // of new hosts
	osGiven             bool     // chosen by the caller rather than by default
	packages            []string // of new hosts, besides the base image's
	mirror              string
}

// Host is one host of a sandbox, as found when it was asked for.
type Host struct {
	Name string     `json:"name"`
	Addr netip.Addr `json:"address"`
	OS   string     `json:"os"`
	// Running means that at least one process of the host lives; sshd may not answer yet.
	Running bool `json:"running"`
	// Partitioned hosts exchange no traffic with anything outside themselves.
	Partitioned bool `json:"partitioned"`
	// PID is the host's init as the machine numbers it, 0 when not running and for a moment of a reboot.
	PID int `json:"pid,omitempty"`
}

// State is one word for Running and Partitioned: running, partitioned or stopped.
func (h Host) State() string {
	switch {
	case !h.Running:
		return "stopped"
	case h.Partitioned:
		return "partitioned"
	}
	return "running"
}

// ErrNoHost is wrapped by errors about a host that the sandbox does not have.
var ErrNoHost = errors.New("no such sandbox host")

// settings is what sandbox.json keeps, so that later commands need only the directory.
type settings struct {
	Bridge   string       `json:"bridge"`
	Subnet   netip.Prefix `json:"subnet"`
	ImageDir string       `json:"image_dir"`
}

// Open describes the sandbox of c without making anything. It fails on a value out of range and on one
// that contradicts the sandbox that already lives in the directory.
func Open(c Config) (*Sandbox, error) {
	dir := cmp.Or(c.Dir, os.Getenv(DirEnv), DefaultDir)
	var had settings
	if b, err := os.ReadFile(filepath.Join(dir, "sandbox.json")); err == nil {
		if err := json.Unmarshal(b, &had); err != nil {
			return nil, fmt.Errorf("reading %s: %w", filepath.Join(dir, "sandbox.json"), err)
		}
	}
	s := &Sandbox{
		dir:      filepath.Clean(dir),
		images:   filepath.Clean(cmp.Or(c.ImageDir, had.ImageDir, dir)),
		bridge:   cmp.Or(c.Bridge, had.Bridge, DefaultBridge),
		subnet:   cmp.Or(c.Subnet, had.Subnet, netip.MustParsePrefix(DefaultSubnet)),
		os:       cmp.Or(c.OS, DefaultOS),
		osGiven:  c.OS != "",
		packages: c.Packages,
		mirror:   strings.TrimRight(c.Mirror, "/"),
	}
	for _, p := range []string{s.dir, s.images} {
		if !filepath.IsAbs(p) || strings.ContainsAny(p, ":,\\\n") {
			return nil, fmt.Errorf(`sandbox directory %q: want an absolute path without ':', ',' and '\'`, p)
		}
	}
	if !bridgeName.MatchString(s.bridge) {
		return nil, fmt.Errorf("sandbox bridge %q: want a letter, then up to 14 letters, digits, '-', '_', '.'", s.bridge)
	}
	if p := s.subnet; !p.Addr().Is4() || p.Bits() < 16 || p.Bits() > 28 || p != p.Masked() {
		return nil, fmt.Errorf("sandbox subnet %s: want an IPv4 network of /16 to /28 such as %s", p, DefaultSubnet)
	}
	if _, err := findRelease(s.os); err != nil {
		return nil, err
	}
	if had.Bridge != "" && (had.Bridge != s.bridge || had.Subnet != s.subnet) {
		return nil, fmt.Errorf("the sandbox in %s uses bridge %s and subnet %s: take it down first or choose another directory",
			s.dir, had.Bridge, had.Subnet)
	}
	return s, nil
}

var bridgeName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]{0,14}$`)

// Dir is the directory of the sandbox.
func (s *Sandbox) Dir() string { return s.dir }

// Subnet is the network of the hosts.
func (s *Sandbox) Subnet() netip.Prefix { return s.subnet }

// Gateway is the machine's own address on the bridge.
func (s *Sandbox) Gateway() netip.Addr { return s.subnet.Addr().Next() }

// First returns the first n addresses for hosts: .10, .11, … of the subnet. It fails when n is below 1 or
// they do not fit.
func (s *Sandbox) First(n int) ([]netip.Addr, error) {
	if n < 1 {
		return nil, fmt.Errorf("%d hosts: want at least 1", n)
	}
	if most := s.size() - 1 - firstHost; n > most {
		return nil, fmt.Errorf("%d hosts: %s has room for %d", n, s.subnet, most)
	}
	a := s.subnet.Addr()
	for range firstHost {
		a = a.Next()
	}
	addrs := make([]netip.Addr, n)
	for i := range addrs {
		addrs[i], a = a, a.Next()
	}
	return addrs, nil
}

// size counts all addresses of the subnet.
func (s *Sandbox) size() int { return 1 << (32 - s.subnet.Bits()) }

// check refuses addresses that cannot be a host's: outside, network, gateway, broadcast.
func (s *Sandbox) check(a netip.Addr) error {
	switch {
	case !s.subnet.Contains(a):
		return fmt.Errorf("%s is not in the sandbox's subnet %s", a, s.subnet)
	case a == s.subnet.Addr() || !s.subnet.Contains(a.Next()):
		return fmt.Errorf("%s is the network's own or broadcast address, not a host's", a)
	case a == s.Gateway():
		return fmt.Errorf("%s is the gateway of the sandbox", a)
	}
	return nil
}

// nameOf derives a host's name from its address: node-10, or node-3-10 where the subnet is larger than
// what one octet counts.
func (s *Sandbox) nameOf(a netip.Addr) string {
	o := a.As4()
	if s.subnet.Bits() >= 24 {
		return "node-" + strconv.Itoa(int(o[3]))
	}
	return fmt.Sprintf("node-%d-%d", o[2], o[3])
}

// machineOf names the container. It holds the whole address, since interface names and nspawn's runtime
// files are shared by all sandboxes of the machine, and stays within the 12 bytes that an interface name
// (vb-NAME) leaves.
func machineOf(a netip.Addr) string {
	o := a.As4()
	return fmt.Sprintf("pg%02x%02x%02x%02x", o[0], o[1], o[2], o[3])
}

// vethOf is the machine's end of the host's network cable; the name is nspawn's choice.
func vethOf(a netip.Addr) string { return "vb-" + machineOf(a) }

// Hosts lists the hosts in the order of their addresses, stopped ones included.
func (s *Sandbox) Hosts() ([]Host, error) {
	recs, err := s.records()
	if err != nil || len(recs) == 0 {
		return nil, err
	}
	cg, err := s.cgroups()
	if err != nil {
		return nil, err
	}
	cut := s.cutVeths()
	hosts := make([]Host, len(recs))
	for i, r := range recs {
		h := Host{Name: r.Name, Addr: r.Addr, OS: r.OS, Running: cg.populated(r.Name), Partitioned: cut[vethOf(r.Addr)]}
		if h.Running {
			h.PID = cg.init(r.Name)
		}
		hosts[i] = h
	}
	return hosts, nil
}

// Find returns the host with that name or address. Its error wraps ErrNoHost when there is none.
func (s *Sandbox) Find(ref string) (Host, error) {
	hosts, err := s.Hosts()
	if err != nil {
		return Host{}, err
	}
	for _, h := range hosts {
		if h.Name == ref || h.Addr.String() == ref {
			return h, nil
		}
	}
	return Host{}, fmt.Errorf("%w: %s", ErrNoHost, ref)
}
