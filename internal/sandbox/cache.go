package sandbox

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// The package cache has two parts per operating system, both below cache/OS of the image directory:
//
//	archives/    the store: every complete .deb that any host downloaded; never mounted
//	layers/HASH/ what hosts mount over the base image: the store's files, as hard links, in var/cache/apt/archives
//
// A layer never changes: changing what lies under a mounted overlay is undefined. When the store has grown,
// the next host to start gets a new layer, and layers that nobody mounts are removed. A host thus sees
// the packages in its own /var/cache/apt/archives, beside a lock file of its own.

const archives = "var/cache/apt/archives"

func (s *Sandbox) store(osID string) string {
	return filepath.Join(s.images, "cache", osID, "archives")
}

func (s *Sandbox) layers(osID string) string {
	return filepath.Join(s.images, "cache", osID, "layers")
}

// layer returns the directory of a layer with all packages of the store. The lock of the image directory
// is held, until the layer is mounted.
func (s *Sandbox) layer(osID string) (string, error) {
	dir, err := s.makeLayer(osID)
	if err != nil {
		return "", fmt.Errorf("making a layer of the package cache: %w", err)
	}
	return dir, nil
}

func (s *Sandbox) makeLayer(osID string) (string, error) {
	for _, d := range []string{s.store(osID), s.layers(osID)} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return "", err
		}
	}
	debs, err := completeDebs(s.store(osID))
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, d := range debs {
		fmt.Fprintln(h, d.Name(), d.Size())
	}
	dir := filepath.Join(s.layers(osID), fmt.Sprintf("%x", h.Sum(nil))[:12])
	if _, err := os.Stat(dir); err == nil {
		return dir, s.dropLayers(osID, dir)
	}
	half := filepath.Join(s.layers(osID), ".building")
	if err := os.RemoveAll(half); err != nil {
		return "", err
	}
	// Directories of the uppermost layer lend the merged ones their mode: as in the base, whatever the
	// caller's umask.
	path := half
	for _, d := range append([]string{""}, strings.Split(archives, "/")...) {
		path = filepath.Join(path, d)
		if err := os.Mkdir(path, 0o755); err != nil {
			return "", err
		}
		if err := os.Chmod(path, 0o755); err != nil {
			return "", err
		}
	}
	for _, d := range debs {
		if err := os.Link(filepath.Join(s.store(osID), d.Name()), filepath.Join(path, d.Name())); err != nil {
			return "", err
		}
	}
	if err := os.Rename(half, dir); err != nil {
		return "", err
	}
	return dir, s.dropLayers(osID, dir)
}

