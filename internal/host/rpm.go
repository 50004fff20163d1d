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

// rpm is dnf and rpm.
type rpm struct {
	commands *commands
	control  resource.Control

	mu        sync.Mutex
	at        snapshot
	installed map[string]string
}

var _ resource.PackageManager = (*rpm)(nil)

// rpmDatabases are the file that changes with each transaction: sqlite since
// EL 9, Berkeley DB on EL 8, and where newer systems keep the first.
var rpmDatabases = []string{"/usr/lib/sysimage/rpm/rpmdb.sqlite", "/var/lib/rpm/rpmdb.sqlite", "/var/lib/rpm/Packages"}

// Installed implements resource.PackageManager. Reading rpm's database takes a
// program, which runs only when the database changed.
func (r *rpm) Installed(names ...string) (map[string]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var at snapshot
	for _, p := range rpmDatabases {
		if s, err := take(p); err == nil {
			at = s
			break
		}
	}
	if r.installed == nil || at != r.at || at == (snapshot{}) {
		out, err := r.commands.Run(context.Background(), resource.Command{
			Args: []string{"rpm", "-qa", "--queryformat", `%{NAME}\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\n`}})
		if err != nil {
			return nil, err
		}
		r.installed, r.at = parseVersions(string(out)), at
	}
	found := map[string]string{}
	for _, n := range names {
		if v, ok := r.installed[n]; ok {
			found[n] = v
		}
	}
	return found, nil
}

// parseVersions reads lines of name, tab, version; an epoch of 0 is dropped,
// as people write versions.
func parseVersions(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		name, version, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if ok && name != "" {
			out[name] = strings.TrimPrefix(version, "0:")
		}
	}
	return out
}

// Candidates implements resource.PackageManager.
func (r *rpm) Candidates(ctx context.Context, names ...string) (map[string]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	args := append([]string{"dnf", "-q", "-C", "repoquery", "--latest-limit=1", "--arch=noarch", "--arch=" + arch(),
		"--queryformat", `%{name}\t%{epoch}:%{version}-%{release}\n`}, append(sparing(ownRepo), "--")...)
	out, err := r.commands.Run(ctx, resource.Command{Args: append(args, names...)})
	if err != nil {
		return nil, err
	}
	// Newer dnf takes \t and \n as they are written; older ones end lines themselves.
	text := strings.NewReplacer(`\t`, "\t", `\n`, "\n").Replace(string(out))
	found := parseVersions(text)
	installed, err := r.Installed(names...)
	if err != nil {
		return nil, err
	}
	for n, v := range installed { // an installed one is its own candidate at least
		if _, ok := found[n]; !ok {
			found[n] = v
		}
	}
	return found, nil
}

// Search implements resource.PackageManager.
func (r *rpm) Search(ctx context.Context, glob string) ([]string, error) {
	out, err := r.commands.Run(ctx, resource.Command{
		Args: slices.Concat([]string{"dnf", "-q", "-C", "repoquery", "--queryformat", `%{name}\n`}, sparing(ownRepo), []string{"--", glob})})
	if err != nil {
		return nil, err
	}
	var found []string
	for _, name := range strings.Fields(strings.ReplaceAll(string(out), `\n`, "\n")) {
		if ok, _ := path.Match(glob, name); ok {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// dnfIndex is where dnf and dnf 5 keep theirs.
var dnfIndex = index{
	sources: []string{"/etc/dnf/dnf.conf", "/etc/yum.repos.d", "/etc/dnf/vars"},
	choice:  []string{"/etc/dnf/modules.d", "/etc/dnf/plugins"},
	caches:  []string{"/var/cache/dnf", "/var/cache/libdnf5"},
}

// IndexTime implements resource.PackageManager.
func (r *rpm) IndexTime() (time.Time, error) { return dnfIndex.read() }

// Refresh implements resource.PackageManager. On a host that has the
// deployment's own repository, others that do not answer are done without.
func (r *rpm) Refresh(ctx context.Context) error {
	began, args := time.Now(), []string{"dnf", "-y", "--refresh", "makecache"}
	_, err := r.commands.run(ctx, resource.Command{Args: args}, r.progress(ctx))
	if spare := sparing(ownRepo); err != nil && spare != nil {
		r.control.Log(ctx, "a repository does not answer: going on with the deployment's own")
		_, err = r.commands.run(ctx, resource.Command{Args: slices.Concat(args, spare)}, r.progress(ctx))
	}
	if err != nil {
		return fmt.Errorf("read the package index: %w", err)
	}
	return dnfIndex.stamp(began)
}

// sparing returns what has dnf do without repositories that cannot be read, but
// not without the one that the file own configures; nil if there is no such file.
func sparing(own string) []string {
	if _, err := os.Stat(own); err != nil {
		return nil
	}
	return []string{"--setopt=*.skip_if_unavailable=True", "--setopt=local.skip_if_unavailable=False"}
}

// Install implements resource.PackageManager. Packages of this family do not
// start services when they are installed.
func (r *rpm) Install(ctx context.Context, names ...string) error {
	specs := slices.Clone(names)
	for i, n := range specs {
		if name, version, ok := strings.Cut(n, "="); ok {
			specs[i] = name + "-" + version + "*"
		}
	}
	return r.transaction(ctx, append([]string{"install", "--setopt=install_weak_deps=False", "--"}, specs...)...)
}

// Remove implements resource.PackageManager. Packages that came as
// dependencies stay.
func (r *rpm) Remove(ctx context.Context, names ...string) error {
	return r.transaction(ctx, append([]string{"remove", "--noautoremove", "--"}, names...)...)
}

// dnfUnfetched matches dnf's words for files that it could not get.
var dnfUnfetched = regexp.MustCompile(`Status code: 404|No more mirrors to try|Error downloading packages|Cannot download|checksum doesn't match|Unable to find a match`)

func (r *rpm) transaction(ctx context.Context, args ...string) error {
	full := slices.Concat([]string{"dnf", "-y"}, sparing(ownRepo), args)
	_, err := r.commands.run(ctx, resource.Command{Args: full}, r.progress(ctx))
	var failed *resource.CommandError
	if errors.As(err, &failed) && dnfUnfetched.MatchString(failed.Output) {
		return fmt.Errorf("%w: %w", resource.ErrFetch, err)
	}
	return err
}

var dnfMilestone = regexp.MustCompile(`^(Downloading |Installing |Upgrading |Removing |Error|Warning|\(\d+/\d+\))`)

func (r *rpm) progress(ctx context.Context) func(string) {
	return func(line string) {
		if dnfMilestone.MatchString(line) {
			r.control.Log(ctx, line)
		}
	}
}
