package sandbox

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cgroups is the sandbox's subtree of the machine's cgroups. Every host gets a cgroup of its own in each
// hierarchy that systemd uses: containers that share one disturb each other, since stopping a unit on one
// host kills the unit of the same name on another. It is also how a host is found and killed: whatever is
// in its cgroup is the host's and nothing else is.
type cgroups struct {
	unified string   // the sandbox's directory in the v2 hierarchy
	all     []string // its directories in all hierarchies, unified first
}

func (s *Sandbox) cgroups() (cgroups, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return cgroups{}, err
	}
	defer f.Close()
	mounts, err := cgroupMounts(f)
	if err != nil {
		return cgroups{}, err
	}
	var cg cgroups
	for _, m := range mounts {
		cg.all = append(cg.all, filepath.Join(m, "pigsty-"+s.bridge))
	}
	cg.unified = cg.all[0]
	return cg, nil
}

// cgroupMounts finds where the v2 hierarchy and, on a hybrid machine, systemd's named v1 hierarchy are
// mounted. The v2 one comes first; a machine without it is refused.
func cgroupMounts(mountinfo io.Reader) ([]string, error) {
	b, err := io.ReadAll(mountinfo)
	if err != nil {
		return nil, err
	}
	var unified, named string
	for line := range strings.Lines(string(b)) {
		m, ok := parseMount(line)
		switch {
		case !ok:
		case m.fstype == "cgroup2" && unified == "":
			unified = m.point
		case m.fstype == "cgroup" && hasOption(m.super, "name=systemd") && named == "":
			named = m.point
		}
	}
	if unified == "" {
		return nil, errors.New("this machine mounts no cgroup v2 hierarchy, which sandbox hosts need (mount -t cgroup2 none /sys/fs/cgroup/unified)")
	}
	if named == "" {
		return []string{unified}, nil
	}
	return []string{unified, named}, nil
}

// make creates the host's cgroups and returns their directories.
func (cg cgroups) make(name string) ([]string, error) {
	var dirs []string
	for _, root := range cg.all {
		d := filepath.Join(root, name)
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, fmt.Errorf("creating the cgroup of %s: %w", name, err)
		}
		dirs = append(dirs, d)
	}
	// Where the machine lends us controllers, pass them on: units inside hosts then have real limits.
	for _, d := range []string{cg.unified, filepath.Join(cg.unified, name)} {
		lent, _ := os.ReadFile(filepath.Join(d, "cgroup.controllers"))
		for c := range strings.FieldsSeq(string(lent)) {
			os.WriteFile(filepath.Join(d, "cgroup.subtree_control"), []byte("+"+c), 0)
		}
	}
	return dirs, nil
}

// populated tells whether any process of the host lives.
func (cg cgroups) populated(name string) bool {
	b, err := os.ReadFile(filepath.Join(cg.unified, name, "cgroup.events"))
	return err == nil && strings.Contains(string(b), "populated 1")
}

// kill ends every process of the host at once, as a power cut would, and waits until all are gone.
func (cg cgroups) kill(name string) error {
	dir := filepath.Join(cg.unified, name)
	for wait := time.Now().Add(time.Minute); cg.populated(name); time.Sleep(10 * time.Millisecond) {
		// cgroup.kill came with Linux 5.14; before that, signal what is there until nothing is.
		if err := os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0); err != nil {
			for _, pid := range cg.pids(name) {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		if time.Now().After(wait) {
			return fmt.Errorf("%s: processes %v survive SIGKILL", name, cg.pids(name))
		}
	}
	return nil
}

// pids lists all processes of the host as the machine numbers them.
func (cg cgroups) pids(name string) []int {
	var pids []int
	filepath.WalkDir(filepath.Join(cg.unified, name), func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "cgroup.procs" {
			b, _ := os.ReadFile(p)
			for f := range strings.FieldsSeq(string(b)) {
				if pid, err := strconv.Atoi(f); err == nil && pid > 0 {
					pids = append(pids, pid)
				}
			}
		}
		return nil
	})
	return pids
}

// init finds the process that is number 1 inside the host, 0 if there is none.
func (cg cgroups) init(name string) int {
	for _, pid := range cg.pids(name) {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if isInit(string(b)) {
			return pid
		}
	}
	return 0
}

// isInit reads the NSpid line of a /proc/PID/status: the process's numbers from our namespace inwards.
func isInit(status string) bool {
	_, rest, _ := strings.Cut(status, "\nNSpid:")
	line, _, _ := strings.Cut(rest, "\n")
	f := strings.Fields(line)
	return len(f) > 1 && f[len(f)-1] == "1"
}

// remove deletes the host's cgroups, and the sandbox's own when it was the last. What still has processes
// stays: only empty cgroups can be removed.
func (cg cgroups) remove(name string) {
	for _, root := range cg.all {
		removeTree(filepath.Join(root, name))
		os.Remove(root)
	}
}

// removeTree removes a cgroup with its children, innermost first. Files in a cgroup cannot be removed one
// by one, so os.RemoveAll does not do.
func removeTree(dir string) {
	kids, _ := os.ReadDir(dir)
	for _, k := range kids {
		if k.IsDir() {
			removeTree(filepath.Join(dir, k.Name()))
		}
	}
	os.Remove(dir)
}
