package resource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

const (
	selinuxConfig  = "/etc/selinux/config"
	selinuxEnforce = "/sys/fs/selinux/enforce"
)

// SELinux is the mode of SELinux, now and after a reboot, where the host has it.
type SELinux struct{ Mode string } // enforcing, permissive or disabled

var _ Resource = (*SELinux)(nil)

// Key returns "selinux".
func (*SELinux) Key() string { return "selinux" }

// Diff compares the file that is read at boot and the kernel's mode. Turning
// SELinux off altogether, or on again, takes a reboot.
func (s *SELinux) Diff(_ context.Context, h *Host) (Change, error) {
	if h.Facts.Container != "" {
		return Change{Skipped: "a container shares its kernel, and with it SELinux"}, nil
	}
	saved, now, err := s.read(h)
	if errors.Is(err, fs.ErrNotExist) {
		return Change{Skipped: "this host has no SELinux"}, nil
	}
	if err != nil {
		return Change{}, err
	}
	var c Change
	c.Differs(selinuxConfig, saved, s.Mode)
	c.Differs("mode", now, s.reachable(now))
	if c.Action != None && s.reachable(now) != s.Mode {
		c.Note = "it is " + s.Mode + " after a reboot"
	}
	return c, nil
}

// Apply sets both.
func (s *SELinux) Apply(ctx context.Context, h *Host) error {
	saved, now, err := s.read(h)
	if err != nil {
		return err
	}
	if saved != s.Mode {
		if err := s.save(h); err != nil {
			return err
		}
	}
	if want := s.reachable(now); want != now {
		flag := map[string]string{"enforcing": "1", "permissive": "0"}[want]
		if _, err := h.Commands.Run(ctx, Command{Args: []string{"setenforce", flag}}); err != nil {
			return fmt.Errorf("make SELinux %s: %w", want, err)
		}
	}
	return nil
}

// reachable returns the mode nearest to the one wanted that a kernel in mode
// now takes without a reboot.
func (s *SELinux) reachable(now string) string {
	switch {
	case now == "disabled":
		return now
	case s.Mode == "disabled":
		return "permissive"
	}
	return s.Mode
}

// read returns the mode at boot and the kernel's.
func (s *SELinux) read(h *Host) (saved, now string, err error) {
	data, err := h.Files.Read(selinuxConfig)
	if err != nil {
		return "", "", err
	}
	for line := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "SELINUX="); ok {
			saved = strings.TrimSpace(v)
		}
	}
	kernel, err := h.Files.Read(selinuxEnforce)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return saved, "disabled", nil
	case err != nil:
		return "", "", err
	case strings.TrimSpace(string(kernel)) == "1":
		return saved, "enforcing", nil
	}
	return saved, "permissive", nil
}

// save changes the one line of the file, and adds it if there is none.
func (s *SELinux) save(h *Host) error {
	data, err := h.Files.Read(selinuxConfig)
	if err != nil {
		return err
	}
	info, err := h.Files.Stat(selinuxConfig)
	if err != nil {
		return err
	}
	var out strings.Builder
	done := false
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(strings.TrimSpace(line), "SELINUX=") {
			line, done = "SELINUX="+s.Mode+"\n", true
		}
		out.WriteString(line)
	}
	if !done {
		out.WriteString("SELINUX=" + s.Mode + "\n")
	}
	return h.Files.Write(selinuxConfig, []byte(out.String()), info.Mode&permissions, info.Owner)
}
