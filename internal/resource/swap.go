package resource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

const fstab = "/etc/fstab"

// swapMark is put before the lines of fstab that turned swap on.
const swapMark = "# turned off by pigsty: "

// SwapOff is a host without swap, now and after a reboot.
type SwapOff struct{}

var _ Resource = (*SwapOff)(nil)

// Key returns "swap off".
func (*SwapOff) Key() string { return "swap off" }

// Diff looks at what the kernel swaps to, and what fstab makes it swap to at boot.
func (s *SwapOff) Diff(_ context.Context, h *Host) (Change, error) {
	if h.Facts.Container != "" {
		return Change{Skipped: "a container shares its machine's swap"}, nil
	}
	var c Change
	used, err := h.Files.Read("/proc/swaps")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return c, err
	}
	for i, line := range strings.Split(strings.TrimSpace(string(used)), "\n") {
		if f := strings.Fields(line); i > 0 && len(f) > 0 {
			c.Differs(f[0], "in use", "")
		}
	}
	old, text, err := s.table(h)
	if err != nil {
		return c, err
	}
	if old != text {
		c.Differs(fstab, "turns swap on at boot", "does not")
		c.Paths = []string{fstab}
	}
	return c, nil
}

// Apply turns swap off and takes it out of fstab.
func (s *SwapOff) Apply(ctx context.Context, h *Host) error {
	old, text, err := s.table(h)
	if err != nil {
		return err
	}
	if old != text {
		info, err := h.Files.Stat(fstab)
		if err != nil {
			return err
		}
		if err := h.Files.Write(fstab, []byte(text), info.Mode&permissions, info.Owner); err != nil {
			return err
		}
	}
	if _, err := h.Commands.Run(ctx, Command{Args: []string{"swapoff", "--all"}}); err != nil {
		return fmt.Errorf("turn swap off: %w", err)
	}
	return nil
}

// table returns fstab as it is, and as it should be.
func (*SwapOff) table(h *Host) (old, text string, err error) {
	data, err := h.Files.Read(fstab)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", nil
	}
	if err != nil {
		return "", "", err
	}
	var out strings.Builder
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 2 && !strings.HasPrefix(f[0], "#") && f[2] == "swap" {
			line = swapMark + line
		}
		out.WriteString(line)
	}
	return string(data), out.String(), nil
}
