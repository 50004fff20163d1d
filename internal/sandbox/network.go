package sandbox

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// table names the sandbox's nftables tables: one of family ip for NAT, one of family bridge for partitions.
func (s *Sandbox) table() string {
	return "pigsty_" + strings.NewReplacer("-", "_", ".", "_").Replace(s.bridge)
}

// mark is the alias of the bridge, by which it is known to be this sandbox's.
func (s *Sandbox) mark() string { return "pigsty sandbox " + s.dir }

// link is where the kernel shows a network interface.
func link(name string) string { return filepath.Join("/sys/class/net", name) }

func linkExists(name string) bool {
	_, err := os.Stat(link(name))
	return err == nil
}

// ownBridge tells whether the bridge exists; its error says that the interface belongs to someone else.
func (s *Sandbox) ownBridge() (bool, error) {
	if !linkExists(s.bridge) {
		return false, nil
	}
	b, err := os.ReadFile(filepath.Join(link(s.bridge), "ifalias"))
	if err == nil && strings.TrimSpace(string(b)) == s.mark() {
		return true, nil
	}
	return true, fmt.Errorf("network interface %s exists and is not this sandbox's: choose another bridge", s.bridge)
}

// networkUp makes bridge, address, forwarding and NAT; what is there already stays.
//
// A machine whose firewall drops forwarded traffic (as Docker sets it up) keeps dropping it: hosts then
// reach the machine and each other, but nothing beyond.
func (s *Sandbox) networkUp(ctx context.Context) error {
	exists, err := s.ownBridge()
	if err != nil {
		return err
	}
	if !exists {
		if err := s.checkOverlap(); err != nil {
			return err
		}
		// In one batch, so that no crash leaves a bridge without the mark. A bridge without an address
		// of its own takes one of its ports', and changes it as hosts come and go.
		batch := fmt.Sprintf("link add name %[1]s address %[2]s type bridge\nlink set dev %[1]s alias \"%[3]s\"\n",
			s.bridge, bridgeMAC(s.bridge), s.mark())
		if _, err := run(ctx, batch, "ip", "-batch", "-"); err != nil {
			return fmt.Errorf("creating bridge %s: %w", s.bridge, err)
		}
	}
	for _, args := range [][]string{
		{"addr", "replace", fmt.Sprintf("%s/%d", s.Gateway(), s.subnet.Bits()), "dev", s.bridge},
		{"link", "set", "dev", s.bridge, "up"},
	} {
		if _, err := run(ctx, "", append([]string{"ip"}, args...)...); err != nil {
			return fmt.Errorf("setting up bridge %s: %w", s.bridge, err)
		}
	}
	for _, k := range []struct {
		name string
		want int
	}{
		{"net/ipv4/ip_forward", 1},
		// Each systemd holds several inotify instances and all containers share root's allowance;
		// the usual 128 are used up by some thirty hosts.
		{"fs/inotify/max_user_instances", 16384},
		{"fs/inotify/max_user_watches", 1048576},
	} {
		if err := raise(filepath.Join("/proc/sys", k.name), k.want); err != nil {
			return err
		}
	}
	if _, err := run(ctx, natRules(s.table(), s.bridge, s.subnet), "nft", "-f", "-"); err != nil {
		return fmt.Errorf("setting up NAT for %s: %w", s.subnet, err)
	}
	return nil
}

// networkDown removes bridge and nftables tables, if they are there.
func (s *Sandbox) networkDown(ctx context.Context) error {
	var errs []error
	for _, family := range []string{"ip", "bridge"} {
		if _, err := run(ctx, "", "nft", "list", "table", family, s.table()); err == nil {
			_, err = run(ctx, "", "nft", "delete", "table", family, s.table())
			errs = append(errs, err)
		}
	}
	// A foreign interface of that name is not ours to delete, nor an obstacle to taking down the rest.
	if exists, err := s.ownBridge(); exists && err == nil {
		errs = append(errs, deleteLink(ctx, s.bridge))
	}
	return errors.Join(errs...)
}

// checkOverlap refuses a subnet that the machine already uses: its traffic would go astray.
func (s *Sandbox) checkOverlap() error {
	ifaces, err := net.Interfaces()
	if err != nil {
		return fmt.Errorf("listing network interfaces: %w", err)
	}
	for _, i := range ifaces {
		addrs, _ := i.Addrs()
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Overlaps(s.subnet) {
				return fmt.Errorf("subnet %s overlaps %s of interface %s: choose another subnet", s.subnet, p, i.Name)
			}
		}
	}
	return nil
}

