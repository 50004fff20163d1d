package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Up brings hosts up at the given addresses, all at once, and returns when each answers on its SSH port.
// Hosts that run stay as they are, stopped ones boot with the disk they have, others are made anew.
// progress, which may be nil, is told what takes time and which host is up. One host's failure does not
// stop the others; the errors of all are joined.
func (s *Sandbox) Up(ctx context.Context, addrs []netip.Addr, progress func(string)) error {
	if progress == nil {
		progress = func(string) {}
	}
	addrs = slices.CompactFunc(slices.SortedFunc(slices.Values(addrs), netip.Addr.Compare), func(a, b netip.Addr) bool { return a == b })
	for _, a := range addrs {
		if err := s.check(a); err != nil {
			return err
		}
	}
	release, err := s.prepare(ctx, s.dir, progress)
	if err != nil {
		return err
	}
	defer release()
	known, err := s.records()
	if err != nil {
		return err
	}
	hosts := make([]record, len(addrs))
	for i, a := range addrs {
		hosts[i] = record{Name: s.nameOf(a), Addr: a, OS: s.os}
		if j := slices.IndexFunc(known, func(r record) bool { return r.Addr == a && r.Base != "" }); j >= 0 {
			if s.osGiven && known[j].OS != s.os {
				return fmt.Errorf("%s runs %s: take it down first", known[j].Name, known[j].OS)
			}
			hosts[i] = known[j]
		}
	}
	if err := s.saveSettings(); err != nil {
		return fmt.Errorf("recording the sandbox: %w", err)
	}
	if err := s.networkUp(ctx); err != nil {
		return err
	}
	if err := s.makeKey(ctx); err != nil {
		return err
	}
	return s.boot(ctx, hosts, progress)
}

// disk is the file system of a host, with what it was made over; the package cache is added by boot.
func (s *Sandbox) disk(r record) overlay {
	lowers := []string{s.baseDir(r.Base)}
	if r.With != "" {
		lowers = append([]string{s.preinstalledDir(r.With)}, lowers...)
	}
	return overlay{dir: s.hostDir(r.Name), lowers: lowers}
}

// Start boots hosts that were stopped, with the disks they have. Hosts that run stay as they are.
func (s *Sandbox) Start(ctx context.Context, refs ...string) error {
	return s.change(ctx, refs, func(hosts []record) error {
		if len(hosts) == 0 {
			return errors.New("which host shall be started?")
		}
		if err := s.networkUp(ctx); err != nil {
			return err
		}
		return s.boot(ctx, hosts, func(string) {})
	})
}

// Stop ends hosts as if someone pulled the plug: every process is killed at once, nothing is shut down.
// Their disks stay. Hosts that do not run are fine.
func (s *Sandbox) Stop(ctx context.Context, refs ...string) error {
	return s.change(ctx, refs, func(hosts []record) error {
		if len(hosts) == 0 {
			return errors.New("which host shall be stopped?")
		}
		return s.withImages(ctx, func(string) {}, func() error {
			return inParallel(hosts, func(r record) error { return s.powerOff(ctx, r) })
		})
	})
}

// Down removes the hosts with the given names or addresses, disks included, without shutting them down,
// or all when none is given. What they downloaded goes to the package cache. With the last host go bridge
// and NAT; base images, package cache and keys stay, so that the next Up takes seconds.
func (s *Sandbox) Down(ctx context.Context, refs ...string) error {
	if err := requireRoot(); err != nil {
		return err
	}
	return s.change(ctx, refs, func(hosts []record) error {
		if len(refs) == 0 {
			all, err := s.records()
			if err != nil {
				return err
			}
			hosts = all
		}
		if err := s.withImages(ctx, func(string) {}, func() error {
			return inParallel(hosts, func(r record) error { return s.remove(ctx, r) })
		}); err != nil {
			return err
		}
		if err := s.healAll(ctx, hosts); err != nil {
			return err
		}
		left, err := s.records()
		if err != nil {
			return err
		}
		if err := s.writeSSHFiles(left); err != nil || len(left) > 0 {
			return err
		}
		if err := s.networkDown(ctx); err != nil {
			return err
		}
		if err := os.Remove(filepath.Join(s.dir, "sandbox.json")); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	})
}

// powerOff kills a host and undoes all that boot did, down to its bare disk. It also clears what a host
// that ended by itself, or a run that died, left behind.
func (s *Sandbox) powerOff(ctx context.Context, r record) error {
	cg, err := s.cgroups()
	if err != nil {
		return err
	}
	if err := cg.kill(r.Name); err != nil {
		return err
	}
	if err := deleteLink(ctx, vethOf(r.Addr)); err != nil {
		return fmt.Errorf("%s: %w", r.Name, err)
	}
	clearRuntime(machineOf(r.Addr), s.disk(r).root())
	if err := s.disk(r).unmount(); err != nil {
		return fmt.Errorf("%s: %w", r.Name, err)
	}
	cg.remove(r.Name)
	if r.OS != "" {
		if err := s.harvest(r.OS, s.disk(r)); err != nil {
			return fmt.Errorf("%s: keeping downloaded packages: %w", r.Name, err)
		}
	}
	return nil
}

// remove powers a host off and removes its disk.
func (s *Sandbox) remove(ctx context.Context, r record) error {
	if err := s.powerOff(ctx, r); err != nil {
		return err
	}
	// The record first: with it, half a disk would pass for a whole one after a crash.
	err := os.Remove(filepath.Join(s.hostDir(r.Name), "host.json"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s: removing its record: %w", r.Name, err)
	}
	if err := os.RemoveAll(s.hostDir(r.Name)); err != nil {
		return fmt.Errorf("%s: removing its disk: %w", r.Name, err)
	}
	return nil
}

// change runs f on the records of the named hosts, under the lock. Its error wraps ErrNoHost when one of
// them does not exist, and f is not run then.
func (s *Sandbox) change(ctx context.Context, refs []string, f func([]record) error) error {
	if err := requireRoot(); err != nil {
		return err
	}
	release, err := lock(ctx, s.dir, func(string) {})
	if err != nil {
		return err
	}
	defer release()
	recs, err := s.records()
	if err != nil {
		return err
	}
	var hosts []record
	for _, ref := range refs {
		i := slices.IndexFunc(recs, func(r record) bool { return r.Name == ref || r.Addr.String() == ref })
		if i < 0 {
			return fmt.Errorf("%w: %s", ErrNoHost, ref)
		}
		if !slices.ContainsFunc(hosts, func(r record) bool { return r.Name == recs[i].Name }) {
			hosts = append(hosts, recs[i])
		}
	}
	return f(hosts)
}

// inParallel runs f on every host and joins the errors.
func inParallel(hosts []record, f func(record) error) error {
	errs := make(chan error)
	for _, r := range hosts {
		go func() { errs <- f(r) }()
	}
	var all []error
	for range hosts {
		if err := <-errs; err != nil {
			all = append(all, err)
		}
	}
	slices.SortFunc(all, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(all...)
}

// seconds since a moment, for progress.
func seconds(began time.Time) string { return fmt.Sprintf("%.1f s", time.Since(began).Seconds()) }
