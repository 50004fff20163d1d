package recipe

import (
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestDeb reads the package with Debian's own program.
func TestDeb(t *testing.T) {
	dpkg, err := exec.LookPath("dpkg-deb")
	if err != nil {
		t.Skip("no dpkg-deb here")
	}
	proxy(t)
	dir := t.TempDir()
	file := filepath.Join(dir, build(t, dir, keys()[0], packages(hello(t))[:1])[0].File)
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(dpkg, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("dpkg-deb %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	if got := run("--field", file, "Package", "Version", "Depends", "Description"); got !=
		"Package: hello\nVersion: 1.2.0-1\nDepends: ca-certificates\nDescription: says hello\n It says hello.\n .\n And nothing else.\n" {
		t.Errorf("control:\n%s", got)
	}
	root := filepath.Join(dir, "root")
	run("--extract", file, root)
	run("--control", file, filepath.Join(dir, "control"))
	for path, text := range map[string]string{
		"root/etc/hello.conf":                       "greeting = hello\n",
		"root/usr/share/doc/hello/copyright":        "Do what you like.\n",
		"root/usr/lib/sysusers.d/hello.conf":        "u hello - \"Hello\" /var/lib/hello /usr/sbin/nologin\n",
		"root/usr/lib/tmpfiles.d/hello.conf":        "d /var/lib/hello 0750 hello hello -\n",
		"root/usr/lib/systemd/system/hello.service": "[Service]\nUser=hello\nExecStart=/usr/bin/hello\n",
		"control/conffiles":                         "/etc/hello.conf\n",
	} {
		if got, err := os.ReadFile(filepath.Join(dir, path)); err != nil || string(got) != text {
			t.Errorf("%s: %v\n%s", path, err, got)
		}
	}
	for _, script := range []string{"postinst", "prerm", "postrm"} {
		if out, err := exec.Command("sh", "-n", filepath.Join(dir, "control", script)).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", script, err, out)
		}
	}
	program := filepath.Join(root, "usr/bin/hello")
	if out, err := exec.Command(program).CombinedOutput(); err != nil || string(out) != "hello 1.2.0\n" {
		t.Errorf("the program says %q: %v", out, err)
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil || info.Path != "example.com/hello/cmd/hello" {
		t.Errorf("build information: %v %v", info, err)
	}
}
