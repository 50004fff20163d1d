package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// mount is one line of /proc/self/mountinfo, see proc_pid_mountinfo(5).
type mount struct {
	point, fstype string
	super         string // comma-separated options of the file system itself
}

// parseMount reads one line of mountinfo; false when it is not one.
func parseMount(line string) (mount, bool) {
	left, right, ok := strings.Cut(line, " - ")
	l, r := strings.Fields(left), strings.Fields(right)
	if !ok || len(l) < 5 || len(r) < 3 {
		return mount{}, false
	}
	return mount{point: unescape.Replace(l[4]), fstype: r[0], super: unescape.Replace(r[2])}, true
}

var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

func hasOption(options, want string) bool {
	for o := range strings.SplitSeq(options, ",") {
		if o == want {
			return true
		}
	}
	return false
}

// mounts lists what is mounted in this process's mount namespace.
func mounts() ([]mount, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var ms []mount
	for line := range strings.Lines(string(b)) {
		if m, ok := parseMount(line); ok {
			ms = append(ms, m)
		}
	}
	return ms, nil
}

// lowerDirs lists every directory that is a lower layer of a mounted overlay, of any sandbox.
func lowerDirs() (map[string]bool, error) {
	ms, err := mounts()
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, m := range ms {
		for o := range strings.SplitSeq(m.super, ",") {
			if dirs, ok := strings.CutPrefix(o, "lowerdir="); ok && m.fstype == "overlay" {
				for d := range strings.SplitSeq(dirs, ":") {
					used[d] = true
				}
			}
		}
	}
	return used, nil
}

func mounted(point string) (bool, error) {
	ms, err := mounts()
	for _, m := range ms {
		if m.point == point {
			return true, nil
		}
	}
	return false, err
}

// overlay is a writable disk over read-only layers: dir/upper keeps what was written, dir/root is where
// the whole is seen.
type overlay struct {
	dir    string
	lowers []string // the first hides the later ones
}

func (o overlay) root() string  { return filepath.Join(o.dir, "root") }
func (o overlay) upper() string { return filepath.Join(o.dir, "upper") }

// mount mounts the disk with what dir/upper already holds.
//
// It mounts volatile: fsync then costs nothing. Nothing a host can do loses data by that, since a killed
// host loses only its processes and the kernel that holds its pages lives on; only a power cut of the
// machine itself may damage the disk of a sandbox host, which is there to be thrown away.
func (o overlay) mount() error {
	work := filepath.Join(o.dir, "work")
	// The kernel leaves a mark there that forbids mounting a volatile overlay again.
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	for _, d := range []string{o.upper(), work, o.root()} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	// It lends its mode to the root of the whole, whatever the caller's umask.
	if err := os.Chmod(o.upper(), 0o755); err != nil {
		return err
	}
	// Lower layers are exchanged between two mounts of one upper layer, which is defined only without
	// these features.
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s,index=off,metacopy=off", strings.Join(o.lowers, ":"), o.upper(), work)
	err := syscall.Mount("overlay", o.root(), "overlay", 0, options+",volatile")
	if errors.Is(err, syscall.EINVAL) { // before Linux 5.10
		err = syscall.Mount("overlay", o.root(), "overlay", 0, options)
	}
	if err != nil {
		return fmt.Errorf("mounting an overlay on %s: %w", o.root(), err)
	}
	return nil
}

// unmount takes the disk away; not being mounted is fine. Processes that still hold it get two seconds.
func (o overlay) unmount() error {
	for wait := time.Now().Add(2 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		on, err := mounted(o.root())
		if err != nil || !on {
			return err
		}
		flags := 0
		if time.Now().After(wait) {
			flags = syscall.MNT_DETACH
		}
		if err := syscall.Unmount(o.root(), flags); err != nil && (err != syscall.EBUSY || flags != 0) {
			return fmt.Errorf("unmounting %s: %w", o.root(), err)
		}
	}
}
