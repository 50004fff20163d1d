package resource_test

import (
	"strings"
	"testing"

	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

// kernel answers tee, hostname, modprobe and tuned-adm as a kernel would.
func kernel(h *resourcetest.Host) {
	h.Shell.Answer = func(c resource.Command) ([]byte, error) {
		last := c.Args[len(c.Args)-1]
		switch c.Args[0] {
		case "tee":
			h.Disk.Put(last, strings.ReplaceAll(string(c.Stdin), " ", "\t"))
		case "hostname":
			h.Disk.Put("/proc/sys/kernel/hostname", last+"\n")
		case "modprobe":
			h.Disk.Put("/sys/module/"+strings.ReplaceAll(last, "-", "_")+"/x", "")
		case "tuned-adm":
			h.Disk.Put("/etc/tuned/active_profile", last+"\n")
		}
		return nil, nil
	}
}

func TestSysctl(t *testing.T) {
	h := resourcetest.New()
	kernel(h)
	h.Disk.Put("/proc/sys/vm/swappiness", "60\n")
	h.Disk.Put("/proc/sys/net/ipv4/tcp_rmem", "1\t2\t3\n")
	run(t, h, &resource.Sysctl{Name: "vm.swappiness", Value: "1"}, step{"value", nil, "change: differs\nvm.swappiness: 60 → 1", ""}, step{"again", nil, "", ""})
	run(t, h, &resource.Sysctl{Name: "net.ipv4.tcp_rmem", Value: "1 2  3"}, step{"blanks", nil, "", ""})
	run(t, h, &resource.Sysctl{Name: "net.ipv4.tcp_rmem", Value: "4 5 6"}, step{"list", nil, "change: differs\nnet.ipv4.tcp_rmem: 1 2 3 → 4 5 6", ""})
	run(t, h, &resource.Sysctl{Name: "vm.none", Value: "1"}, step{"unknown", nil, "skipped: this kernel has no parameter vm.none", ""})
	h.SetPending("kernel module br_netfilter", resource.Change{Action: resource.Create})
	run(t, h, &resource.Sysctl{Name: "net.bridge.x", Value: "1"}, step{"module to come", func(h *resourcetest.Host) {
		h.SetPending("kernel module br_netfilter", resource.Change{})
	}, "skipped: this kernel has no parameter net.bridge.x", ""})

	h.Facts.Container = "systemd-nspawn"
	run(t, h, &resource.Sysctl{Name: "vm.swappiness", Value: "2"}, step{"shared", nil, "skipped: a container shares vm.swappiness with the machine it runs on", ""})
	run(t, h, &resource.Sysctl{Name: "vm.swappiness", Value: "1"}, step{"as wanted anyway", nil, "", ""})
	run(t, h, &resource.Sysctl{Name: "net.ipv4.tcp_rmem", Value: "7 8 9"},
		step{"own and writable", func(h *resourcetest.Host) {
			h.Disk.Put("/proc/self/mounts", "proc /proc/sys proc ro,nosuid 0 0\nproc /proc/sys/net proc rw 0 0\n")
		}, "change: differs\nnet.ipv4.tcp_rmem: 4 5 6 → 7 8 9", ""})
	run(t, h, &resource.Sysctl{Name: "net.ipv4.tcp_rmem", Value: "1 1 1"},
		step{"read-only", func(h *resourcetest.Host) {
			h.Disk.Put("/proc/self/mounts", "proc / proc rw 0 0\nproc /proc/sys proc ro,nosuid 0 0\n")
		}, "skipped: this container may not set kernel parameters", ""})
	h.Facts.Container = ""
	h.Shell.Answer = nil // a kernel that keeps what it has
	run(t, h, &resource.Sysctl{Name: "vm.swappiness", Value: "900"}, step{"beyond its range", nil, "", "the kernel made vm.swappiness = 1 of 900"})
}

func TestKernelModule(t *testing.T) {
	h := resourcetest.New()
	kernel(h)
	h.Disk.Put("/proc/sys/kernel/osrelease", "6.1\n")
	h.Disk.Put("/lib/modules/6.1/modules.builtin", "kernel/drivers/char/soft-dog.ko\n")
	run(t, h, &resource.KernelModule{Name: "br-netfilter"}, step{"load", nil, "create: not loaded", ""})
	run(t, h, &resource.KernelModule{Name: "soft_dog"}, step{"built in", nil, "", ""})
	h.Facts.Container = "lxc"
	run(t, h, &resource.KernelModule{Name: "br_netfilter"}, step{"loaded outside", nil, "", ""})
	run(t, h, &resource.KernelModule{Name: "x"}, step{"container", nil, "skipped: a container cannot load kernel modules", ""})
}

func TestTunedProfile(t *testing.T) {
	h := resourcetest.New()
	kernel(h)
	h.Disk.Put("/etc/tuned/oltp/tuned.conf", "1")
	r := &resource.TunedProfile{Name: "oltp"}
	run(t, h, r, step{"activate", nil, "change: differs\nprofile:  → oltp", ""}, step{"again", nil, "", ""},
		step{"definition", func(h *resourcetest.Host) { h.Disk.Put("/etc/tuned/oltp/tuned.conf", "2") },
			"reload: /etc/tuned/oltp/ changed since it was last read", ""})
	h.Shell.Absent = []string{"tuned-adm"}
	run(t, h, &resource.TunedProfile{Name: "olap"}, step{"not installed", nil, "", "tuned is not installed"})
	h.Facts.Container = "lxc"
	run(t, h, &resource.TunedProfile{Name: "olap"}, step{"container", nil, "skipped: a container shares its kernel, which is what tuned sets", ""})
}

func TestHostname(t *testing.T) {
	h := resourcetest.New()
	kernel(h)
	h.Disk.Put("/proc/sys/kernel/hostname", "old\n")
	run(t, h, &resource.Hostname{Name: "pg-1"},
		step{"both", nil, "change: differs\nhostname: old → pg-1\n/etc/hostname:  → pg-1", ""},
		step{"after a reboot", func(h *resourcetest.Host) { h.Disk.Put("/etc/hostname", "other\n") }, "change: differs\n/etc/hostname: other → pg-1", ""})
}

func TestTimezone(t *testing.T) {
	h := resourcetest.New()
	r := &resource.Timezone{Zone: "Asia/Hong_Kong"}
	run(t, h, r, step{"no such zone", nil, "", `time zone "Asia/Hong_Kong" is not known on this host`})
	h.Disk.Put("/usr/share/zoneinfo/Asia/Hong_Kong", "")
	run(t, h, r, step{"none", nil, "change: differs\nzone:  → Asia/Hong_Kong", ""},
		step{"another", func(h *resourcetest.Host) {
			_ = h.Disk.Link("/etc/localtime", "../usr/share/zoneinfo/Etc/UTC")
			h.Disk.Put("/etc/timezone", "Etc/UTC\n")
		}, "change: differs\nzone: Etc/UTC → Asia/Hong_Kong\n/etc/timezone: Etc/UTC → Asia/Hong_Kong", ""},
		step{"a copy", func(h *resourcetest.Host) { h.Disk.Put("/etc/localtime", "TZif") }, "change: differs\nzone: a copy of some zone → Asia/Hong_Kong", ""})
}
