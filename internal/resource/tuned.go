package resource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

const activeProfile = "/etc/tuned/active_profile"

// TunedProfile is the active profile of tuned, as it is defined now.
type TunedProfile struct{ Name string }

var (
	_ Resource = (*TunedProfile)(nil)
	_ Requirer = (*TunedProfile)(nil)
)

// Key returns "tuned profile".
func (t *TunedProfile) Key() string { return "tuned profile" }

// Requires returns tuned itself and the profiles that the administrator defines.
func (t *TunedProfile) Requires() []string {
	return []string{"unit tuned.service", "file /etc/tuned/"}
}

// Diff compares the name of the active profile, and whether its definition
// changed since it was activated.
func (t *TunedProfile) Diff(_ context.Context, h *Host) (Change, error) {
	if h.Facts.Container != "" {
		return Change{Skipped: "a container shares its kernel, which is what tuned sets"}, nil
	}
	data, err := h.Files.Read(activeProfile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Change{}, err
	}
	var c Change
	c.Differs("profile", strings.TrimSpace(string(data)), t.Name)
	if !c.Empty() {
		return c, nil
	}
	var since UnitState // a profile is like a unit that was started when its name was written
	if info, err := h.Files.Stat(activeProfile); err == nil {
		since.Since = info.MTime
	}
	why, err := stale(h, t.memory(), since, true, t.definition())
	if why != "" {
		c.Action, c.Reason = Reload, why
	}
	return c, err
}

// Apply activates the profile.
func (t *TunedProfile) Apply(ctx context.Context, h *Host) error {
	if _, ok := h.Commands.Look("tuned-adm"); !ok {
		return fmt.Errorf("activate profile %s: tuned is not installed", t.Name)
	}
	sums, err := digests(h, t.definition())
	if err != nil {
		return err
	}
	if _, err := h.Commands.Run(ctx, Command{Args: []string{"tuned-adm", "profile", t.Name}}); err != nil {
		return fmt.Errorf("activate profile %s: %w", t.Name, err)
	}
	h.Manifest.SetUnit(t.memory(), Loaded{Digests: sums})
	return nil
}

// memory is the name under which the manifest keeps what was activated.
func (t *TunedProfile) memory() string { return "tuned profile " + t.Name }

func (t *TunedProfile) definition() []string { return []string{"/etc/tuned/" + t.Name + "/"} }
