package resource

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// packagesKey is the key of a host's one package transaction.
const packagesKey = "packages"

// indexTrust is how long a package index is believed when it does not have a
// package; after that its repositories may well have got it.
const indexTrust = 24 * time.Hour

// repositoryPaths is where package managers read which repositories to use.
var repositoryPaths = []string{"/etc/apt/", "/etc/yum.repos.d/", "/etc/dnf/", "/etc/yum.conf"}

// knownThen stands for a version that the index does not have yet.
const knownThen = "known then"

// ErrFetch is wrapped by PackageManager.Install when a package's file could not
// be fetched, as happens when the index is older than the repository.
var ErrFetch = errors.New("a package could not be fetched")

// Packages are installed in one transaction. A host has one Packages at most;
// see Merge.
type Packages struct {
	Items []PackageItem
}

// PackageItem is one package and who asked for it.
type PackageItem struct {
	Name string
	For  string // the parameter that names it, for messages: "pg_packages"
	// Version, if set, is the version wanted, or its beginning up to a
	// separator: "17.2" accepts 17.2-1.pgdg13+1.
	Version string
	Latest  bool // upgrade when the repositories have a newer one
	// Release is the part of Name that the parameter ReleaseOf decides: 17 of
	// postgresql-17, which pg_version says. Empty where Name is all there is.
	Release, ReleaseOf string
	// Optional is left out, and said to be, where no repository has it.
	Optional bool
	// Or holds other names, separated by blanks, under which repositories may
	// have the same. The first name that is installed or offered counts.
	Or string
}

var (
	_ Resource = (*Packages)(nil)
	_ Requirer = (*Packages)(nil)
)

// Key returns "packages".
func (p *Packages) Key() string { return packagesKey }

// Requires returns what decides which repositories there are.
func (p *Packages) Requires() []string { return append([]string{indexKey}, repositoryKeys()...) }

// Merge returns the packages of p and o. One that both name is asked for once,
// by both.
func (p *Packages) Merge(o *Packages) *Packages {
	m := &Packages{Items: slices.Clone(p.Items)}
	for _, item := range o.Items {
		i := slices.IndexFunc(m.Items, func(x PackageItem) bool {
			return x.Name == item.Name && (x.Version == item.Version || x.Version == "" || item.Version == "")
		})
		if i < 0 {
			m.Items = append(m.Items, item)
			continue
		}
		have := &m.Items[i]
		have.Latest = have.Latest || item.Latest
		have.Optional = have.Optional && item.Optional
		if have.Version == "" {
			have.Version = item.Version
		}
		if item.For != "" && !slices.Contains(strings.Split(have.For, ", "), item.For) {
			have.For = strings.TrimPrefix(have.For+", "+item.For, ", ")
		}
	}
	return m
}

// Diff names the packages to install with the versions that they will have. A
// package that no repository has is an error unless it is optional, or the
// index is yet to be read: then the change is unknown until it is. What the
// deployment's repository has come to have since is known to be there, and its
// version is not.
func (p *Packages) Diff(ctx context.Context, h *Host) (Change, error) {
	todo, installed, err := p.missing(h)
	if err != nil || len(todo) == 0 {
		return Change{}, err
	}
	read, when, err := indexUnknown(h)
	if err != nil {
		return Change{}, err
	}
	if when != "" {
		return p.unknown(todo, when), nil
	}
	candidates, err := h.Packages.Candidates(ctx, undecided(todo, installed)...)
	if err != nil {
		return Change{}, fmt.Errorf("ask the package index: %w", err)
	}
	coming, err := h.news(ctx, read)
	if err != nil {
		return Change{}, err
	}
	for _, name := range coming {
		if _, ok := candidates[name]; !ok {
			candidates[name] = knownThen
		}
	}
	todo = wanting(choose(todo, installed, candidates), installed)
	lost, spared := absent(todo, candidates, installed)
	if len(lost) > 0 {
		if time.Since(read) > indexTrust {
			return p.unknown(todo, "after the package index is read again, which is a day old"), nil
		}
		if slices.ContainsFunc(localSources, func(file string) bool { return exists(h, file) }) {
			return p.unknown(todo, "after the package index is read again, as the deployment's repository may have it by then"), nil
		}
		return Change{}, advise(ctx, h, lost)
	}
	c := difference(without(todo, spared), candidates, installed)
	if c.Action == None {
		return Change{Skipped: leftOut(spared)}, nil
	}
	c.Note = leftOut(spared)
	return c, nil
}

// difference is what installing todo changes.
func difference(todo []PackageItem, candidates, installed map[string]string) Change {
	var c Change
	for _, item := range todo {
		version := candidates[item.Name]
		if item.Version != "" {
			version = item.Version
		}
		c.Differs(item.Name, installed[item.Name], version)
		if candidates[item.Name] == knownThen {
			c.Unknown = afterIndex
		}
	}
	if c.Action != None {
		c.Action, c.Reason = Create, "not installed"
		if !slices.ContainsFunc(c.Attrs, func(a Attr) bool { return a.Old == "" }) {
			c.Action, c.Reason = Update, "another version is wanted"
		}
	}
	return c
}

