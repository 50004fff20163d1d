package resource_test

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

// ufwHost answers ufw as it does, with its files. theirs are rules of others,
// such as "deny tcp 22 0.0.0.0/0 any 0.0.0.0/0".
func ufwHost(h *resourcetest.Host, theirs ...string) {
	h.Shell.Absent = []string{"firewall-cmd"}
	rules := slices.Clone(theirs)
	loaded := false
	write := func(enabled string) {
		h.Disk.Put("/etc/ufw/ufw.conf", "# ufw\nENABLED="+enabled+"\n")
	}
	save := func() {
		text := "*filter\n"
		for _, r := range rules {
			rule, comment, _ := strings.Cut(r, " comment=")
			if comment != "" {
				comment = " comment=" + comment
			}
			text += "### tuple ### " + rule + " in" + comment + "\n"
		}
		h.Disk.Put("/etc/ufw/user.rules", text)
	}
	write("no")
	save()
	h.Shell.Answer = func(c resource.Command) ([]byte, error) {
		args := slices.DeleteFunc(slices.Clone(c.Args[1:]), func(a string) bool { return a == "--force" })
		switch {
		case c.Args[0] == "iptables" && !loaded:
			return nil, &resource.CommandError{Args: c.Args, Code: 1}
		case c.Args[0] != "ufw":
			return nil, nil
		case args[0] == "enable", args[0] == "disable":
			loaded = args[0] == "enable"
			write(map[bool]string{true: "yes", false: "no"}[loaded])
			return nil, nil
		}
		// prepend allow 22/tcp comment pigsty, or delete deny from 10.0.0.0/8
		action, words, match := args[1], args[2:], ""
		if strings.HasPrefix(words[0], "log") {
			action, words = action+"_"+words[0], words[1:]
		}
		if words[0] == "from" {
			match = " any any 0.0.0.0/0 any " + words[1]
		} else {
			port, protocol, _ := strings.Cut(words[0], "/")
			match = fmt.Sprintf(" %s %s 0.0.0.0/0 any 0.0.0.0/0", protocol, port)
		}
		same := func(r string) bool {
			_, rest, _ := strings.Cut(r, " ")
			rest, _, _ = strings.Cut(rest, " comment=")
			return " "+rest == match
		}
		if args[0] == "delete" {
			rules = slices.DeleteFunc(rules, func(r string) bool { return same(r) && strings.HasPrefix(r, action+" ") })
		} else if !slices.ContainsFunc(rules, same) { // else: Skipping inserting existing rule
			rules = slices.Insert(rules, 0, action+match+" comment="+hex.EncodeToString([]byte("pigsty")))
		}
		save()
		return nil, nil
	}
}

func zone(networks string, ports ...int) *resource.Firewall {
	return &resource.Firewall{Mode: resource.FirewallZone, Networks: strings.Fields(networks), Ports: ports,
		NetworksOf: "node_firewall_intranet", PortsOf: "node_firewall_public_port"}
}

