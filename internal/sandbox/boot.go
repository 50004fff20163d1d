package sandbox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// boot mounts the disks of hosts, starts those that do not run and waits until all answer. The lock of the
// sandbox is held and its network is up.
func (s *Sandbox) boot(ctx context.Context, hosts []record, progress func(string)) error {
	began := time.Now()
	cg, err := s.cgroups()
	if err != nil {
		return err
	}
	var down []record
	for i, r := range hosts {
		if cg.populated(r.Name) {
			continue
		}
		if r.Base != "" {
			if _, err := os.Stat(s.baseDir(r.Base)); err != nil {
				return fmt.Errorf("%s: its base image %s is gone (replaced by a newer one): take the host down and up", r.Name, r.Base)
			}
			if r.With != "" && !fileExists(s.preinstalledDir(r.With)) {
				return fmt.Errorf("%s: its layer of packages %s is gone: take the host down and up", r.Name, r.With)
			}
		}
		down = append(down, hosts[i])
	}
	if err := s.withImages(ctx, progress, func() error { return s.mountAll(ctx, down, progress) }); err != nil {
		return err
	}
	all, err := s.records()
	if err != nil {
		return err
	}
	// Before the first contact: nobody needs to trust a host key on sight.
	if err := s.writeSSHFiles(all); err != nil {
		return err
	}
	ended := map[string]<-chan struct{}{}
	var failed []error
	for _, r := range down {
		if ended[r.Name], err = s.spawn(cg, r); err != nil {
			failed = append(failed, fmt.Errorf("%s: starting the container: %w", r.Name, err))
			hosts = slices.DeleteFunc(slices.Clone(hosts), func(h record) bool { return h.Name == r.Name })
		}
	}
	// All boot at once and share the processors: each makes the others slower.
	patience := time.Minute + time.Duration(len(hosts))*2*time.Second
	cut := s.cutVeths()
	failed = append(failed, inParallel(hosts, func(r record) error {
		if cut[vethOf(r.Addr)] {
			progress(fmt.Sprintf("%s %s is partitioned", r.Name, r.Addr))
			return nil // and answers nobody
		}
		if err := s.waitReady(ctx, cg, r, ended[r.Name], patience); err != nil {
			return err
		}
		if ended[r.Name] == nil {
			progress(fmt.Sprintf("%s %s is up already", r.Name, r.Addr))
		} else {
			progress(fmt.Sprintf("%s %s is up after %s", r.Name, r.Addr, seconds(began)))
		}
		return nil
	}))
	return errors.Join(failed...)
}

// mountAll mounts the disks of hosts that do not run, making those that are new. The lock of the image
// directory is held: until they are mounted, image and layer could be taken for unused.
func (s *Sandbox) mountAll(ctx context.Context, hosts []record, progress func(string)) error {
	if len(hosts) == 0 {
		return nil
	}
	known, err := s.records()
	if err != nil {
		return err
	}
	names := hostLines(append(known, hosts...))
	bases, layers, with := map[string]string{}, map[string]string{}, map[string]string{}
	// Bases first: building one drops older ones that are not mounted.
	for i, r := range hosts {
		if r.Base != "" {
			continue
		}
		if bases[r.OS] == "" {
			rel, err := findRelease(r.OS)
			if err != nil {
				return err
			}
			if bases[r.OS], err = s.ensureBase(ctx, rel, false, progress); err != nil {
				return err
			}
			if len(s.packages) > 0 {
				if with[r.OS], err = s.ensurePreinstalled(ctx, rel, bases[r.OS], progress); err != nil {
					return err
				}
			}
		}
		hosts[i].Base, hosts[i].With = bases[r.OS], with[r.OS]
	}
	// What is left of their last run goes, before any layer is made of what they downloaded in it.
	if err := inParallel(hosts, func(r record) error { return s.powerOff(ctx, r) }); err != nil {
		return err
	}
	return inTurn(hosts, func(r record) error {
		if layers[r.OS] == "" {
			if layers[r.OS], err = s.layer(r.OS); err != nil {
				return err
			}
		}
		disk := s.disk(r)
		made := fileExists(filepath.Join(disk.dir, "host.json"))
		if !made { // not even half: host.json is written when all else is there
			if err := os.RemoveAll(disk.dir); err != nil {
				return err
			}
		}
		disk.lowers = append([]string{layers[r.OS]}, disk.lowers...)
		if err := disk.mount(); err != nil {
			return err
		}
		if made {
			return nil
		}
		if err := s.seed(ctx, r, disk.root(), names); err != nil {
			return err
		}
		return writeJSON(filepath.Join(disk.dir, "host.json"), r)
	})
}

