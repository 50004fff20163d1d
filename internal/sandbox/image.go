package sandbox

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Release is an operating system that hosts can run.
type Release struct {
	ID    string // what --os takes
	Suite string // of the Debian archive
}

// Releases lists what hosts can run, the default first.
func Releases() []Release {
	return []Release{{"debian13", "trixie"}, {"debian12", "bookworm"}}
}

func findRelease(id string) (Release, error) {
	var ids []string
	for _, r := range Releases() {
		if r.ID == id {
			return r, nil
		}
		ids = append(ids, r.ID)
	}
	return Release{}, fmt.Errorf("operating system %q: want one of %s", id, strings.Join(ids, ", "))
}

// recipe is all that makes a base image besides the archive it comes from. A changed recipe is a
// different image.
type recipe struct {
	packages []string
	mask     []string          // units
	enable   []string          // units
	files    map[string]string // path → content
	remove   []string          // patterns of paths
}

// baseRecipe is a plain server as a cloud provider would hand it out: no Python, no tools of ours.
func baseRecipe() recipe {
	r := recipe{
		packages: strings.Fields(`systemd systemd-sysv dbus libpam-systemd openssh-server sudo iproute2 iputils-ping
			ca-certificates curl procps less vim-tiny kmod cron locales`),
		enable: []string{"systemd-networkd.service"},
		mask: []string{
			"systemd-networkd-wait-online.service", // would hold up the boot for what a bridge never sends
			// They take apt's lock at a random moment of a host's first minutes.
			"apt-daily.timer", "apt-daily-upgrade.timer",
		},
		files: map[string]string{
			// What one host downloads goes to the package cache and from there to the others.
			"etc/apt/apt.conf.d/90sandbox": "APT::Keep-Downloaded-Packages \"true\";\nBinary::apt::APT::Keep-Downloaded-Packages \"true\";\n",
			// Empty: each host makes its own on its first boot.
			"etc/machine-id": "",
		},
		// What mmdebstrap copies from the machine, and what each host must have of its own.
		remove: []string{"etc/hostname", "etc/resolv.conf", "etc/ssh/ssh_host_*", "var/lib/dbus/machine-id"},
	}
	// They look for what a container has not, each time that systemd reads its files: empty masks them.
	for _, g := range strings.Fields("cryptsetup debug getty gpt-auto hibernate-resume integritysetup rc-local run ssh system-update tpm2 veritysetup") {
		r.files["etc/systemd/system-generators/systemd-"+g+"-generator"] = ""
	}
	return r
}

func (r recipe) hash() string {
	// fmt prints maps in the order of their keys.
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, r)))[:10]
}

func (s *Sandbox) baseDir(name string) string { return filepath.Join(s.images, "base", name) }

// ensureBase returns the name of the newest base image of the recipe, building one when there is none or
// when fresh is set. The lock of the image directory is held.
func (s *Sandbox) ensureBase(ctx context.Context, rel Release, fresh bool, progress func(string)) (string, error) {
	dir := s.baseDir("")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("creating the directory of base images: %w", err)
	}
	r := baseRecipe()
	prefix := rel.ID + "-" + r.hash() + "-"
	if have, err := filepath.Glob(filepath.Join(dir, prefix+"*")); err == nil && len(have) > 0 && !fresh {
		return filepath.Base(slices.Max(have)), nil
	}
	began := time.Now()
	progress(fmt.Sprintf("building the base image of %s (once, about half a minute)", rel.ID))
	half, _ := filepath.Glob(filepath.Join(dir, ".building-*"))
	for _, h := range half {
		os.RemoveAll(h)
	}
	building := filepath.Join(dir, ".building-"+rel.ID)
	defer os.RemoveAll(building)
	if err := s.build(ctx, rel, r, building); err != nil {
		return "", fmt.Errorf("building the base image of %s: %w", rel.ID, err)
	}
	// Without this, a power cut after the rename could leave a complete name on incomplete files.
	syscall.Sync()
	// The time makes names sort by age and leaves an image alone that hosts still use.
	name := prefix + time.Now().UTC().Format("20060102150405")
	if err := os.Rename(building, filepath.Join(dir, name)); err != nil {
		return "", fmt.Errorf("building the base image of %s: %w", rel.ID, err)
	}
	progress(fmt.Sprintf("base image of %s built in %.1f s", rel.ID, time.Since(began).Seconds()))
	return name, s.dropBases(rel, name)
}

