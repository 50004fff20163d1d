package resource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Hostname is the host's name, now and after a reboot.
type Hostname struct{ Name string }

var _ Resource = (*Hostname)(nil)

// Key returns "hostname".
func (*Hostname) Key() string { return "hostname" }

// Diff compares the kernel's name and /etc/hostname.
func (n *Hostname) Diff(_ context.Context, h *Host) (Change, error) {
	now, saved, err := n.read(h)
	if err != nil {
		return Change{}, err
	}
	var c Change
	c.Differs("hostname", now, n.Name)
	c.Differs("/etc/hostname", saved, n.Name)
	if c.Action != None {
		c.Paths = []string{"/etc/hostname"}
	}
	return c, nil
}

// Apply sets both.
func (n *Hostname) Apply(ctx context.Context, h *Host) error {
	now, saved, err := n.read(h)
	if err != nil {
		return err
	}
	if saved != n.Name {
		if err := h.Files.Write("/etc/hostname", []byte(n.Name+"\n"), 0o644, Owner{}); err != nil {
			return err
		}
	}
	if now == n.Name {
		return nil
	}
	args := []string{"hostname", n.Name}
	if _, ok := h.Commands.Look("hostname"); !ok { // not in every minimal image
		args = []string{"hostnamectl", "set-hostname", n.Name}
	}
	_, err = h.Commands.Run(ctx, Command{Args: args})
	return err
}

func (n *Hostname) read(h *Host) (now, saved string, err error) {
	kernel, err := h.Files.Read("/proc/sys/kernel/hostname")
	if err != nil {
		return "", "", err
	}
	file, err := h.Files.Read("/etc/hostname")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", "", err
	}
	return strings.TrimSpace(string(kernel)), strings.TrimSpace(string(file)), nil
}

const zoneinfo = "/usr/share/zoneinfo/"

// Timezone is the host's time zone, such as "Asia/Hong_Kong".
type Timezone struct{ Zone string }

var _ Resource = (*Timezone)(nil)

// Key returns "timezone".
func (*Timezone) Key() string { return "timezone" }

// Diff compares where /etc/localtime leads, and what Debian's /etc/timezone says if it is there.
func (t *Timezone) Diff(_ context.Context, h *Host) (Change, error) {
	if _, err := h.Files.Stat(zoneinfo + t.Zone); errors.Is(err, fs.ErrNotExist) && !h.pendingKind(packagesKey) {
		return Change{}, fmt.Errorf("time zone %q is not known on this host: see `timedatectl list-timezones` for names; "+
			"the package tzdata brings them (node_timezone)", t.Zone)
	}
	link, file, err := t.read(h)
	if err != nil {
		return Change{}, err
	}
	var c Change
	c.Differs("zone", link, t.Zone)
	if file != "" {
		c.Differs("/etc/timezone", file, t.Zone)
	}
	return c, nil
}

// Apply points /etc/localtime at the zone.
func (t *Timezone) Apply(_ context.Context, h *Host) error {
	if _, err := h.Files.Stat(zoneinfo + t.Zone); err != nil {
		return fmt.Errorf("time zone %q is not known on this host: %w", t.Zone, err)
	}
	link, file, err := t.read(h)
	if err != nil {
		return err
	}
	if file != "" && file != t.Zone {
		if err := h.Files.Write("/etc/timezone", []byte(t.Zone+"\n"), 0o644, Owner{}); err != nil {
			return err
		}
	}
	if link == t.Zone {
		return nil
	}
	if info, err := h.Files.Stat("/etc/localtime"); err == nil && info.Mode.IsRegular() {
		// A copy of the zone, as some images have it: nothing is lost with it.
		if err := h.Files.Remove("/etc/localtime"); err != nil {
			return err
		}
	}
	return h.Files.Link("/etc/localtime", zoneinfo+t.Zone)
}

func (t *Timezone) read(h *Host) (link, file string, err error) {
	info, err := h.Files.Stat("/etc/localtime")
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return "", "", err
	case info.Mode&fs.ModeSymlink != 0:
		_, link, _ = strings.Cut(info.Target, "zoneinfo/")
	default:
		link = "a copy of some zone"
	}
	data, err := h.Files.Read("/etc/timezone")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", "", err
	}
	return link, strings.TrimSpace(string(data)), nil
}