func (s *Sandbox) dropLayers(osID, keep string) error {
	used, err := lowerDirs()
	if err != nil {
		return err
	}
	all, err := os.ReadDir(s.layers(osID))
	if err != nil {
		return err
	}
	for _, d := range all {
		if path := filepath.Join(s.layers(osID), d.Name()); path != keep && !used[path] {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// completeDebs lists the packages in a directory; none when it does not exist. apt downloads into partial/
// beside them and moves what is complete, so that whatever has its name here is whole. Files only: in the
// upper layer of an overlay, a package that a host removed is a device.
func completeDebs(dir string) ([]fs.FileInfo, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var debs []fs.FileInfo
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".deb" && e.Type().IsRegular() {
			fi, err := e.Info()
			if err != nil {
				return nil, err
			}
			debs = append(debs, fi)
		}
	}
	return debs, nil
}

// harvest brings what a host downloaded into the store. It moves the files when the host's disk is not
// mounted and copies them otherwise, since a mounted upper layer must not be changed from outside. The
// lock of the image directory is held.
func (s *Sandbox) harvest(osID string, disk overlay) error {
	on, err := mounted(disk.root())
	if err != nil {
		return err
	}
	from, to := filepath.Join(disk.upper(), archives), s.store(osID)
	debs, err := completeDebs(from)
	if err != nil || len(debs) == 0 {
		return err
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	for _, d := range debs {
		src, dst := filepath.Join(from, d.Name()), filepath.Join(to, d.Name())
		if fi, err := os.Stat(dst); err != nil || fi.Size() != d.Size() {
			if !on && os.Rename(src, dst) == nil {
				continue
			}
			if err := copyFile(src, dst); err != nil {
				return err
			}
		}
		if !on {
			if err := os.Remove(src); err != nil {
				return err
			}
		}
	}
	return nil
}

func copyFile(src, dst string) error {
	in, err := os.Open(src)
	if err != nil {
		return err
	}
	defer in.Close()
	// A name of its own: several hosts may bring the same package at once.
	out, err := os.CreateTemp(filepath.Dir(dst), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name()) // fails once it is renamed
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		return err
	}
	return os.Rename(out.Name(), dst)
}

// Harvest brings what running hosts have downloaded into the package cache, for hosts that start later.
// Stop and Down do the same.
func (s *Sandbox) Harvest(ctx context.Context) error {
	if err := requireRoot(); err != nil {
		return err
	}
	quiet := func(string) {}
	release, err := lock(ctx, s.dir, quiet)
	if err != nil {
		return err
	}
	defer release()
	recs, err := s.records()
	if err != nil {
		return err
	}
	return s.withImages(ctx, quiet, func() error {
		var errs []error
		for _, r := range recs {
			if r.OS == "" {
				continue
			}
			if err := s.harvest(r.OS, s.disk(r)); err != nil {
				errs = append(errs, fmt.Errorf("%s: keeping downloaded packages: %w", r.Name, err))
			}
		}
		return errors.Join(errs...)
	})
}

// withImages runs f under the lock of the image directory. The lock of the sandbox is held; when both are
// one directory, that is the lock.
func (s *Sandbox) withImages(ctx context.Context, progress func(string), f func() error) error {
	if s.images != s.dir {
		release, err := lock(ctx, s.images, progress)
		if err != nil {
			return err
		}
		defer release()
	}
	return f()
}

// Fetch downloads packages with all they depend on into the package cache, so that hosts started
// afterwards install them without a download. Versions are those that the base image's package lists name.
func (s *Sandbox) Fetch(ctx context.Context, pkgs []string, progress func(string)) error {
	release, err := s.prepare(ctx, s.images, progress)
	if err != nil {
		return err
	}
	defer release()
	rel, err := findRelease(s.os)
	if err != nil {
		return err
	}
	base, err := s.ensureBase(ctx, rel, false, progress)
	if err != nil {
		return err
	}
	layer, err := s.layer(rel.ID)
	if err != nil {
		return err
	}
	// A disk to be thrown away: what apt notes down there is nobody's.
	disk := overlay{dir: filepath.Join(s.images, "fetch"), lowers: []string{layer, s.baseDir(base)}}
	clear := func() error { return errors.Join(disk.unmount(), os.RemoveAll(disk.dir)) }
	if err := clear(); err != nil { // of a run that died
		return err
	}
	if err := disk.mount(); err != nil {
		return err
	}
	err = fetchInto(ctx, disk.root(), pkgs)
	if uerr := disk.unmount(); uerr != nil {
		return errors.Join(err, uerr)
	}
	// What arrived before a failure is worth keeping too.
	return errors.Join(err, s.harvest(rel.ID, disk), clear())
}

func fetchInto(ctx context.Context, dir string, pkgs []string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := writeIn(root, "etc/resolv.conf", machineResolvers(), 0o644); err != nil {
		return err
	}
	cmd := command(ctx, "", append([]string{"/usr/bin/apt-get", "install", "-y", "-q", "--download-only", "--no-install-recommends", "--"}, pkgs...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: dir}
	cmd.Dir = "/"
	out, err := output(cmd)
	if err != nil && strings.Contains(out, "404  Not Found") {
		return fmt.Errorf("downloading packages: the package lists of the base image are out of date (pigsty sandbox up --refresh): %w", err)
	}
	if err != nil {
		return fmt.Errorf("downloading packages: %w", err)
	}
	return nil
}
