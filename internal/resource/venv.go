package resource

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
)

// Venv is a virtual environment of Python with packages in it, made by uv where
// the host has it, else by Python itself.
type Venv struct {
	Path     string
	Packages []string // requirements: "requests", "pandas==2.2.3"; what is there is not upgraded
}

var (
	_ Resource = (*Venv)(nil)
	_ Requirer = (*Venv)(nil)
)

// Key returns "venv " and the path.
func (v *Venv) Key() string { return "venv " + v.Path }

// Requires returns the directories above.
func (v *Venv) Requires() []string { return above(v.Path, Owner{}) }

// Diff names the packages that are missing. A host that can make no virtual
// environment skips it.
func (v *Venv) Diff(ctx context.Context, h *Host) (Change, error) {
	missing := v.Packages
	var c Change
	if exists(h, v.python()) {
		have, err := v.installed(ctx, h)
		if err != nil {
			return Change{}, err
		}
		missing = v.missing(have)
	} else {
		if why := v.impossible(ctx, h); why != "" {
			return Change{Skipped: why}, nil
		}
		c = Change{Action: Create, Reason: "does not exist"}
	}
	for _, p := range missing {
		c.Differs("package", "", p)
	}
	return c, nil
}

// Apply makes the environment and installs what is missing.
func (v *Venv) Apply(ctx context.Context, h *Host) error {
	create, install := []string{"python3", "-m", "venv", v.Path}, []string{v.python(), "-m", "pip", "install", "--quiet"}
	if looks(h, "uv") {
		create, install = []string{"uv", "venv", "--quiet", v.Path}, []string{"uv", "pip", "install", "--quiet", "--python", v.python()}
	}
	if !exists(h, v.python()) {
		if _, err := h.Commands.Run(ctx, Command{Args: create}); err != nil {
			return fmt.Errorf("make the virtual environment: %w", err)
		}
	}
	have, err := v.installed(ctx, h)
	if err != nil {
		return err
	}
	missing := v.missing(have)
	if len(missing) == 0 {
		return nil
	}
	if _, err := h.Commands.Run(ctx, Command{Args: append(append(install, "--"), missing...)}); err != nil {
		return fmt.Errorf("install Python packages: %w", err)
	}
	return nil
}

func (v *Venv) python() string { return path.Join(v.Path, "bin/python") }

// impossible says why the host can make no virtual environment.
func (v *Venv) impossible(ctx context.Context, h *Host) string {
	switch {
	case looks(h, "uv"):
		return ""
	case !looks(h, "python3"):
		return "neither uv nor python3 is installed"
	}
	if _, err := h.Commands.Run(ctx, Command{Args: []string{"python3", "-c", "import ensurepip, venv"}}); err != nil {
		var failed *CommandError
		if errors.As(err, &failed) && failed.Code > 0 {
			return "uv is not installed, and python3 lacks its module venv (Debian's package python3-venv)"
		}
	}
	return ""
}

// listPackages prints "name==version" for what an environment has.
const listPackages = `import importlib.metadata as m
for d in m.distributions(): print(d.metadata["Name"] + "==" + d.version)`

// installed returns the versions of the environment's packages by their names.
func (v *Venv) installed(ctx context.Context, h *Host) (map[string]string, error) {
	out, err := h.Commands.Run(ctx, Command{Args: []string{v.python(), "-c", listPackages}})
	if err != nil {
		return nil, fmt.Errorf("list the Python packages of %s: %w", v.Path, err)
	}
	have := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, version, _ := strings.Cut(strings.TrimSpace(line), "==")
		have[pythonName(name)] = version
	}
	return have, nil
}

func (v *Venv) missing(have map[string]string) []string {
	var out []string
	for _, p := range v.Packages {
		name := requirement.FindString(p)
		version, ok := have[pythonName(name)]
		if _, pinned, exact := strings.Cut(p, "=="); !ok || exact && version != pinned {
			out = append(out, p)
		}
	}
	return out
}

// requirement is the name that a requirement begins with, see PEP 508.
var requirement = regexp.MustCompile(`^[A-Za-z0-9._-]*[A-Za-z0-9]`)

var pythonSeparators = regexp.MustCompile(`[-_.]+`)

// pythonName is a package's name in its normal form, see PEP 503.
func pythonName(name string) string {
	return strings.ToLower(pythonSeparators.ReplaceAllString(name, "-"))
}
