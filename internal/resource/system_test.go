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

// TestTunedFormer gives a host the profile back that it had, in each state that
// tuned may have been in.
func TestTunedFormer(t *testing.T) {
	const active, mode = "/etc/tuned/active_profile", "/etc/tuned/profile_mode"
	ours := &resource.TunedFormer{Ours: []string{"oltp", "olap"}}
	for _, c := range []struct {
		name, active, mode string
		runs               bool // tuned, when it is given back
		want, call, left   string
	}{
		{"chosen by somebody", "theirs", "manual", true, "profile: oltp → theirs", "tuned-adm profile theirs", "theirs\n"},
		{"chosen by tuned", "virtual-guest", "auto", true, "profile: oltp → tuned's own choice", "tuned-adm auto_profile", "auto_profile\n"},
		{"chosen by somebody, and tuned is down", "theirs", "", false, "profile: oltp → theirs", "", "theirs\n"},
		{"none", "", "", false, "profile: oltp → tuned's own choice", "", ""},
		{"ours, of a manifest that was lost", "olap", "manual", true, "profile: oltp → tuned's own choice", "tuned-adm auto_profile", "auto_profile\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := resourcetest.New()
			kernel(h)
			for file, text := range map[string]string{active: c.active, mode: c.mode} {
				if text != "" {
					h.Disk.Put(file, text+"\n")
				}
			}
			if _, _, err := h.Converge(ctx, &resource.TunedProfile{Name: "oltp"}); err != nil {
				t.Fatal(err)
			}
			if c.runs {
				h.Systemd.Set("tuned.service", resource.UnitState{Active: "active", Enabled: true})
			}
			before := len(h.Shell.Ran())
			run(t, h, ours, step{"given back", nil, "change: what was there before comes back\n" + c.want, ""}, step{"again", nil, "", ""})
			var calls []string
			for _, c := range h.Shell.Ran()[before:] {
				calls = append(calls, strings.Join(c.Args, " "))
			}
			expect(t, "calls", strings.Join(calls, "; "), c.call)
			expect(t, "profile", h.Disk.Text(active), c.left)
			if _, known := h.Manifest.Former("tuned profile"); known {
				t.Error("the former profile is still remembered")
			}
		})
	}
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

func TestSwapOff(t *testing.T) {
	h := resourcetest.New()
	r := &resource.SwapOff{}
	run(t, h, r, step{"none", nil, "", ""})
	h.Disk.Put("/proc/swaps", "Filename Type Size Used Priority\n/swapfile file 1048572 0 -2\n")
	h.Disk.Put("/etc/fstab", "UUID=1 / ext4 defaults 0 1\n#/old none swap sw 0 0\n/swapfile none swap sw 0 0\n")
	h.Shell.Answer = func(resource.Command) ([]byte, error) {
		h.Disk.Put("/proc/swaps", "Filename Type Size Used Priority\n")
		return nil, nil
	}
	run(t, h, r, step{"both", nil, "change: differs\n/swapfile: in use → \n/etc/fstab: turns swap on at boot → does not", ""}, step{"again", nil, "", ""})
	if data, _ := h.Files.Read("/etc/fstab"); string(data) != "UUID=1 / ext4 defaults 0 1\n#/old none swap sw 0 0\n# turned off by pigsty: /swapfile none swap sw 0 0\n" {
		t.Errorf("fstab is\n%s", data)
	}
	h.Facts.Container = "lxc"
	run(t, h, r, step{"container", nil, "skipped: a container shares its machine's swap", ""})
}

func TestKernelArguments(t *testing.T) {
	h := resourcetest.New()
	r := &resource.KernelArguments{Args: []string{"numa=off", "transparent_hugepage=never"}}
	h.Shell.Absent = []string{"grubby"}
	config := func(more string) {
		h.Disk.Put("/boot/grub/grub.cfg", "menuentry {\n\tlinux /vmlinuz root=UUID=1 ro"+more+"\n}\nmenuentry {\n\tlinux /old ro\n}\n")
	}
	config("")
	h.Shell.Answer = func(resource.Command) ([]byte, error) {
		if data, err := h.Files.Read("/etc/default/grub.d/pigsty.cfg"); err == nil && strings.Contains(string(data), "$GRUB_CMDLINE_LINUX numa=off transparent_hugepage=never\"") {
			config(" numa=off transparent_hugepage=never")
		}
		return nil, nil
	}
	run(t, h, r, step{"grub", nil, "change: differs\nargument:  → numa=off\nargument:  → transparent_hugepage=never", ""}, step{"again", nil, "", ""})

	h = resourcetest.New()
	args := "ro numa=off"
	h.Shell.Answer = func(c resource.Command) ([]byte, error) {
		if c.Args[1] == "--info=DEFAULT" {
			return []byte("index=0\nargs=\"" + args + "\"\n"), nil
		}
		args += " transparent_hugepage=never"
		return nil, nil
	}
	run(t, h, r, step{"grubby", nil, "change: differs\nargument:  → transparent_hugepage=never", ""}, step{"again", nil, "", ""})
	h.Shell.Absent = []string{"grubby", "update-grub"}
	run(t, h, r, step{"other boot loaders", nil, "skipped: neither grubby nor update-grub is installed", ""})
}
