package resource_test

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

// ufwHost answers ufw as it does, with its files.
func ufwHost(h *resourcetest.Host) {
	h.Shell.Absent = []string{"firewall-cmd"}
	h.Disk.Put("/etc/ufw/ufw.conf", "# ufw\nENABLED=no\n")
	h.Disk.Put("/etc/ufw/user.rules", "*filter\n### tuple ### allow tcp 5432 0.0.0.0/0 any 0.0.0.0/0 in\n")
	var rules []string
	h.Shell.Answer = func(c resource.Command) ([]byte, error) {
		if c.Args[0] != "ufw" {
			return nil, nil
		}
		args := slices.DeleteFunc(slices.Clone(c.Args[1:]), func(a string) bool { return a == "--force" })
		remove := args[0] == "delete"
		if remove {
			args = args[1:]
		}
		switch {
		case args[0] == "enable", args[0] == "disable":
			h.Disk.Put("/etc/ufw/ufw.conf", "ENABLED="+map[string]string{"enable": "yes", "disable": "no"}[args[0]]+"\n")
			return nil, nil
		case args[1] == "from":
			args = []string{"any any 0.0.0.0/0 any " + args[2]}
		default:
			port, protocol, _ := strings.Cut(args[1], "/")
			args = []string{fmt.Sprintf("%s %s 0.0.0.0/0 any 0.0.0.0/0", protocol, port)}
		}
		rule := "### tuple ### allow " + args[0] + " in comment=" + hex.EncodeToString([]byte("pigsty"))
		if remove {
			rules = slices.DeleteFunc(rules, func(r string) bool { return r == rule })
		} else {
			rules = append(rules, rule)
		}
		h.Disk.Put("/etc/ufw/user.rules", "*filter\n### tuple ### allow tcp 5432 0.0.0.0/0 any 0.0.0.0/0 in\n"+strings.Join(rules, "\n")+"\n")
		return nil, nil
	}
}

func zone(networks string, ports ...int) *resource.Firewall {
	return &resource.Firewall{Mode: resource.FirewallZone, Networks: strings.Fields(networks), Ports: ports,
		NetworksOf: "node_firewall_intranet", PortsOf: "node_firewall_public_port"}
}

func TestUfw(t *testing.T) {
	h := resourcetest.New()
	ufwHost(h)
	h.Session = &resource.Session{Peer: netip.MustParseAddr("203.0.113.7"), Port: 2222}
	run(t, h, zone("10.0.0.0/8", 22),
		step{"would cut us", nil, "", "from 203.0.113.7 to port 2222 that this host is worked on through: add 2222 to node_firewall_public_port, or the network of 203.0.113.7 to node_firewall_intranet"})
	if len(h.Shell.Ran()) > 0 {
		t.Errorf("before it refused it ran %v", h.Shell.Ran())
	}
	run(t, h, zone("10.0.0.1/8 203.0.113.0/24", 22, 5432), // which somebody else has opened
		step{"on", nil, "change: differs\non: no → yes\nrule:  → open 22/tcp\nrule:  → trust 10.0.0.0/8\nrule:  → trust 203.0.113.0/24", ""},
		step{"again", nil, "", ""})
	ran := h.Shell.Ran()
	var order []string
	for _, c := range ran[len(ran)-4:] {
		order = append(order, strings.Join(c.Args[:2], " "))
	}
	if want := []string{"systemctl stop", "systemd-run --quiet", "ufw --force", "systemctl stop"}; !slices.Equal(order, want) {
		t.Errorf("turned on by %v, want %v", order, want)
	}
	run(t, h, zone("203.0.113.0/24", 22, 443),
		step{"fewer and more", nil, "change: differs\nrule: trust 10.0.0.0/8 → \nrule:  → open 443/tcp", ""})
	run(t, h, &resource.Firewall{Mode: resource.FirewallAbsent},
		step{"as before us", nil, "change: differs\non: yes → no\nrule: open 22/tcp → \nrule: open 443/tcp → \nrule: trust 203.0.113.0/24 → ", ""})
	if data, _ := h.Files.Read("/etc/ufw/user.rules"); !strings.Contains(string(data), "5432") {
		t.Error("a rule of somebody else went")
	}

	h.Disk.Put("/etc/ufw/ufw.conf", "ENABLED=yes\n") // by somebody else
	run(t, h, zone("203.0.113.0/24", 22), step{"on already", nil, "change: differs\nrule:  → open 22/tcp\nrule:  → trust 203.0.113.0/24", ""})
	run(t, h, &resource.Firewall{Mode: resource.FirewallAbsent},
		step{"stays on, and lets us in", nil, "change: differs\nrule: open 22/tcp → ", ""})
	run(t, h, &resource.Firewall{Mode: resource.FirewallOff},
		step{"off", nil, "change: differs\non: yes → no\nrule: trust 203.0.113.0/24 → ", ""})
}

func TestFirewallUnheard(t *testing.T) {
	h := resourcetest.New()
	ufwHost(h)
	h.Master.Deaf = true
	run(t, h, zone("10.0.0.0/8"), step{"no sign of life", nil, "", "turned off again within 1m0s"})
	ran := h.Shell.Ran()
	if last := ran[len(ran)-1].Args; last[0] != "ufw" {
		t.Errorf("the timer that undoes it is stopped: %v", last)
	}
	h.Session = &resource.Session{}
	h.Disk.Put("/etc/ufw/ufw.conf", "ENABLED=no\n")
	run(t, h, zone("10.0.0.0/8"), step{"who knows who is there", nil, "", "cannot be told where the connection"})
	h.Shell.Absent = []string{"firewall-cmd", "ufw"}
	run(t, h, zone("10.0.0.0/8"), step{"none", nil, "skipped: neither firewalld nor ufw is installed", ""})
}