// deleteLink deletes an interface and waits for it to be gone: its name cannot be used again before, and
// the kernel may take a while, since it also clears the other end. One that is gone already is fine.
func deleteLink(ctx context.Context, name string) error {
	if !linkExists(name) {
		return nil
	}
	_, err := run(ctx, "", "ip", "link", "delete", "dev", name)
	for wait := time.Now().Add(10 * time.Second); linkExists(name); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(wait) {
			return fmt.Errorf("deleting network interface %s: still there after 10 s: %w", name, err)
		}
	}
	return nil
}

// bridgeMAC makes up a locally administered address that stays the same for a name.
func bridgeMAC(name string) string {
	h := sha256.Sum256([]byte(name))
	return net.HardwareAddr{0x02, h[0], h[1], h[2], h[3], h[4]}.String()
}

// natRules lets hosts reach what the machine reaches, under the machine's address. Loading it again
// changes nothing.
func natRules(table, bridge string, subnet netip.Prefix) string {
	return fmt.Sprintf(`table ip %[1]s {}
flush table ip %[1]s
table ip %[1]s {
	chain postrouting {
		type nat hook postrouting priority 100; policy accept;
		ip saddr %[3]s oifname != "%[2]s" masquerade
	}
}
`, table, bridge, subnet)
}

// cutRules makes the table that partitions hosts: whatever enters or leaves the bridge through an
// interface in the set is dropped, of every protocol, whoever sent it. The set survives loading it again.
func cutRules(table string) string {
	return fmt.Sprintf(`table bridge %[1]s {
	set cut { type ifname; }
	chain in { type filter hook prerouting priority -300; policy accept; }
	chain out { type filter hook postrouting priority 300; policy accept; }
}
flush chain bridge %[1]s in
flush chain bridge %[1]s out
add rule bridge %[1]s in iifname @cut drop
add rule bridge %[1]s out oifname @cut drop
`, table)
}

// cutElements adds interfaces to the set of cutRules, or takes them out ("add", "delete").
func cutElements(verb, table string, veths []string) string {
	quoted := make([]string, len(veths))
	for i, v := range veths {
		quoted[i] = strconv.Quote(v)
	}
	return fmt.Sprintf("%s element bridge %s cut { %s }\n", verb, table, strings.Join(quoted, ", "))
}

// cutVeths lists the host ends of partitioned hosts; empty when no host ever was.
func (s *Sandbox) cutVeths() map[string]bool {
	out, err := run(context.Background(), "", "nft", "list", "set", "bridge", s.table(), "cut")
	if err != nil {
		return nil // no such table
	}
	cut := map[string]bool{}
	for i, field := range strings.Split(out, `"`) {
		if i%2 == 1 {
			cut[field] = true
		}
	}
	return cut
}

// Partition cuts hosts off: they exchange no traffic with each other, with other hosts, with the machine
// or with anything beyond, while their network interface stays up. It lasts until Heal or Down, over Stop
// and Start too. Console still reaches a host that is cut off.
func (s *Sandbox) Partition(ctx context.Context, refs ...string) error {
	return s.change(ctx, refs, func(hosts []record) error {
		veths := make([]string, len(hosts))
		for i, h := range hosts {
			veths[i] = vethOf(h.Addr)
		}
		if len(veths) == 0 {
			return errors.New("which host shall be partitioned?")
		}
		if _, err := run(ctx, cutRules(s.table())+cutElements("add", s.table(), veths), "nft", "-f", "-"); err != nil {
			return fmt.Errorf("partitioning %s: %w", strings.Join(refs, " "), err)
		}
		return nil
	})
}

// Heal ends the partition of the given hosts, or of all when none is given. A host that is not
// partitioned is fine.
func (s *Sandbox) Heal(ctx context.Context, refs ...string) error {
	return s.change(ctx, refs, func(hosts []record) error {
		if len(refs) > 0 {
			return s.healAll(ctx, hosts)
		}
		all, err := s.records()
		if err != nil {
			return err
		}
		return s.healAll(ctx, all)
	})
}

// healAll takes hosts out of the set of partitioned ones. The lock is held.
func (s *Sandbox) healAll(ctx context.Context, hosts []record) error {
	cut := s.cutVeths()
	var veths []string
	for _, h := range hosts {
		if v := vethOf(h.Addr); cut[v] {
			veths = append(veths, v)
		}
	}
	if len(veths) == 0 {
		return nil
	}
	if _, err := run(ctx, cutElements("delete", s.table(), veths), "nft", "-f", "-"); err != nil {
		return fmt.Errorf("healing the partition: %w", err)
	}
	return nil
}

// raise writes a kernel setting that is lower than wanted.
func raise(path string, want int) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading a kernel setting: %w", err)
	}
	if have, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && have >= want {
		return nil
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(want)), 0); err != nil {
		return fmt.Errorf("raising a kernel setting: %w", err)
	}
	return nil
}
