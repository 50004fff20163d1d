package resource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// Venv is a virtual environment of Python with packages in it, made by uv where
// the host has it, else by Python itself.
type Venv struct {
	Path     string
	Packages []string // see CheckRequirement; what satisfies them is not upgraded
}

var (
	_ Resource = (*Venv)(nil)
	_ Requirer = (*Venv)(nil)
)

// Key returns "venv " and the path.
func (v *Venv) Key() string { return "venv " + v.Path }

// Requires returns the directories above.
func (v *Venv) Requires() []string { return above(v.Path, Owner{}) }

// Diff names what is missing. A host that can make no virtual environment skips it.
func (v *Venv) Diff(ctx context.Context, h *Host) (Change, error) {
	var c Change
	have, ok, err := v.installed(h)
	switch {
	case err != nil:
		return Change{}, err
	case !ok:
		if why := v.impossible(ctx, h); why != "" {
			return Change{Skipped: why}, nil
		}
		c = Change{Action: Create, Reason: "does not exist"}
	case lacksPip(h, have):
		c.Differs("pip", "", "as Python brings it")
		c.Reason = "it was not finished"
	}
	missing, err := v.missing(have)
	if err != nil {
		return Change{}, err
	}
	for _, r := range missing {
		c.Differs("package", r.have, r.text)
	}
	return c, nil
}

// Apply makes the environment, or finishes one that was cut off in the middle,
// and installs what is missing.
func (v *Venv) Apply(ctx context.Context, h *Host) error {
	create, install := []string{"python3", "-m", "venv", v.Path}, []string{v.python(), "-m", "pip", "install", "--quiet"}
	if looks(h, "uv") {
		create = []string{"uv", "venv", "--quiet", "--allow-existing", v.Path}
		install = []string{"uv", "pip", "install", "--quiet", "--python", v.python()}
	}
	have, ok, err := v.installed(h)
	if err != nil {
		return err
	}
	if !ok {
		if _, err := h.Commands.Run(ctx, Command{Args: create}); err != nil {
			return fmt.Errorf("make the virtual environment: %w", err)
		}
		if have, _, err = v.installed(h); err != nil {
			return err
		}
	}
	if lacksPip(h, have) {
		if _, err := h.Commands.Run(ctx, Command{Args: []string{v.python(), "-m", "ensurepip", "--upgrade", "--default-pip"}}); err != nil {
			return fmt.Errorf("put pip into the virtual environment: %w", err)
		}
	}
	missing, err := v.missing(have)
	if err != nil || len(missing) == 0 {
		return err
	}
	install = append(install, "--")
	for _, r := range missing {
		install = append(install, r.text)
	}
	if _, err := h.Commands.Run(ctx, Command{Args: install}); err != nil {
		return fmt.Errorf("install Python packages: %w", err)
	}
	return nil
}

// lacksPip reports whether pip is missing, which comes last where Python makes
// an environment. uv needs none.
func lacksPip(h *Host, have map[string]string) bool { return have["pip"] == "" && !looks(h, "uv") }

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

// installed returns the versions of the environment's packages by their names, and
// whether there is an environment at all. It reads the directories that pip and
// uv leave, as starting Python takes a hundred times as long.
func (v *Venv) installed(h *Host) (have map[string]string, ok bool, err error) {
	config, err := h.Files.Read(path.Join(v.Path, "pyvenv.cfg"))
	if errors.Is(err, fs.ErrNotExist) || !exists(h, v.python()) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	version := venvVersion.FindSubmatch(config)
	if version == nil {
		return nil, false, fmt.Errorf("%s/pyvenv.cfg does not say which Python the environment is for: move %s away and apply again", v.Path, v.Path)
	}
	if home := venvHome.FindSubmatch(config); home != nil && !exists(h, path.Join(string(home[1]), "python"+string(version[1]))) {
		return nil, false, nil // the system has another Python by now
	}
	names, err := h.Files.List(path.Join(v.Path, "lib/python"+string(version[1]), "site-packages"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, false, err
	}
	have = map[string]string{}
	for _, name := range names {
		if m := distribution.FindStringSubmatch(name); m != nil {
			have[pythonName(m[1])] = m[2]
		}
	}
	return have, true, nil
}

var (
	// venvVersion finds the version of Python: venv calls it version, uv version_info.
	venvVersion = regexp.MustCompile(`(?m)^version(?:_info)?\s*=\s*(\d+\.\d+)`)
	// venvHome finds the directory of the Python that the environment was made of.
	venvHome = regexp.MustCompile(`(?m)^home\s*=\s*(\S+)\s*$`)
	// distribution is the name of what pip leaves: zope_interface-7.0.dist-info.
	distribution = regexp.MustCompile(`^([^-]+)-([^-]+)(?:-.*)?\.(?:dist|egg)-info$`)
)

// wantedPackage is a requirement, and the version that does not satisfy it.
type wantedPackage struct{ text, have string }

// missing returns what is not there, or not in a version that will do.
func (v *Venv) missing(have map[string]string) ([]wantedPackage, error) {
	var out []wantedPackage
	for _, p := range v.Packages {
		r, err := parseRequirement(p)
		if err != nil {
			return nil, err
		}
		if version, ok := have[r.name]; !ok || !r.satisfied(version) {
			w := wantedPackage{text: p}
			if ok {
				w.have = r.name + "==" + version
			}
			out = append(out, w)
		}
	}
	return out, nil
}

var pythonSeparators = regexp.MustCompile(`[-_.]+`)

// pythonName is a package's name in its normal form, see PEP 503.
func pythonName(name string) string {
	return strings.ToLower(pythonSeparators.ReplaceAllString(name, "-"))
}