// Apply installs what is missing. When the index turns out to be stale it is
// read again, once.
func (p *Packages) Apply(ctx context.Context, h *Host) error {
	todo, installed, err := p.missing(h)
	if err != nil || len(todo) == 0 {
		return err
	}
	refreshed := false
	refresh := func(why string) error {
		refreshed = true
		h.Control.Log(ctx, "reading the package index: "+why)
		return h.Packages.Refresh(ctx)
	}
	read, err := h.Packages.IndexTime()
	if err != nil {
		return err
	}
	if read.IsZero() {
		if err := refresh("it was not read since the repositories were configured"); err != nil {
			return err
		}
	}
	coming, err := h.news(ctx, read)
	if err != nil {
		return err
	}
	for {
		candidates, err := h.Packages.Candidates(ctx, undecided(todo, installed)...)
		if err != nil {
			return fmt.Errorf("ask the package index: %w", err)
		}
		todo := wanting(choose(todo, installed, candidates), installed)
		lost, spared := absent(todo, candidates, installed)
		if len(lost) > 0 && refreshed {
			return advise(ctx, h, lost)
		}
		if len(lost) > 0 || len(spared) > 0 && !refreshed && (time.Since(read) > indexTrust || len(coming) > 0) {
			if err := refresh("it does not have " + strings.Join(names(append(lost, spared...)), " ")); err != nil {
				return err
			}
			continue
		}
		todo = without(todo, spared)
		if len(todo) == 0 {
			return nil
		}
		err = h.Packages.Install(ctx, specs(todo)...)
		if errors.Is(err, ErrFetch) && !refreshed {
			if err := refresh("it is older than the repository"); err != nil {
				return err
			}
			continue
		}
		if err == nil {
			h.Manifest.SetAdded(true, names(slices.DeleteFunc(todo, func(i PackageItem) bool { return installed[i.Name] != "" }))...)
		}
		return err
	}
}

// missing returns the items that are not installed as wanted, and the versions
// that are installed.
func (p *Packages) missing(h *Host) ([]PackageItem, map[string]string, error) {
	pinned := map[string]PackageItem{}
	for _, item := range p.Items {
		if other, ok := pinned[item.Name]; ok && other.Version != item.Version {
			return nil, nil, fmt.Errorf("package %s is wanted in two versions: %s%s and %s%s", item.Name,
				other.Version, by(other), item.Version, by(item))
		}
		pinned[item.Name] = item
	}
	installed, err := h.Packages.Installed(allNames(p.Items)...)
	if err != nil {
		return nil, nil, fmt.Errorf("list the installed packages: %w", err)
	}
	return wanting(p.Items, installed), installed, nil
}

// wanting returns the items that are not installed as wanted.
func wanting(items []PackageItem, installed map[string]string) []PackageItem {
	var todo []PackageItem
	for _, item := range items {
		have, ok := installed[item.Name]
		if !ok || item.Latest || !satisfies(have, item.Version) {
			todo = append(todo, item)
		}
	}
	return todo
}

func (p *Packages) unknown(todo []PackageItem, when string) Change {
	c := Change{Action: Create, Reason: "not installed", Unknown: when}
	for _, item := range todo {
		version := item.Version
		if version == "" {
			version = knownThen
		}
		c.Attrs = append(c.Attrs, Attr{Name: item.Name, New: version})
	}
	return c
}

// satisfies reports whether the installed version have is what want asks for.
func satisfies(have, want string) bool {
	if want == "" || have == want {
		return true
	}
	if _, v, ok := strings.Cut(have, ":"); ok && !strings.Contains(want, ":") {
		have = v // an epoch that nobody writes
	}
	rest, ok := strings.CutPrefix(have, want)
	return ok && (rest == "" || strings.ContainsAny(rest[:1], ".-+~"))
}

func names(items []PackageItem) []string {
	out := make([]string, len(items))
	for i, item := range items {
		out[i] = item.Name
	}
	return out
}

// specs are what PackageManager.Install takes: a name, or name=version.
func specs(items []PackageItem) []string {
	out := names(items)
	for i, item := range items {
		if item.Version != "" {
			out[i] += "=" + item.Version
		}
	}
	return out
}

// repositoryKeys are the keys of resources that configure repositories.
func repositoryKeys() []string {
	var out []string
	for _, p := range repositoryPaths {
		out = append(out, "file "+p, "absent "+p, "prune "+p, "aside "+p, "aside "+strings.TrimSuffix(p, "/"))
	}
	return append(out, "file /usr/share/keyrings/", "file /etc/pki/rpm-gpg/")
}
