package resource_test

import (
	"errors"
	"strings"
	"testing"

	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

func TestVenv(t *testing.T) {
	h := resourcetest.New()
	installed, broken := "pip==25.0\n", true
	h.Shell.Answer = func(c resource.Command) ([]byte, error) {
		switch text := strings.Join(c.Args, " "); {
		case strings.Contains(text, "import ensurepip") && broken:
			return nil, &resource.CommandError{Args: c.Args, Code: 1, Err: errors.New("exit status 1")}
		case strings.Contains(text, "importlib.metadata"):
			return []byte(installed), nil
		case strings.HasPrefix(text, "uv venv"), strings.HasPrefix(text, "python3 -m venv"):
			h.Disk.Put("/data/venv/bin/python", "")
		case strings.Contains(text, "install"):
			installed += "PyYAML==6.0\nzope_interface==7.0\n"
		}
		return nil, nil
	}
	r := &resource.Venv{Path: "/data/venv", Packages: []string{"pyyaml>=6", "zope.interface==7.0"}}
	h.Shell.Absent = []string{"uv", "python3"}
	run(t, h, r, step{"nothing to make it with", nil, "skipped: neither uv nor python3 is installed", ""})
	h.Shell.Absent = []string{"uv"}
	run(t, h, r, step{"half a Python", nil, "skipped: uv is not installed, and python3 lacks its module venv (Debian's package python3-venv)", ""})
	broken = false
	run(t, h, r,
		step{"new", nil, "create: does not exist\npackage:  → pyyaml>=6\npackage:  → zope.interface==7.0", ""}, step{"again", nil, "", ""},
		step{"another version", func(*resourcetest.Host) { installed = "pyyaml==6.0\nzope.interface==6.0\n" }, "change: differs\npackage:  → zope.interface==7.0", ""})
}
