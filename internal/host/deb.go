package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"pigsty/internal/resource"
)

// aptLock is how long apt waits for another program that installs packages,
// such as unattended-upgrades, in seconds.
const aptLock = "300"

// deb is apt and dpkg.
type deb struct {
	commands *commands
	control  resource.Control
	status   dpkgStatus
	one      sync.Mutex // held by the transaction that runs
}

var _ resource.PackageManager = (*deb)(nil)

// aptEnv keeps apt and its hooks from asking questions and needrestart from
// restarting services behind our back.
var aptEnv = []string{
	"DEBIAN_FRONTEND=noninteractive", "DEBCONF_NONINTERACTIVE_SEEN=true", "APT_LISTCHANGES_FRONTEND=none",
	"APT_LISTBUGS_FRONTEND=none", "NEEDRESTART_SUSPEND=1", "UCF_FORCE_CONFFOLD=1",
}

// quietly keeps the scripts of packages that are installed from having systemd read
// all its files, which each with a unit does once or twice: wake does so once.
var quietly = append(slices.Clone(aptEnv), "SYSTEMD_OFFLINE=1")

// Installed implements resource.PackageManager.
func (d *deb) Installed(names ...string) (map[string]string, error) {
	all, _, err := d.status.read()
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, n := range names {
		if v, ok := all[n]; ok {
			out[n] = v
		}
	}
	return out, nil
}

// Candidates implements resource.PackageManager.
func (d *deb) Candidates(ctx context.Context, names ...string) (map[string]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	out, err := d.commands.Run(ctx, resource.Command{Args: append([]string{"apt-cache", "policy", "--"}, names...), Env: aptEnv})
	if err != nil {
		return nil, err
	}
	return parsePolicy(string(out)), nil
}

// parsePolicy reads the candidates from what apt-cache policy prints:
//
//	etcd-server:
//	  Installed: (none)
//	  Candidate: 3.5.16-4
func parsePolicy(text string) map[string]string {
	found, name := map[string]string{}, ""
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, " ") {
			name = strings.TrimSuffix(strings.TrimSpace(line), ":")
			continue
		}
		version, ok := strings.CutPrefix(strings.TrimSpace(line), "Candidate: ")
		if ok && version != "(none)" {
			found[name] = version
		}
	}
	return found
}

// Search implements resource.PackageManager.
func (d *deb) Search(ctx context.Context, glob string) ([]string, error) {
	args := []string{"apt-cache", "pkgnames", "--"}
	if stem := glob[:strings.IndexAny(glob+"*", "*?[")]; stem != "" {
		args = append(args, stem)
	}
	out, err := d.commands.Run(ctx, resource.Command{Args: args, Env: aptEnv})
	if err != nil {
		return nil, err
	}
	var found []string
	for _, name := range strings.Fields(string(out)) {
		if ok, _ := path.Match(glob, name); ok {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found, nil
}

var aptIndex = index{
	sources: []string{"/etc/apt/sources.list", "/etc/apt/sources.list.d", "/etc/apt/preferences.d"},
	choice:  []string{"/etc/apt/preferences", "/etc/apt/apt.conf", "/etc/apt/apt.conf.d"},
	caches:  []string{"/var/lib/apt/lists"},
}

// IndexTime implements resource.PackageManager.
func (d *deb) IndexTime() (time.Time, error) { return aptIndex.read() }

// Refresh implements resource.PackageManager. A repository that cannot be read
// is an error: what it should have offered would be missed without a word, unless
// the host has the deployment's own, and no answer from others.
func (d *deb) Refresh(ctx context.Context) error {
	args := []string{"apt-get", "update", "-q", "-o", "APT::Update::Error-Mode=any", "-o", "Acquire::Retries=2"}
	deadline := time.Now().Add(2 * time.Minute)
	for {
		began := time.Now()
		_, err := d.commands.run(ctx, resource.Command{Args: args, Env: aptEnv}, d.progress(ctx))
		var failed *resource.CommandError
		// DPkg::Lock::Timeout does not cover the lock of the index.
		if errors.As(err, &failed) && strings.Contains(failed.Output, "Could not get lock") && time.Now().Before(deadline) {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(2 * time.Second):
			}
			continue
		}
		if err != nil && !d.alone(ctx, failed) {
			return fmt.Errorf("read the package index: %w", aptError(err))
		}
		return aptIndex.stamp(began)
	}
}

// alone reports whether the host can go on with the deployment's own repository
// after apt failed for want of others, and has apt forget those.
func (d *deb) alone(ctx context.Context, failed *resource.CommandError) bool {
	own, err := os.ReadFile(ownList)
	if err != nil || failed == nil {
		return false
	}
	gone := away(failed.Output, string(own))
	if len(gone) == 0 {
		return false
	}
	d.control.Log(ctx, "no answer from "+strings.Join(hosts(gone), ", ")+": going on with the deployment's own repository")
	return forget(aptLists, gone) == nil
}

// Install implements resource.PackageManager.
func (d *deb) Install(ctx context.Context, names ...string) error {
	args := []string{"install", "--no-install-recommends"}
	specs := slices.Clone(names)
	for i, n := range specs {
		if name, version, pinned := strings.Cut(n, "="); pinned {
			specs[i] = name + "=" + version + "*"
			args = append(args, "--allow-downgrades")
		}
	}
	return d.transaction(ctx, quietly, append(append(args, "--"), specs...)...)
}

// Remove implements resource.PackageManager.
func (d *deb) Remove(ctx context.Context, names ...string) error {
	return d.transaction(ctx, aptEnv, append([]string{"remove", "--"}, names...)...)
}

func (d *deb) transaction(ctx context.Context, env []string, args ...string) (err error) {
	d.one.Lock() // two would take each other's policy away
	defer d.one.Unlock()
	restore, err := forbidStarts(policyFile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, restore()) }()
	before, broken, err := d.status.read()
	if err != nil {
		return err
	}
	defer d.wake(ctx, before)
	if broken {
		d.control.Log(ctx, "an earlier package transaction was interrupted; finishing it first")
		repair := []string{"dpkg", "--configure", "-a", "--force-confdef", "--force-confold"}
		if _, err := d.commands.run(ctx, resource.Command{Args: repair, Env: quietly}, d.progress(ctx)); err != nil {
			return fmt.Errorf("finish the interrupted package transaction: %w", err)
		}
	}
	full := append([]string{"apt-get", "-y", "-q",
		"-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold",
		"-o", "DPkg::Lock::Timeout=" + aptLock, "-o", "Dpkg::Use-Pty=0", "-o", "Acquire::Retries=2"}, args...)
	_, err = d.commands.run(ctx, resource.Command{Args: full, Env: env}, d.progress(ctx))
	return aptError(err)
}

