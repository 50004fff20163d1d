package resource_test

import (
	"errors"
	"strings"
	"testing"

	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

// venvHost answers Python and uv, which leave the packages that they install in
// the environment /data/venv.
func venvHost(h *resourcetest.Host) (put, drop func(names ...string)) {
	const packages = "/data/venv/lib/python3.13/site-packages/"
	put = func(names ...string) {
		for _, name := range names {
			h.Disk.Put(packages+name+".dist-info/METADATA", "Name: "+name)
		}
	}
	drop = func(names ...string) {
		for _, name := range names {
			_ = h.Disk.RemoveAll(packages + name + ".dist-info")
		}
	}
	h.Shell.Answer = func(c resource.Command) ([]byte, error) {
		switch text := strings.Join(c.Args, " "); {
		case strings.HasPrefix(text, "uv venv"):
			h.Disk.Put("/data/venv/pyvenv.cfg", "home = /usr/bin\nuv = 0.8\nversion_info = 3.13.5\n")
			h.Disk.Put("/data/venv/bin/python", "")
		case strings.HasPrefix(text, "python3 -m venv"):
			h.Disk.Put("/data/venv/pyvenv.cfg", "home = /usr/bin\nversion = 3.13.5\n")
			h.Disk.Put("/data/venv/bin/python", "")
			put("pip-25.0")
		case strings.Contains(text, "ensurepip --upgrade"):
			put("pip-25.0")
		case strings.Contains(text, "-m pip") && h.Disk.Text(packages+"pip-25.0.dist-info/METADATA") == "":
			return nil, &resource.CommandError{Args: c.Args, Code: 1, Output: "No module named pip"}
		case strings.Contains(text, "install"):
			drop("zope_interface-6.0")
			put("PyYAML-6.0", "zope_interface-7.0.0")
		}
		return nil, nil
	}
	return put, drop
}

func TestVenv(t *testing.T) {
	h := resourcetest.New()
	put, drop := venvHost(h)
	h.Disk.Put("/usr/bin/python3.13", "")
	answer := h.Shell.Answer
	r := &resource.Venv{Path: "/data/venv", Packages: []string{"pyyaml>=6", "zope.interface==7.0"}}
	h.Shell.Absent = []string{"uv", "python3"}
	run(t, h, r, step{"nothing to make it with", nil, "skipped: neither uv nor python3 is installed", ""})
	h.Shell.Absent = []string{"uv"}
	h.Shell.Answer = func(c resource.Command) ([]byte, error) {
		return nil, &resource.CommandError{Args: c.Args, Code: 1, Err: errors.New("exit status 1")}
	}
	run(t, h, r, step{"half a Python", nil, "skipped: uv is not installed, and python3 lacks its module venv (Debian's package python3-venv)", ""})
	h.Shell.Answer = answer
	run(t, h, r,
		step{"new", nil, "create: does not exist\npackage:  → pyyaml>=6\npackage:  → zope.interface==7.0", ""}, step{"again", nil, "", ""},
		step{"another version", func(*resourcetest.Host) { drop("zope_interface-7.0.0"); put("zope_interface-6.0") },
			"change: differs\npackage: zope-interface==6.0 → zope.interface==7.0", ""},
		step{"cut off before pip was there", func(*resourcetest.Host) { drop("pip-25.0", "PyYAML-6.0", "zope_interface-7.0.0") },
			"change: it was not finished\npip:  → as Python brings it\npackage:  → pyyaml>=6\npackage:  → zope.interface==7.0", ""}, step{"finished", nil, "", ""},
		step{"cut off before Python was there", func(h *resourcetest.Host) { _ = h.Disk.Remove("/data/venv/bin/python") },
			"create: does not exist\npackage:  → pyyaml>=6\npackage:  → zope.interface==7.0", ""}, step{"made", nil, "", ""})
	old := strings.NewReplacer("3.13", "3.11")
	h.Disk.Put("/data/venv/pyvenv.cfg", old.Replace(h.Disk.Text("/data/venv/pyvenv.cfg")))
	run(t, h, r, step{"of a Python that an upgrade of the system took", nil, "create: does not exist\npackage:  → pyyaml>=6\npackage:  → zope.interface==7.0", ""},
		step{"made anew", nil, "", ""})
	h.Shell.Absent = nil
	run(t, h, r, step{"uv needs no pip", func(*resourcetest.Host) { drop("pip-25.0") }, "", ""})
}

func TestRequirements(t *testing.T) {
	h := resourcetest.New()
	h.Disk.Put("/v/bin/python", "")
	h.Disk.Put("/v/pyvenv.cfg", "version = 3.13.5\n")
	for _, c := range []struct {
		want, have string
		ok         bool
	}{
		{"x", "0.1", true},
		{"X[extra,more]", "0.1", true},
		{"x @ https://example.org/x-1.0.tar.gz", "0.1", true},
		{"x==1.0", "1.0.0", true},
		{"x==1", "1.0.1", false},
		{"x==1.0.*", "1.0.7", true},
		{"x==1.0.*", "1.1", false},
		{"x!=1.0.*", "1.0.7", false},
		{"x==2.1", "2.1+cpu", true},
		{"x==2.1+cuda", "2.1+cpu", false},
		{"x[a]==v1.0-post1", "1.0.post1", true},
		{"x===1.0", "1.0.0", false},
		{"x>=1.2,<2", "1.10", true},
		{"x>=1.2,<2", "2.0", false},
		{"x>=2", "2.0rc1", false},
		{"x>2.0", "2.0.post1", false},
		{"x>2.0", "2.0.1", true},
		{"x<2.0", "2.0rc1", false},
		{"x<2.0rc2", "2.0rc1", true},
		{"x<=1.0", "1.0.dev3", true},
		{"x~=1.4.2", "1.4.9", true},
		{"x~=1.4.2", "1.5", false},
		{"x~=1.4", "1.9", true},
		{"x==1!1.0", "1.0", false},
		{"x>=1.0", "nonsense", false},
	} {
		_ = h.Disk.RemoveAll("/v/lib")
		h.Disk.Put("/v/lib/python3.13/site-packages/X-"+c.have+".dist-info/METADATA", "")
		got, err := (&resource.Venv{Path: "/v", Packages: []string{c.want}}).Diff(ctx, h.Host)
		if err != nil {
			t.Errorf("%s: %v", c.want, err)
		}
		if got.Empty() != c.ok {
			t.Errorf("%s with %s: satisfied is %v, want %v", c.want, c.have, got.Empty(), c.ok)
		}
	}
	for text, want := range map[string]string{
		"git+https://example.org/x": "says nothing about versions",
		"--index-url":               "is not the name of a Python package",
		"x=1":                       "says nothing about versions",
		"x==one":                    "not a version",
		"x==1.0;python_version<'4'": "says nothing about versions",
	} {
		if err := resource.CheckRequirement(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
