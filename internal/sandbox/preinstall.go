package sandbox

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A preinstalled layer is what installing packages writes over a base image, made once and put under
// the disk of every host that wants these packages. Units of theirs neither run nor start at boot, and
// PostgreSQL's packages have made no cluster: the host is as if its owner had only installed them.

func (s *Sandbox) preinstalledDir(name string) string {
	return filepath.Join(s.images, "preinstalled", name)
}

// ensurePreinstalled returns the name of the layer with the sandbox's packages over a base image, making
// it if there is none. The lock of the image directory is held.
func (s *Sandbox) ensurePreinstalled(ctx context.Context, rel Release, base string, progress func(string)) (string, error) {
	wanted := slices.Compact(slices.Sorted(slices.Values(s.packages)))
	name := fmt.Sprintf("%s+%x", base, sha256.Sum256([]byte(installScript+strings.Join(wanted, " "))))[:len(base)+11]
	if fileExists(s.preinstalledDir(name)) {
		return name, nil
	}
	progress(fmt.Sprintf("installing %d packages over the base image of %s (once)", len(wanted), rel.ID))
	began := time.Now()
	layer, err := s.layer(rel.ID)
	if err != nil {
		return "", err
	}
	disk := overlay{dir: s.preinstalledDir(".building"), lowers: []string{layer, s.baseDir(base)}}
	clear := func() error { return errors.Join(disk.unmount(), os.RemoveAll(disk.dir)) }
	if err := clear(); err != nil { // of a run that died
		return "", err
	}
	if err := disk.mount(); err != nil {
		return "", err
	}
	err = install(ctx, disk.root(), wanted)
	if err := errors.Join(err, disk.unmount()); err != nil {
		return "", errors.Join(fmt.Errorf("installing packages over the base image: %w", err), clear())
	}
	if err := s.harvest(rel.ID, disk); err != nil {
		return "", err
	}
	syscall.Sync() // as for a base image
	if err := os.Rename(disk.upper(), s.preinstalledDir(name)); err != nil {
		return "", err
	}
	progress(fmt.Sprintf("packages installed in %s", seconds(began)))
	return name, errors.Join(clear(), s.dropPreinstalled(base))
}

// installScript runs in namespaces of its own, with the root file system as $1 and packages after it.
const installScript = `
set -e
root=$1; shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
units() { find "$root/etc/systemd/system" -type l | sort; }
units >"$root/tmp/units"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
mkdir -p "$root/etc/postgresql-common"
printf 'create_main_cluster = false\nstart_conf = manual\n' >"$root/etc/postgresql-common/createcluster.conf"
chroot "$root" apt-get install -y -q --no-install-recommends \
	-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -- "$@"
rm "$root/usr/sbin/policy-rc.d" "$root/etc/postgresql-common/createcluster.conf"
units | comm -13 "$root/tmp/units" - | xargs -r rm
rm "$root/tmp/units" "$root/etc/resolv.conf"
`

func install(ctx context.Context, dir string, packages []string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := writeIn(root, "etc/resolv.conf", machineResolvers(), 0o644); err != nil {
		return err
	}
	_, err = run(ctx, "", append([]string{"unshare", "--mount", "--pid", "--fork", "--kill-child",
		"/bin/sh", "-c", installScript, "sh", dir}, packages...)...)
	return err
}

// dropPreinstalled removes layers over other base images that no host of any sandbox has mounted.
func (s *Sandbox) dropPreinstalled(base string) error {
	used, err := lowerDirs()
	if err != nil {
		return err
	}
	all, err := os.ReadDir(s.preinstalledDir(""))
	if err != nil {
		return err
	}
	for _, d := range all {
		path := s.preinstalledDir(d.Name())
		of, _, _ := strings.Cut(d.Name(), "+")
		if of != base && !fileExists(s.baseDir(of)) && !used[path] {
			if err := os.RemoveAll(path); err != nil {
				return fmt.Errorf("removing an old layer of packages: %w", err)
			}
		}
	}
	return nil
}