func TestUfw(t *testing.T) {
	h := resourcetest.New()
	ufwHost(h, "allow tcp 5432 0.0.0.0/0 any 0.0.0.0/0")
	h.Session = &resource.Session{Peer: netip.MustParseAddr("203.0.113.7"), Port: 2222}
	run(t, h, zone("10.0.0.0/8", 22),
		step{"would cut us", nil, "", "from 203.0.113.7 to port 2222 that this host is worked on through: add 2222 to node_firewall_public_port, or the network of 203.0.113.7 to node_firewall_intranet"})
	if len(h.Shell.Ran()) > 0 {
		t.Errorf("before it refused it ran %v", h.Shell.Ran())
	}
	run(t, h, zone("10.0.0.1/8 203.0.113.0/24", 22, 5432), // which somebody else has opened
		step{"on", nil, "change: differs\non: no → yes\non at boot: no → yes\nrule:  → open 22/tcp\nrule:  → trust 10.0.0.0/8\nrule:  → trust 203.0.113.0/24", ""},
		step{"again", nil, "", ""})
	ran := slices.DeleteFunc(slices.Clone(h.Shell.Ran()), func(c resource.Command) bool { return c.Args[0] == "iptables" })
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
		step{"as before us", nil, "change: differs\non: yes → no\non at boot: yes → no\nrule: open 22/tcp → \nrule: open 443/tcp → \nrule: trust 203.0.113.0/24 → ", ""})
	if data, _ := h.Files.Read("/etc/ufw/user.rules"); !strings.Contains(string(data), "5432") {
		t.Error("a rule of somebody else went")
	}

	_, _ = h.Shell.Run(ctx, resource.Command{Args: []string{"ufw", "enable"}}) // by somebody else
	run(t, h, zone("203.0.113.0/24", 22), step{"on already", nil, "change: differs\nrule:  → open 22/tcp\nrule:  → trust 203.0.113.0/24", ""})
	run(t, h, &resource.Firewall{Mode: resource.FirewallAbsent},
		step{"stays on, and lets us in", nil, "change: differs\nrule: open 22/tcp → ", ""})
	run(t, h, &resource.Firewall{Mode: resource.FirewallOff},
		step{"off", nil, "change: differs\non: yes → no\non at boot: yes → no\nrule: trust 203.0.113.0/24 → ", ""})
}

// TestUfwEmptied hands back a firewall whose rules somebody had taken from the
// kernel though it is to start at boot: turning it on then would shut us out.
func TestUfwEmptied(t *testing.T) {
	h := resourcetest.New()
	ufwHost(h)
	h.Disk.Put("/etc/ufw/ufw.conf", "# ufw\nENABLED=yes\n")
	h.Session = &resource.Session{Peer: netip.MustParseAddr("10.0.0.7"), Port: 22}
	run(t, h, zone("10.0.0.0/8", 22), step{"on", nil, "change: differs\non: no → yes\nrule:  → open 22/tcp\nrule:  → trust 10.0.0.0/8", ""})
	run(t, h, &resource.Firewall{Mode: resource.FirewallAbsent},
		step{"back", nil, "change: differs\non: yes → no\nrule: open 22/tcp → \nrule: trust 10.0.0.0/8 → ", ""}, step{"again", nil, "", ""})
	if got := h.Disk.Text("/etc/ufw/ufw.conf"); !strings.Contains(got, "ENABLED=no") {
		t.Errorf("it was turned on: %s", got)
	}
}

