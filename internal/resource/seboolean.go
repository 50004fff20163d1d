package resource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// SELinuxBoolean is a switch of SELinux's policy that is on, where the host has
// one of that name. What turns it on keeps it on after a reboot; whether somebody
// turned it on until the next one only is not seen.
type SELinuxBoolean struct{ Name string }

var _ Resource = (*SELinuxBoolean)(nil)

// Key returns "selinux boolean " and the name.
func (s *SELinuxBoolean) Key() string { return "selinux boolean " + s.Name }

// Diff asks the kernel. A host without SELinux has no switches.
func (s *SELinuxBoolean) Diff(_ context.Context, h *Host) (Change, error) {
	if h.Facts.Container != "" {
		return Change{Skipped: "a container shares its kernel, and with it SELinux"}, nil
	}
	data, err := h.Files.Read("/sys/fs/selinux/booleans/" + s.Name) // "0 0": what it is, and what it is to be
	if errors.Is(err, fs.ErrNotExist) {
		return Change{Skipped: "this host has no SELinux, or its policy no such switch"}, nil
	}
	if err != nil {
		return Change{}, err
	}
	var c Change
	c.Differs("on", yes(strings.HasPrefix(string(data), "1")), yes(true))
	return c, nil
}

// Apply turns it on.
func (s *SELinuxBoolean) Apply(ctx context.Context, h *Host) error {
	if _, err := h.Commands.Run(ctx, Command{Args: []string{"setsebool", "-P", s.Name + "=1"}}); err != nil {
		return fmt.Errorf("turn on %s of SELinux's policy: %w", s.Name, err)
	}
	return nil
}
