package resource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// ownInContainer are the kernel parameters that a container has its own copy
// of, as sysctl(8) names them; a name ending in "." stands for all below it.
// From the kernel's documentation of its IPC, network, user and UTS namespaces.
var ownInContainer = []string{
	"net.", "user.", "fs.mqueue.", "kernel.sem", "kernel.shmall", "kernel.shmmax", "kernel.shmmni",
	"kernel.shm_rmid_forced", "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.hostname", "kernel.domainname",
}

// Sysctl is a parameter of the running kernel. A File in /etc/sysctl.d keeps it
// over a reboot.
type Sysctl struct {
	Name  string // as sysctl(8) takes it: "vm.swappiness"
	Value string
}

var _ Resource = (*Sysctl)(nil)

// Key returns "sysctl " and the name.
func (s *Sysctl) Key() string { return "sysctl " + s.Name }

// Diff compares the value. It is skipped where the host has no such parameter
// or may not set it.
func (s *Sysctl) Diff(_ context.Context, h *Host) (Change, error) {
	data, err := h.Files.Read(s.path())
	if errors.Is(err, fs.ErrNotExist) {
		if h.pendingKind(moduleKind) {
			return Change{Action: Update, Reason: "differs", Attrs: []Attr{{Name: s.Name, New: s.Value}},
				Unknown: "after the kernel modules are loaded"}, nil
		}
		return Change{Skipped: "this kernel has no parameter " + s.Name}, nil
	}
	if err != nil && !errors.Is(err, fs.ErrPermission) { // some parameters can only be written
		return Change{}, err
	}
	old, want := fields(string(data)), fields(s.Value)
	if old == want {
		return Change{}, nil
	}
	if why := s.refused(h); why != "" {
		return Change{Skipped: why, Attrs: []Attr{{s.Name, old, want}}}, nil
	}
	var c Change
	c.Differs(s.Name, old, want)
	return c, nil
}

// Apply sets the value.
func (s *Sysctl) Apply(ctx context.Context, h *Host) error {
	// tee and not sysctl(8), which minimal images lack. A file below /proc is
	// written in place, so Files.Write is of no use.
	_, err := h.Commands.Run(ctx, Command{Args: []string{"tee", s.path()}, Stdin: []byte(s.Value + "\n")})
	if err != nil {
		return fmt.Errorf("the kernel refuses %s = %s: %w", s.Name, s.Value, err)
	}
	data, err := h.Files.Read(s.path())
	if err != nil {
		return err
	}
	if have := fields(string(data)); have != fields(s.Value) {
		return fmt.Errorf("the kernel made %s = %s of %s, which is beyond what it allows: choose a value in its range", s.Name, have, s.Value)
	}
	return nil
}

// refused says why a value cannot be set on this host, found out without trying.
func (s *Sysctl) refused(h *Host) string {
	if h.Facts.Container == "" {
		return ""
	}
	own := false
	for _, prefix := range ownInContainer {
		own = own || s.Name == prefix || strings.HasSuffix(prefix, ".") && strings.HasPrefix(s.Name, prefix)
	}
	if !own {
		return "a container shares " + s.Name + " with the machine it runs on"
	}
	if readOnly(h, s.path()) {
		return "this container may not set kernel parameters"
	}
	return ""
}

func (s *Sysctl) path() string {
	// A "/" in a name stands for a "." in the path, as in sysctl.d(5).
	swap := strings.NewReplacer(".", "/", "/", ".")
	return "/proc/sys/" + swap.Replace(s.Name)
}

// readOnly reports whether path is on a read-only mount.
func readOnly(h *Host, path string) bool {
	data, err := h.Files.Read("/proc/self/mounts")
	if err != nil {
		return false
	}
	longest, ro := -1, false
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) < 4 || !within(path, strings.TrimSuffix(f[1], "/")+"/") || len(f[1]) < longest {
			continue
		}
		longest, ro = len(f[1]), false // the last of equals is on top
		for _, option := range strings.Split(f[3], ",") {
			ro = ro || option == "ro"
		}
	}
	return ro
}

// fields makes every run of blanks one space, as the kernel's tabs and people's
// spaces mean the same.
func fields(s string) string { return strings.Join(strings.Fields(s), " ") }