func TestFirewalld(t *testing.T) {
	h := resourcetest.New()
	h.Systemd.Set("firewalld.service", resource.UnitState{})
	h.Shell.Answer = func(c resource.Command) ([]byte, error) {
		if c.Args[0] == "systemctl" && c.Args[2] == "--now" {
			on := c.Args[1] == "enable"
			h.Systemd.Set("firewalld.service", resource.UnitState{Enabled: on, Active: map[bool]string{true: "active", false: "inactive"}[on]})
		}
		return nil, nil
	}
	run(t, h, zone("10.0.0.0/8 192.0.2.1", 22),
		step{"on", nil, "change: differs\non: no → yes\nrule:  → open 22/tcp\nrule:  → trust 10.0.0.0/8\nrule:  → trust 192.0.2.1/32", ""},
		step{"again", nil, "", ""},
		step{"by hand", func(h *resourcetest.Host) {
			h.Disk.Put("/etc/firewalld/policies/pigsty.xml", `<policy><port protocol="tcp" port="8080"/></policy>`)
		}, "change: differs\nrule: open 8080/tcp → \nrule:  → open 22/tcp", ""},
		step{"broken", func(h *resourcetest.Host) { h.Disk.Put("/etc/firewalld/zones/pigsty.xml", "<zone") },
			"change: differs\nrule:  → trust 10.0.0.0/8\nrule:  → trust 192.0.2.1/32", ""})
	if data, _ := h.Files.Read("/etc/firewalld/zones/pigsty.xml"); !strings.Contains(string(data), `<source address="192.0.2.1">`) {
		t.Errorf("a single address has a length:\n%s", data)
	}
	run(t, h, &resource.Firewall{Mode: resource.FirewallAbsent},
		step{"as before us", nil, "change: differs\non: yes → no\nrule: open 22/tcp → \nrule: trust 10.0.0.0/8 → \nrule: trust 192.0.2.1/32 → ", ""})
	if _, err := h.Files.Stat("/etc/firewalld/zones/pigsty.xml"); err == nil {
		t.Error("the zone stays without sources")
	}
}

func TestSELinux(t *testing.T) {
	h := resourcetest.New()
	r := &resource.SELinux{Mode: "permissive"}
	run(t, h, r, step{"none", nil, "skipped: this host has no SELinux", ""})
	h.Disk.Put("/etc/selinux/config", "# SELINUX= is the mode\nSELINUX=enforcing\nSELINUXTYPE=targeted\n")
	h.Disk.Put("/sys/fs/selinux/enforce", "1")
	h.Shell.Answer = func(c resource.Command) ([]byte, error) {
		h.Disk.Put("/sys/fs/selinux/enforce", c.Args[1])
		return nil, nil
	}
	run(t, h, r, step{"both", nil, "change: differs\n/etc/selinux/config: enforcing → permissive\nmode: enforcing → permissive", ""}, step{"again", nil, "", ""})
	if data, _ := h.Files.Read("/etc/selinux/config"); string(data) != "# SELINUX= is the mode\nSELINUX=permissive\nSELINUXTYPE=targeted\n" {
		t.Errorf("the file is\n%s", data)
	}
	run(t, h, &resource.SELinux{Mode: "disabled"},
		step{"off", nil, "change: differs\n/etc/selinux/config: permissive → disabled", ""}, step{"again", nil, "", ""})
	h.Facts.Container = "lxc"
	run(t, h, r, step{"container", nil, "skipped: a container shares its kernel, and with it SELinux", ""})
}

func TestAddressFree(t *testing.T) {
	h := resourcetest.New()
	h.Disk.Put("/proc/net/arp", "IP address HW type Flags HW address Mask Device\n"+
		"127.77.0.2 0x1 0x2 02:00:00:00:00:0a * eth0\n127.77.0.3 0x1 0x2 02:00:00:00:00:0b * eth0\n127.77.0.9 0x1 0x0 00:00:00:00:00:00 * eth0\n")
	a := &resource.AddressFree{Address: "127.77.0.2", Peers: []string{"127.77.0.3"}, Unless: "/etc/keepalived/conf.d/node-x.conf", For: "vip_address"}
	run(t, h, a, step{"taken", nil, "", "127.77.0.2 is in use by a machine that is none of the nodes that share it (02:00:00:00:00:0a): choose another vip_address"})
	run(t, h, &resource.AddressFree{Address: "127.77.0.9"}, step{"free", nil, "", ""})
	h.Disk.Put("/etc/keepalived/conf.d/node-x.conf", "")
	run(t, h, a, step{"shared already", nil, "", ""})
	h.Disk.Put("/proc/net/arp", "127.77.0.2 0x1 0x2 02:00:00:00:00:0b * eth0\n127.77.0.3 0x1 0x2 02:00:00:00:00:0b * eth0\n")
	a.Unless = ""
	run(t, h, a, step{"held by a peer", nil, "", ""})
	h.Disk.Put("/proc/net/arp", "127.77.0.2 0x1 0x2 02:00:00:00:00:0c * eth0\n")
	h.Facts.Addresses = map[string]string{"127.77.0.2/32": "eth0"}
	run(t, h, a, step{"held by this host", nil, "", ""})
}
