package resource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

const (
	grubFile   = "/etc/default/grub.d/pigsty.cfg"
	grubHeader = "# managed by pigsty: changes made here are undone\n"
)

// KernelArguments are words that the boot loader hands to the kernel. They count
// after a reboot, which is left to people.
type KernelArguments struct{ Args []string }

var _ Resource = (*KernelArguments)(nil)

// Key returns "kernel arguments".
func (*KernelArguments) Key() string { return "kernel arguments" }

// Diff compares what the next boot has with what is wanted: by grubby where the
// host has it, else by a file that update-grub reads.
func (k *KernelArguments) Diff(ctx context.Context, h *Host) (Change, error) {
	if h.Facts.Container != "" {
		return Change{Skipped: "a container shares its kernel"}, nil
	}
	var c Change
	text := ""
	switch {
	case looks(h, "grubby"):
		out, err := h.Commands.Run(ctx, Command{Args: []string{"grubby", "--info=DEFAULT"}})
		if err != nil {
			return c, fmt.Errorf("ask for the kernel's arguments: %w", err)
		}
		for line := range strings.Lines(string(out)) {
			if v, ok := strings.CutPrefix(strings.TrimSpace(line), "args="); ok {
				text = strings.Trim(v, `"`)
			}
		}
	case looks(h, "update-grub"):
		config, err := h.Files.Read("/boot/grub/grub.cfg")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return c, err
		}
		for line := range strings.Lines(string(config)) { // the first entry is what boots
			if f := strings.Fields(line); len(f) > 1 && f[0] == "linux" {
				text = strings.Join(f[2:], " ")
				break
			}
		}
	default:
		return Change{Skipped: "neither grubby nor update-grub is installed"}, nil
	}
	have := strings.Fields(text)
	for _, arg := range k.Args {
		if !slices.Contains(have, arg) {
			c.Differs("argument", "", arg)
		}
	}
	if c.Action != None {
		c.Note = "the kernel heeds it after a reboot"
	}
	return c, nil
}

// Apply has the boot loader hand them over at the next boot.
func (k *KernelArguments) Apply(ctx context.Context, h *Host) error {
	args := strings.Join(k.Args, " ")
	run := []string{"grubby", "--update-kernel=ALL", "--args=" + args}
	if !looks(h, "grubby") {
		text := grubHeader + `GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX ` + args + "\"\n"
		if err := h.Files.Mkdir("/etc/default/grub.d", 0o755, Owner{}); err != nil {
			return err
		}
		if err := h.Files.Write(grubFile, []byte(text), 0o644, Owner{}); err != nil {
			return err
		}
		run = []string{"update-grub"}
	}
	if _, err := h.Commands.Run(ctx, Command{Args: run}); err != nil {
		return fmt.Errorf("set the kernel's arguments: %w", err)
	}
	return nil
}

func looks(h *Host, program string) bool {
	_, ok := h.Commands.Look(program)
	return ok
}