func inTurn(hosts []record, f func(record) error) error {
	for _, r := range hosts {
		if err := f(r); err != nil {
			return fmt.Errorf("%s: %w", r.Name, err)
		}
	}
	return nil
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (s *Sandbox) consoleLog(name string) string {
	return filepath.Join(s.hostDir(name), "console.log")
}

// superviseScript runs a container as long as it asks to be booted again, which is how "reboot" in it ends.
// It is a shell because it has to outlive this process, and because only a process itself can enter the v1
// hierarchy before it runs anything else. $1 is the veth, whose name is free again only when it is gone;
// then come the host's cgroups, "--" and the container's command.
//
// The shell waits in a cgroup beside the container's: what is in the container's own when it starts has to
// be the container alone.
const superviseScript = `
veth=$1; shift; dirs=
while [ "$1" != -- ]; do dirs="$dirs $1"; shift; done; shift
for d in $dirs; do mkdir -p "$d/power" && echo 0 >"$d/power/cgroup.procs" || exit 1; done
while :; do
	for d in $dirs; do
		[ ! -d "$d/run" ] || find "$d/run" -depth -type d -exec rmdir {} +
		mkdir "$d/run" || exit 1
	done
	(
		for d in $dirs; do echo 0 >"$d/run/cgroup.procs" || exit 1; done
		exec "$@"
	)
	status=$?
	[ $status = 133 ] || exit $status
	while [ -e "/sys/class/net/$veth" ]; do sleep 0.05; done
done`

// spawn starts the container of a host, which outlives this process. The channel is closed when the
// container has ended.
func (s *Sandbox) spawn(cg cgroups, r record) (<-chan struct{}, error) {
	dirs, err := cg.make(r.Name)
	if err != nil {
		return nil, err
	}
	log, err := os.Create(s.consoleLog(r.Name))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	args := append([]string{"-c", superviseScript, "sh", vethOf(r.Addr)}, dirs...)
	args = append(args, "--", "systemd-nspawn", "--quiet",
		"--directory="+s.disk(r).root(),
		"--machine="+machineOf(r.Addr), "--hostname="+r.Name,
		"--network-bridge="+s.bridge,
		// The machine may have no systemd to register with.
		"--register=no", "--keep-unit",
		"--resolv-conf=off", "--timezone=off", "--link-journal=no",
		// A host of its own as far as a container can be one: watchdogs, keepalived, sysctls need these.
		"--capability=all", "--system-call-filter=@default @known",
		"--boot")
	cmd := exec.Command("/bin/sh", args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1"}
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	return ended, nil
}

// waitReady waits until sshd of a host greets. Its error shows the end of the host's console.
func (s *Sandbox) waitReady(ctx context.Context, cg cgroups, r record, ended <-chan struct{}, patience time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no answer on its SSH port within %s", patience))
	defer cancel()
	fail := func(why error) error {
		b, _ := os.ReadFile(s.consoleLog(r.Name))
		return fmt.Errorf("%s: %w; the last lines of its console:%s", r.Name, why, tail(string(b), 15))
	}
	for {
		if greets(ctx, netip.AddrPortFrom(r.Addr, 22)) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fail(context.Cause(ctx))
		case <-ended:
			return fail(errors.New("the container ended while booting"))
		case <-time.After(50 * time.Millisecond):
		}
		if ended == nil && !cg.populated(r.Name) {
			return fail(errors.New("the container ended"))
		}
	}
}

// greets tells whether an SSH server answers within a second.
func greets(ctx context.Context, at netip.AddrPort) bool {
	d := net.Dialer{Timeout: 500 * time.Millisecond}
	c, err := d.DialContext(ctx, "tcp", at.String())
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Second))
	line, err := bufio.NewReader(c).ReadString('\n')
	return err == nil && strings.HasPrefix(line, "SSH-")
}

// clearRuntime removes what nspawn keeps under /run for a container and cannot remove when killed. root is
// where the container's disk is mounted, if it is.
func clearRuntime(machine, root string) {
	const run = "/run/systemd/nspawn"
	for _, d := range []string{"propagate", "unix-export"} {
		path := filepath.Join(run, d, machine)
		syscall.Unmount(path, syscall.MNT_DETACH)
		os.RemoveAll(path)
	}
	var st syscall.Stat_t
	if on, err := mounted(root); err == nil && on && syscall.Stat(root, &st) == nil {
		os.Remove(filepath.Join(run, "locks", fmt.Sprintf("inode-%d:%d", st.Dev, st.Ino)))
	}
}