// TestUfwOrder is about rules of others that come first and say no.
func TestUfwOrder(t *testing.T) {
	const ours = " comment=706967737479"
	for _, c := range []struct {
		name   string
		theirs []string
		want   string // what differs, on a firewall that is on
		rules  string // afterwards, first and last word
	}{
		{"none", nil, "rule:  → open 22/tcp\nrule:  → trust 10.0.0.0/8", "allow 10.0.0.0/8, allow 22/tcp"},
		{"a network is shut", []string{"deny any any 0.0.0.0/0 any 203.0.113.0/24"},
			"rule:  → open 22/tcp\nrule:  → trust 10.0.0.0/8", "allow 10.0.0.0/8, allow 22/tcp, deny 203.0.113.0/24"},
		{"ours came too late", []string{"deny any any 0.0.0.0/0 any 203.0.113.0/24", "allow tcp 22 0.0.0.0/0 any 0.0.0.0/0" + ours},
			"rule: open 22/tcp behind one that denies it → open 22/tcp\nrule:  → trust 10.0.0.0/8", "allow 10.0.0.0/8, allow 22/tcp, deny 203.0.113.0/24"},
		{"the port is shut", []string{"reject tcp 22 0.0.0.0/0 any 0.0.0.0/0"},
			"rule: reject 22/tcp → open 22/tcp\nrule:  → trust 10.0.0.0/8", "allow 10.0.0.0/8, allow 22/tcp"},
		{"ports are shut", []string{"deny tcp 20:25,80 0.0.0.0/0 any 0.0.0.0/0", "allow tcp 22 0.0.0.0/0 any 0.0.0.0/0" + ours},
			"rule: open 22/tcp behind one that denies it → open 22/tcp\nrule:  → trust 10.0.0.0/8", "allow 10.0.0.0/8, allow 22/tcp, deny 20:25,80/tcp"},
		{"the port is shut, and a log kept", []string{"deny_log tcp 22 0.0.0.0/0 any 0.0.0.0/0"},
			"rule: deny log 22/tcp → open 22/tcp\nrule:  → trust 10.0.0.0/8", "allow 10.0.0.0/8, allow 22/tcp"},
		{"limited too late", []string{"deny any any 0.0.0.0/0 any 203.0.113.0/24", "limit tcp 22 0.0.0.0/0 any 0.0.0.0/0"},
			"rule: open 22/tcp behind one that denies it → open 22/tcp\nrule:  → trust 10.0.0.0/8", "allow 10.0.0.0/8, allow 22/tcp, deny 203.0.113.0/24"},
		{"shut for others", []string{"deny tcp 22 0.0.0.0/0 any 198.51.100.0/24", "allow tcp 22 0.0.0.0/0 any 0.0.0.0/0" + ours},
			"rule:  → trust 10.0.0.0/8", "allow 10.0.0.0/8, deny 198.51.100.0/24, allow 22/tcp"},
		{"limited by others", []string{"limit tcp 22 0.0.0.0/0 any 0.0.0.0/0", "deny tcp 22 0.0.0.0/0 any 203.0.113.0/24"},
			"rule:  → trust 10.0.0.0/8", "allow 10.0.0.0/8, limit 22/tcp, deny 203.0.113.0/24"},
	} {
		h := resourcetest.New()
		ufwHost(h, c.theirs...)
		_, _ = h.Shell.Run(ctx, resource.Command{Args: []string{"ufw", "enable"}})
		h.Session = &resource.Session{Peer: netip.MustParseAddr("203.0.113.7"), Port: 22}
		run(t, h, zone("10.0.0.0/8", 22), step{c.name, nil, "change: differs\n" + c.want, ""}, step{c.name + ", again", nil, "", ""})
		var rules []string
		for line := range strings.Lines(h.Disk.Text("/etc/ufw/user.rules")) {
			tuple, ok := strings.CutPrefix(line, "### tuple ### ")
			if !ok {
				continue
			}
			f := strings.Fields(tuple)
			what := f[5]
			if what == "0.0.0.0/0" {
				what = f[2] + "/" + f[1]
			}
			rules = append(rules, f[0]+" "+what)
		}
		expect(t, c.name, strings.Join(rules, ", "), c.rules)
	}
}

