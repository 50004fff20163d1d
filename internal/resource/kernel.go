package resource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

const moduleKind = "kernel module "

// KernelModule is a module that the running kernel has loaded. A File in
// /etc/modules-load.d keeps it over a reboot.
type KernelModule struct{ Name string }

var _ Resource = (*KernelModule)(nil)

// Key returns "kernel module " and the name.
func (m *KernelModule) Key() string { return moduleKind + m.Name }

// Diff is a Create if the kernel has the module neither loaded nor built in.
func (m *KernelModule) Diff(_ context.Context, h *Host) (Change, error) {
	name := strings.ReplaceAll(m.Name, "-", "_")
	_, err := h.Files.Stat("/sys/module/" + name)
	if err == nil {
		return Change{}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return Change{}, err
	}
	if h.Facts.Container != "" {
		return Change{Skipped: "a container cannot load kernel modules"}, nil
	}
	if release, err := h.Files.Read("/proc/sys/kernel/osrelease"); err == nil {
		list, err := h.Files.Read("/lib/modules/" + strings.TrimSpace(string(release)) + "/modules.builtin")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Change{}, err
		}
		for line := range strings.Lines(string(list)) {
			file := strings.TrimSuffix(path.Base(strings.TrimSpace(line)), ".ko")
			if strings.ReplaceAll(file, "-", "_") == name {
				return Change{}, nil
			}
		}
	}
	return Change{Action: Create, Reason: "not loaded"}, nil
}

// Apply loads the module.
func (m *KernelModule) Apply(ctx context.Context, h *Host) error {
	if _, err := h.Commands.Run(ctx, Command{Args: []string{"modprobe", m.Name}}); err != nil {
		return fmt.Errorf("load kernel module %s: %w", m.Name, err)
	}
	return nil
}
