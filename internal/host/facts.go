package host

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"pigsty/internal/resource"
)

// Gather finds out what the host is, without running a program.
func Gather() (resource.Facts, error) {
	f := resource.Facts{CPUs: runtime.NumCPU(), PageSize: os.Getpagesize(), Arch: arch(), User: connectedAs()}
	account, _, err := (&accounts{names: &names{}}).User(f.User)
	if err != nil {
		return f, err
	}
	f.Home, f.Group = account.Home, account.Group
	if f.Hostname, err = os.Hostname(); err != nil {
		return f, err
	}
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		if release, err = os.ReadFile("/usr/lib/os-release"); err != nil {
			return f, fmt.Errorf("this is no system that is known: %w", err)
		}
	}
	identify(&f, string(release))
	f.Container = container()
	if f.Memory, err = memory(f.Container != ""); err != nil {
		return f, err
	}
	if f.Mounts, err = mounts(); err != nil {
		return f, err
	}
	if f.Addresses, err = interfaces(); err != nil {
		return f, err
	}
	if f.DNS = resolvers("/etc/resolv.conf"); resolved("/etc/resolv.conf", f.DNS) {
		f.Resolved = true
		f.DNS = resolvers("/run/systemd/resolve/resolv.conf")
	}
	info, err := os.Stat("/run/systemd/system")
	f.Systemd = err == nil && info.IsDir() // as sd_booted(3) finds out
	f.MaxFiles, f.OOMAdjust = limits()
	return f, nil
}

// identify reads os-release(5).
func identify(f *resource.Facts, release string) {
	values := map[string]string{}
	for line := range strings.Lines(release) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			values[k] = strings.Trim(v, `"'`)
		}
	}
	f.OS, f.Version, f.Codename = values["ID"], values["VERSION_ID"], values["VERSION_CODENAME"]
	like := " " + f.OS + " " + values["ID_LIKE"] + " "
	for _, id := range []string{"rhel", "fedora", "centos", "suse"} {
		if strings.Contains(like, " "+id+" ") {
			f.Family = "rpm"
		}
	}
	for _, id := range []string{"debian", "ubuntu"} {
		if strings.Contains(like, " "+id+" ") {
			f.Family = "deb"
		}
	}
	if f.Family == "rpm" {
		major, _, _ := strings.Cut(f.Version, ".")
		f.Codename = "el" + major
	}
}

// arch is the architecture as uname(1) names it.
func arch() string {
	switch runtime.GOARCH {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	}
	return runtime.GOARCH
}

func connectedAs() string {
	if name := os.Getenv("SUDO_USER"); name != "" {
		return name
	}
	return (&names{}).owner(os.Getuid(), 0).User
}

// container is the kind of container this is, as systemd found out.
func container() string {
	if data, err := os.ReadFile("/run/systemd/container"); err == nil {
		return strings.TrimSpace(string(data))
	}
	data, err := os.ReadFile("/proc/1/environ")
	if err != nil {
		return ""
	}
	for _, v := range bytes.Split(data, []byte{0}) {
		if kind, ok := bytes.CutPrefix(v, []byte("container=")); ok {
			return string(kind)
		}
	}
	return ""
}

// memory returns the bytes of main memory, or a container's share of it.
func memory(contained bool) (int64, error) {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	var kib int64
	if _, err := fmt.Sscanf(string(data), "MemTotal: %d kB", &kib); err != nil {
		return 0, fmt.Errorf("/proc/meminfo: %w", err)
	}
	total := kib << 10
	if contained {
		if limit, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
			if n, err := strconv.ParseInt(strings.TrimSpace(string(limit)), 10, 64); err == nil {
				total = min(total, n)
			}
		}
	}
	return total, nil
}

// onDisk are the file systems that hold data here. Those of the network are
// left out: asking one whose server is gone never returns.
var onDisk = map[string]bool{
	"ext2": true, "ext3": true, "ext4": true, "xfs": true, "btrfs": true, "zfs": true, "f2fs": true,
	"jfs": true, "reiserfs": true, "bcachefs": true, "overlay": true, "vfat": true,
}

// mounts returns the size in bytes of each mounted file system that holds data.
func mounts() (map[string]int64, error) {
	data, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	out := map[string]int64{}
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) < 3 || !onDisk[f[2]] && f[1] != "/" {
			continue
		}
		at := unescape.Replace(f[1])
		if info, err := os.Stat(at); err != nil || !info.IsDir() || strings.HasPrefix(at, "/run/") {
			continue // a single file that a container was given, or its way to the outside
		}
		var st unix.Statfs_t
		if err := unix.Statfs(at, &st); err == nil {
			out[at] = int64(st.Blocks) * st.Bsize
		}
	}
	return out, nil
}

// interfaces returns the addresses that other hosts can reach.
func interfaces() (map[string]string, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			return nil, err
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
				out[n.String()] = i.Name
			}
		}
	}
	return out, nil
}

// resolved reports whether file, which names servers, is one that systemd-resolved
// writes, or names where that listens (systemd-resolved.service(8)).
func resolved(file string, servers []string) bool {
	to, err := filepath.EvalSymlinks(file)
	return err == nil && filepath.Dir(to) == "/run/systemd/resolve" || len(servers) == 1 && servers[0] == "127.0.0.53"
}

func resolvers(file string) []string {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	var out []string
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "nameserver" {
			out = append(out, f[1])
		}
	}
	return out
}