func TestFirewallUnheard(t *testing.T) {
	h := resourcetest.New()
	ufwHost(h, "deny tcp 22 0.0.0.0/0 any 0.0.0.0/0")
	rules := h.Disk.Text("/etc/ufw/user.rules")
	h.Master.Deaf = func() bool { return true }
	run(t, h, zone("10.0.0.0/8", 22), step{"nobody could come in before", nil, "", "with the firewall off no new connection to this host can be made (no answer within 6s)"})
	if strings.Contains(h.Disk.Text("/etc/ufw/user.rules"), "pigsty") || strings.Contains(h.Disk.Text("/etc/ufw/ufw.conf"), "ENABLED=yes") {
		t.Error("it is not left as it was")
	}
	h.Master.Deaf = func() bool { return strings.Contains(h.Disk.Text("/etc/ufw/ufw.conf"), "ENABLED=yes") }
	run(t, h, zone("10.0.0.0/8", 22), step{"no sign of life", nil, "",
		"the firewall shut out whoever works on this host, by rules in /etc/ufw that are not ours (no answer within 6s): take them out there, or set node_firewall_mode: none; it is off again, with the rules that it had"})
	ran := h.Shell.Ran()
	for i, want := range []string{"ufw --force enable", "ufw --force disable", "systemctl stop pigsty-firewall-undo.timer"} {
		expect(t, "command", strings.Join(ran[len(ran)-3+i].Args, " "), want)
	}
	expect(t, "the rules", h.Disk.Text("/etc/ufw/user.rules"), rules)
	if _, ours := h.Manifest.Unit("firewall"); ours {
		t.Error("a firewall that is as it was counts as turned on by us")
	}
	answer := h.Shell.Answer
	h.Shell.Answer = func(c resource.Command) ([]byte, error) {
		if strings.Join(c.Args, " ") == "ufw --force disable" {
			return nil, &resource.CommandError{Args: c.Args, Code: 1, Output: "locked"}
		}
		return answer(c)
	}
	run(t, h, zone("10.0.0.0/8", 22), step{"cannot be turned off", nil, "", "turning it off again failed and is tried once more within 1m0s"})
	ran = h.Shell.Ran()
	expect(t, "the timer is left: the last command", strings.Join(ran[len(ran)-1].Args, " "), "ufw --force disable")
	h.Shell.Answer = answer
	h.Session = &resource.Session{}
	run(t, h, zone("10.0.0.0/8 192.0.2.0/24"), step{"who knows who is there", nil, "", "cannot be told where the connection"})
	h.Shell.Absent = []string{"firewall-cmd", "ufw"}
	run(t, h, zone("10.0.0.0/8"), step{"none", nil, "skipped: neither firewalld nor ufw is installed", ""})
}

// TestFirewallUnheardAtBoot checks that ufw, which starts at boot and was stopped, is
// so again after it shut out whoever works on the host.
func TestFirewallUnheardAtBoot(t *testing.T) {
	h := resourcetest.New()
	ufwHost(h)
	const conf, on = "/etc/ufw/ufw.conf", "# ufw\nENABLED=yes\n"
	h.Disk.Put(conf, on)
	loaded := func() bool { _, err := h.Shell.Answer(resource.Command{Args: []string{"iptables"}}); return err == nil }
	h.Master.Deaf = loaded
	run(t, h, zone("10.0.0.0/8", 22), step{"no sign of life", nil, "", "it is off again, with the rules that it had"})
	expect(t, conf, h.Disk.Text(conf), on)
	if loaded() {
		t.Error("it shuts out whoever works on the host")
	}
}

// firewalldHost answers as firewalld does, which knows what its files said when
// it read them last.
func firewalldHost(h *resourcetest.Host) {
	var sources, ports string
	elements := func(file, format string) string {
		out := ""
		for _, m := range regexp.MustCompile(`(?:address|port)="([^"]+)"`).FindAllStringSubmatch(h.Disk.Text(file), -1) {
			out += fmt.Sprintf(format, m[1])
		}
		return out
	}
	read := func() {
		sources, ports = elements("/etc/firewalld/zones/pigsty.xml", " %q"), elements("/etc/firewalld/policies/pigsty-public.xml", ` %q "tcp"`)
	}
	h.Systemd.Set("firewalld.service", resource.UnitState{})
	h.Shell.Answer = func(c resource.Command) ([]byte, error) {
		st, _ := h.Systemd.Show(ctx, "firewalld.service")
		switch text := strings.Join(c.Args, " "); {
		case strings.HasPrefix(text, "systemctl enable"), strings.HasPrefix(text, "systemctl disable"):
			st.Enabled = c.Args[1] == "enable"
			if c.Args[2] == "--now" {
				st.Active = map[bool]string{true: "active", false: "inactive"}[st.Enabled]
				read()
			}
			h.Systemd.Set("firewalld.service", st)
		case text == "systemctl stop firewalld.service":
			st.Active = "inactive"
			h.Systemd.Set("firewalld.service", st)
		case text == "firewall-offline-cmd --check-config" && strings.Contains(h.Disk.Text("/etc/firewalld/zones/pigsty.xml"), "203.0.113.0"):
			return nil, &resource.CommandError{Args: c.Args, Code: 1, Output: "Error: INVALID_ADDR"}
		case text == "firewall-cmd --reload":
			read()
		case strings.HasSuffix(text, "zone getSources s pigsty") && sources == "":
			return nil, &resource.CommandError{Args: c.Args, Code: 1, Output: "Call failed: INVALID_ZONE: pigsty"}
		case strings.HasSuffix(text, "zone getSources s pigsty"):
			return []byte("as 2" + sources + "\n"), nil
		case strings.HasSuffix(text, "policy getPolicySettings s pigsty-public") && ports == "":
			return nil, &resource.CommandError{Args: c.Args, Code: 1, Output: "Call failed: INVALID_POLICY: pigsty-public"}
		case strings.HasSuffix(text, "policy getPolicySettings s pigsty-public"):
			return []byte(`a{sv} 4 "short" s "pigsty" "ports" a(ss) 1` + ports + ` "masquerade" b false "priority" i -1 "egress_zones" as 1 "HOST"` + "\n"), nil
		}
		return nil, nil
	}
}