// wake has systemd read what a transaction brought, or begin anew with what it has
// become itself. The packages are there whether or not it gets to that.
func (d *deb) wake(ctx context.Context, before map[string]string) {
	if _, err := os.Stat("/run/systemd/system"); err != nil { // sd_booted(3)
		return
	}
	now, _, unknown := d.status.read()
	changed := func(name string) bool { return unknown == nil && now[name] != before[name] }
	verb := "daemon-reload"
	if changed("systemd") || changed("libc6") {
		verb = "daemon-reexec"
	}
	ctx = context.WithoutCancel(ctx)
	_, err := d.commands.Run(ctx, resource.Command{Args: []string{"systemctl", verb}})
	if err == nil && changed("systemd") { // as its own script does
		_, err = d.commands.Run(ctx, resource.Command{Args: []string{"systemctl", "try-restart", "systemd-journald.service", "systemd-networkd.service"}})
	}
	if err != nil {
		d.control.Log(ctx, "systemd has not read what the packages brought: "+err.Error())
	}
}

// unfetched matches apt's words for files that it could not get.
var unfetched = regexp.MustCompile(`Failed to fetch|Unable to fetch some archives|Hash Sum mismatch|404 +Not Found|Couldn't find any package whose name or description|Unable to locate package|Version '.*' for '.*' was not found`)

// aptError marks failures that a fresh index may mend, and keeps of apt's
// output the lines that say what is wrong.
func aptError(err error) error {
	var failed *resource.CommandError
	if !errors.As(err, &failed) {
		return err
	}
	var said []string
	for line := range strings.Lines(failed.Output) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "E: ") || strings.HasPrefix(line, "Err:") || strings.HasPrefix(line, "dpkg: error") {
			said = append(said, line)
		}
	}
	fetch := unfetched.MatchString(failed.Output)
	if len(said) > 0 {
		short := *failed
		short.Output = strings.Join(said, "\n")
		err = &short
	}
	if fetch {
		return fmt.Errorf("%w: %w", resource.ErrFetch, err)
	}
	return err
}

// milestone matches the lines of a transaction that people want to see.
var milestone = regexp.MustCompile(`^(Get:|Err:|Unpacking |Setting up |Removing |E: |W: |dpkg: error)`)

func (d *deb) progress(ctx context.Context) func(string) {
	return func(line string) {
		if milestone.MatchString(line) {
			d.control.Log(ctx, line)
		}
	}
}
