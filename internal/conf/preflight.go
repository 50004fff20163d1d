package conf

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// State is how a check ended.
type State string

// The states of a check.
const (
	OK      State = "ok"
	Warning State = "warning" // it works, but not well
	Failure State = "failure" // a deployment would fail
	Skipped State = "skipped"
)

// Check is one thing that a deployment needs of the machine.
type Check struct {
	Name   string `json:"check"`
	State  State  `json:"state"`
	Found  string `json:"found"`
	Advice string `json:"advice,omitempty"` // how to mend it
}

// What a machine should have at least. They are a matter of experience: less
// works, and is soon full.
const (
	minMemory = 1 << 30  // bytes, for PostgreSQL and its companions
	minFree   = 10 << 30 // bytes where data will be
)

// Preflight checks the machine itself; ports are those that the deployment
// wants to listen on, see Ports. It changes nothing.
func (m Machine) Preflight(ports map[int]string) []Check {
	return []Check{m.system(), m.arch(), m.systemd(), m.memory(), disk(), m.locale(), busyPorts(ports)}
}

func (m Machine) system() Check {
	name := m.Facts.OS + " " + m.Facts.Version
	c := Check{Name: "system", State: OK, Found: m.System()}
	major, _, _ := strings.Cut(m.Facts.Version, ".")
	switch {
	case slices.Contains([]string{"debian 12", "debian 13", "ubuntu 22.04", "ubuntu 24.04"}, name):
	case m.Facts.Family == "rpm" && slices.Contains([]string{"8", "9", "10"}, major):
	default:
		c.State, c.Advice = Warning, "it is not among the supported: Debian 12 and 13, Ubuntu 22.04 and 24.04, EL 8 to 10"
	}
	return c
}

func (m Machine) arch() Check {
	c := Check{Name: "architecture", State: OK, Found: m.Facts.Arch}
	if m.Facts.Arch != "x86_64" && m.Facts.Arch != "aarch64" {
		c.State, c.Advice = Failure, "use a machine of x86_64 or aarch64"
	}
	return c
}

func (m Machine) systemd() Check {
	if m.Facts.Systemd {
		return Check{Name: "systemd", State: OK, Found: "runs the machine"}
	}
	return Check{Name: "systemd", State: Failure, Found: "something else runs the machine",
		Advice: "services are units of systemd: use a machine or a container that boots with it"}
}

func (m Machine) memory() Check {
	c := Check{Name: "memory", State: OK, Found: gib(m.Facts.Memory)}
	if m.Facts.Memory < minMemory*9/10 { // a machine of 1 GiB shows a little less
		c.State, c.Advice = Warning, "give it 1 GiB or more, 4 GiB with an infra node on it"
	}
	return c
}

// disk looks at the file system that /data will be on.
func disk() Check {
	dir := "/data"
	for dir != "/" {
		if _, err := os.Stat(dir); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return Check{Name: "disk", State: Warning, Found: fmt.Sprintf("%s: %v", dir, err), Advice: "see why with: df " + dir}
	}
	free := int64(st.Bavail) * st.Bsize
	c := Check{Name: "disk", State: OK, Found: gib(free) + " free for /data"}
	if free < minFree {
		c.State, c.Advice = Warning, "make room, or mount a disk of 10 GiB or more at /data"
	}
	return c
}

func gib(bytes int64) string { return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30)) }

func (m Machine) locale() Check {
	if m.UTF8 {
		return Check{Name: "locale", State: OK, Found: "C.UTF-8"}
	}
	return Check{Name: "locale", State: Warning, Found: "there is no C.UTF-8",
		Advice: "install it with the package locales or glibc-langpack-en, or keep C: it knows no letters but those of ASCII"}
}