func TestFirewalldUnheard(t *testing.T) {
	h := resourcetest.New()
	firewalldHost(h)
	h.Shell.Absent = []string{"ufw"}
	const zoneFile, policyFile, theirs = "/etc/firewalld/zones/pigsty.xml", "/etc/firewalld/policies/pigsty-public.xml", "<policy><port protocol=\"tcp\" port=\"8080\"/></policy>"
	h.Disk.Put(policyFile, theirs)
	h.Master.Deaf = func() bool { st, _ := h.Systemd.Show(ctx, "firewalld.service"); return st.Active == "active" }
	h.Systemd.Set("firewalld.service", resource.UnitState{Enabled: true})
	run(t, h, zone("10.0.0.0/8", 22), step{"no sign of life", nil, "", "by rules in /etc/firewalld that are not ours"})
	if st, _ := h.Systemd.Show(ctx, "firewalld.service"); !st.Enabled || st.Active != "inactive" {
		t.Errorf("firewalld, which starts at boot and was stopped, is %+v", st)
	}
	h.Systemd.Set("firewalld.service", resource.UnitState{})
	run(t, h, zone("10.0.0.0/8", 22), step{"no sign of life, and off at boot", nil, "", "by rules in /etc/firewalld that are not ours"})
	expect(t, "the policy", h.Disk.Text(policyFile), theirs)
	if _, err := h.Files.Stat(zoneFile); err == nil {
		t.Error("the zone stays")
	}
	if st, _ := h.Systemd.Show(ctx, "firewalld.service"); st.Enabled || st.Active != "inactive" {
		t.Errorf("firewalld is %+v", st)
	}
}

func TestFirewalld(t *testing.T) {
	h := resourcetest.New()
	firewalldHost(h)
	const file = "/etc/firewalld/zones/pigsty.xml"
	run(t, h, zone("10.0.0.0/8 192.0.2.1", 22),
		step{"on", nil, "change: differs\non: no → yes\non at boot: no → yes\nrule:  → open 22/tcp\nrule:  → trust 10.0.0.0/8\nrule:  → trust 192.0.2.1/32", ""},
		step{"again", nil, "", ""},
		step{"by hand", func(h *resourcetest.Host) {
			h.Disk.Put("/etc/firewalld/policies/pigsty-public.xml", `<policy><port protocol="tcp" port="8080"/></policy>`)
		}, "change: differs\nrule: open 8080/tcp → \nrule:  → open 22/tcp", ""},
		step{"broken", func(h *resourcetest.Host) { h.Disk.Put(file, "<zone") },
			"change: differs\nrule:  → trust 10.0.0.0/8\nrule:  → trust 192.0.2.1/32", ""})
	if data, _ := h.Files.Read(file); !strings.Contains(string(data), `<source address="192.0.2.1">`) {
		t.Errorf("a single address has a length:\n%s", data)
	}
	written := h.Disk.Text(file)
	run(t, h, zone("10.0.0.0/8", 22), step{"fewer", nil, "change: differs\nrule: trust 192.0.2.1/32 → ", ""})
	h.Disk.Put(file, written)
	run(t, h, zone("10.0.0.0/8 192.0.2.1", 22),
		step{"cut off before firewalld read the file", nil, "change: differs\nrule:  → trust 192.0.2.1/32", ""}, step{"mended", nil, "", ""})
	run(t, h, zone("203.0.113.0/24"), step{"refused by firewalld", nil, "", "INVALID_ADDR"})
	expect(t, "the zone after that", h.Disk.Text(file), written)
	run(t, h, &resource.Firewall{Mode: resource.FirewallAbsent},
		step{"as before us", nil, "change: differs\non: yes → no\non at boot: yes → no\nrule: open 22/tcp → \nrule: trust 10.0.0.0/8 → \nrule: trust 192.0.2.1/32 → ", ""})
	if _, err := h.Files.Stat(file); err == nil {
		t.Error("the zone stays without sources")
	}
}

