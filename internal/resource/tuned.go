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
	activeProfile = "/etc/tuned/active_profile"
	profileMode   = "/etc/tuned/profile_mode" // "auto" where tuned itself chose the profile, else "manual"
	tunedUnit     = "tuned.service"

	// formerProfile is under which name the manifest keeps the profile that was
	// active before us, "" where tuned chose one itself or there was none.
	formerProfile = "tuned profile"
)

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
	return []string{"unit " + tunedUnit, "file /etc/tuned/"}
}

// Diff compares the name of the active profile, and whether its definition
// changed since it was activated.
func (t *TunedProfile) Diff(_ context.Context, h *Host) (Change, error) {
	if h.Facts.Container != "" {
		return Change{Skipped: "a container shares its kernel, which is what tuned sets"}, nil
	}
	active, err := oneLine(h, activeProfile)
	if err != nil {
		return Change{}, err
	}
	var c Change
	c.Differs("profile", active, t.Name)
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
	former, err := oneLine(h, activeProfile)
	if err != nil {
		return err
	}
	mode, err := oneLine(h, profileMode)
	if err != nil {
		return err
	}
	if mode == "auto" {
		former = ""
	}
	h.Manifest.SetFormer(formerProfile, former)
	if _, err := h.Commands.Run(ctx, Command{Args: []string{"tuned-adm", "profile", t.Name}}); err != nil {
		return fmt.Errorf("activate profile %s: %w", t.Name, err)
	}
	h.Manifest.SetUnit(t.memory(), Loaded{Digests: sums})
	return nil
}

// memory is the name under which the manifest keeps what was activated.
func (t *TunedProfile) memory() string { return "tuned profile " + t.Name }

func (t *TunedProfile) definition() []string { return []string{"/etc/tuned/" + t.Name + "/"} }

// oneLine returns what a file holds without blanks around it, "" for one that is
// not there.
func oneLine(h *Host, path string) (string, error) {
	data, err := h.Files.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(data)), err
}

// TunedFormer is the profile that was active before one of Ours: the manifest's,
// or the one that tuned itself chooses.
type TunedFormer struct{ Ours []string }

var _ Resource = (*TunedFormer)(nil)

// Key returns "former tuned profile".
func (t *TunedFormer) Key() string { return "former tuned profile" }

// Diff is empty unless a profile of ours is active.
func (t *TunedFormer) Diff(_ context.Context, h *Host) (Change, error) {
	active, err := oneLine(h, activeProfile)
	if err != nil || !slices.Contains(t.Ours, active) {
		return Change{}, err
	}
	former := t.former(h)
	if former == "" {
		former = "tuned's own choice"
	}
	return Change{Action: Update, Reason: "what was there before comes back", Attrs: []Attr{{"profile", active, former}}}, nil
}

// Apply activates it. Where tuned does not run, it will find it when it starts.
func (t *TunedFormer) Apply(ctx context.Context, h *Host) error {
	active, err := oneLine(h, activeProfile)
	if err != nil {
		return err
	}
	if slices.Contains(t.Ours, active) {
		if err := t.activate(ctx, h, t.former(h)); err != nil {
			return fmt.Errorf("activate the profile that was there before: %w", err)
		}
	}
	h.Manifest.ForgetFormer(formerProfile)
	for _, name := range t.Ours {
		h.Manifest.ForgetUnit((&TunedProfile{name}).memory())
	}
	return nil
}

// former returns the name of the profile, "" for tuned's own choice.
func (t *TunedFormer) former(h *Host) string {
	former, _ := h.Manifest.Former(formerProfile)
	if slices.Contains(t.Ours, former) { // remembered anew after a manifest was lost
		return ""
	}
	return former
}

func (t *TunedFormer) activate(ctx context.Context, h *Host, name string) error {
	st, err := h.Units.Show(ctx, tunedUnit)
	switch {
	case err != nil:
		return fmt.Errorf("look at %s: %w", tunedUnit, err)
	case isRunning(st) && name != "":
		_, err = h.Commands.Run(ctx, Command{Args: []string{"tuned-adm", "profile", name}})
		return err
	case isRunning(st):
		_, err = h.Commands.Run(ctx, Command{Args: []string{"tuned-adm", "auto_profile"}})
		return err
	case name != "":
		return h.Files.Write(activeProfile, []byte(name+"\n"), 0o644, Owner{})
	}
	return errors.Join(h.Files.Remove(activeProfile), h.Files.Remove(profileMode))
}