// build makes a root file system in dir, which does not exist yet.
func (s *Sandbox) build(ctx context.Context, rel Release, r recipe, dir string) error {
	a := archive{main: s.mirror, security: securityBeside(s.mirror)}
	if a.main == "" {
		sources, err := machineSources("/etc/apt")
		if err != nil {
			return err
		}
		if a, err = debianArchive(sources); err != nil {
			return err
		}
	}
	args := []string{"mmdebstrap", "--mode=root", "--format=directory", "--variant=apt",
		// Package lists stay, so that a host installs at once.
		"--skip=cleanup/apt/lists",
		"--include=" + strings.Join(r.packages, ",")}
	for _, k := range slices.Compact(append(a.keyrings, archiveKeyring)) {
		args = append(args, "--keyring="+k)
	}
	args = append(args, rel.Suite, dir)
	if _, err := run(ctx, "", append(args, a.sourceLines(ctx, rel.Suite)...)...); err != nil {
		return err
	}
	return r.finish(ctx, dir)
}

// finish applies what of the recipe is not packages.
func (r recipe) finish(ctx context.Context, dir string) error {
	for verb, units := range map[string][]string{"enable": r.enable, "mask": r.mask} {
		cmd := command(ctx, "", append([]string{"/usr/bin/systemctl", verb}, units...)...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: dir}
		cmd.Dir = "/"
		if _, err := output(cmd); err != nil {
			return err
		}
	}
	for _, pattern := range r.remove {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err
		}
		for _, p := range paths {
			if err := os.Remove(p); err != nil {
				return err
			}
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for path, content := range r.files {
		if err := writeIn(root, path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// dropBases removes older base images of a release that no host of any sandbox has mounted.
func (s *Sandbox) dropBases(rel Release, keep string) error {
	used, err := lowerDirs()
	if err != nil {
		return err
	}
	all, err := os.ReadDir(s.baseDir(""))
	if err != nil {
		return err
	}
	for _, d := range all {
		if strings.HasPrefix(d.Name(), rel.ID+"-") && d.Name() != keep && !used[s.baseDir(d.Name())] {
			if err := os.RemoveAll(s.baseDir(d.Name())); err != nil {
				return fmt.Errorf("removing an old base image: %w", err)
			}
		}
	}
	return nil
}

// Refresh builds the base image of the sandbox's OS anew, with today's packages and package lists. Hosts
// that exist keep what they run.
func (s *Sandbox) Refresh(ctx context.Context, progress func(string)) error {
	release, err := s.prepare(ctx, s.images, progress)
	if err != nil {
		return err
	}
	defer release()
	rel, err := findRelease(s.os)
	if err != nil {
		return err
	}
	_, err = s.ensureBase(ctx, rel, true, progress)
	return err
}

// prepare checks for root, takes the lock of a directory and sees to it that the machine has the tools.
func (s *Sandbox) prepare(ctx context.Context, dir string, progress func(string)) (release func(), err error) {
	if err := requireRoot(); err != nil {
		return nil, err
	}
	if release, err = lock(ctx, dir, progress); err != nil {
		return nil, err
	}
	if err := installTools(ctx, progress); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// writeIn replaces a file below root, whatever was there (a link too), with missing directories made.
// Nothing inside root, such as a link that a host made, leads the write outside it.
func writeIn(root *os.Root, path, content string, mode fs.FileMode) error {
	path = cmp.Or(strings.TrimPrefix(path, "/"), ".")
	if err := root.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := root.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := root.WriteFile(path, []byte(content), mode); err != nil {
		return err
	}
	return root.Chmod(path, mode)
}