// TestFirewalldHalfOn is about a firewall that runs now or starts at boot, but not both.
func TestFirewalldHalfOn(t *testing.T) {
	h := resourcetest.New()
	firewalldHost(h)
	set := func(active string, enabled bool) func(*resourcetest.Host) {
		return func(h *resourcetest.Host) {
			h.Systemd.Set("firewalld.service", resource.UnitState{Active: active, Enabled: enabled})
		}
	}
	run(t, h, &resource.Firewall{Mode: resource.FirewallOff},
		step{"starts at boot", set("inactive", true), "change: differs\non at boot: yes → no", ""})
	run(t, h, zone("10.0.0.0/8"),
		step{"runs until the next boot", set("active", false), "change: differs\non at boot: no → yes\nrule:  → trust 10.0.0.0/8", ""},
		step{"again", nil, "", ""})
	for _, c := range h.Shell.Ran() {
		if c.Args[0] == "systemd-run" {
			t.Errorf("a firewall that was on is to be turned off: %v", c.Args)
		}
	}
	run(t, h, &resource.Firewall{Mode: resource.FirewallAbsent},
		step{"as before us", nil, "change: differs\non at boot: yes → no\nrule: trust 10.0.0.0/8 → ", ""})
}

// TestFirewalldNeighbours is about networks that are sources of zones of others.
func TestFirewalldNeighbours(t *testing.T) {
	h := resourcetest.New()
	firewalldHost(h)
	h.Disk.Put("/etc/firewalld/zones/trusted.xml", `<zone target="ACCEPT"><source address="10.0.0.0/8"/><source ipset="friends"/></zone>`)
	h.Disk.Put("/etc/firewalld/zones/internal.xml", `<zone><source address="192.0.2.0/24"/></zone>`)
	run(t, h, zone("10.0.0.0/8 198.51.100.0/24"),
		step{"trusted already", nil, "change: differs\non: no → yes\non at boot: no → yes\nrule:  → trust 198.51.100.0/24", ""}, step{"again", nil, "", ""})
	run(t, h, zone("192.0.2.0/24"), step{"in a zone that does not trust it", nil, "",
		"192.0.2.0/24 is a source of firewalld's zone internal, which does not trust it: take it out of there (firewall-cmd --permanent --zone=internal --remove-source=192.0.2.0/24)"})
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

func TestSELinuxBoolean(t *testing.T) {
	h := resourcetest.New()
	const file = "/sys/fs/selinux/booleans/haproxy_connect_any"
	r := &resource.SELinuxBoolean{Name: "haproxy_connect_any"}
	run(t, h, r, step{"none", nil, "skipped: this host has no SELinux, or its policy no such switch", ""})
	h.Disk.Put(file, "0 0")
	h.Shell.Answer = func(c resource.Command) ([]byte, error) {
		expect(t, "command", strings.Join(c.Args, " "), "setsebool -P haproxy_connect_any=1")
		h.Disk.Put(file, "1 1")
		return nil, nil
	}
	run(t, h, r, step{"off", nil, "change: differs\non: no → yes", ""}, step{"again", nil, "", ""})
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
