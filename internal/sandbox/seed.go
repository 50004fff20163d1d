package sandbox

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
)

// seed writes what makes a host itself: name, address, keys. It is done once per disk; from then on the
// host's files are the host's.
func (s *Sandbox) seed(ctx context.Context, r record, dir, names string) error {
	hostKey, err := s.hostKey(ctx, r.Addr)
	if err != nil {
		return err
	}
	private, err := os.ReadFile(hostKey)
	if err != nil {
		return err
	}
	public, err := os.ReadFile(hostKey + ".pub")
	if err != nil {
		return err
	}
	login, err := os.ReadFile(s.KeyPath() + ".pub")
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.MkdirAll("root/.ssh", 0o700); err != nil {
		return err
	}
	for _, f := range []struct {
		path, content string
		mode          os.FileMode
	}{
		{"etc/hostname", r.Name + "\n", 0o644},
		{"etc/hosts", names, 0o644},
		{"etc/resolv.conf", machineResolvers(), 0o644},
		{"etc/systemd/network/10-host0.network", fmt.Sprintf("[Match]\nName=host0\n\n[Network]\nAddress=%s/%d\nGateway=%s\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n",
			r.Addr, s.subnet.Bits(), s.Gateway()), 0o644},
		{"etc/ssh/ssh_host_ed25519_key", string(private), 0o600},
		{"etc/ssh/ssh_host_ed25519_key.pub", string(public), 0o644},
		{"root/.ssh/authorized_keys", string(login), 0o600},
	} {
		if err := writeIn(root, f.path, f.content, f.mode); err != nil {
			return err
		}
	}
	return nil
}

// hostLines is /etc/hosts of a host: itself and all that exist when it is made.
func hostLines(hosts []record) string {
	b := "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n\n"
	seen := map[netip.Addr]bool{}
	for _, r := range hosts {
		if !seen[r.Addr] {
			b += fmt.Sprintf("%s %s\n", r.Addr, r.Name)
		}
		seen[r.Addr] = true
	}
	return b
}

// machineResolvers is the machine's resolv.conf without name servers that only the machine itself
// reaches; where those are systemd-resolved, the servers behind it.
func machineResolvers() string {
	for _, f := range []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"} {
		b, _ := os.ReadFile(f)
		if text := reachableResolvers(string(b)); strings.Contains(text, "nameserver") {
			return text
		}
	}
	return ""
}

func reachableResolvers(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 2 || strings.HasPrefix(f[0], "#") || strings.HasPrefix(f[0], ";") {
			continue
		}
		if a, err := netip.ParseAddr(f[1]); f[0] == "nameserver" && (err != nil || a.IsLoopback()) {
			continue
		}
		b.WriteString(strings.Join(f, " ") + "\n")
	}
	return b.String()
}
