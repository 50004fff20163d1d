package resource

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const indexKey = "package index"

// PackageIndex is the host's copy of what its repositories have, read since
// they were last configured, and since the deployment's own was built.
type PackageIndex struct {
	// Built is the URL, http or file, of a file that is as old as the deployment's
	// repository; empty where the host has none.
	Built string
}

const (
	builtLook  = 2 * time.Second // what the repository may take to answer
	builtSlack = 2 * time.Second // what dates in whole seconds may be off by
)

var (
	_ Resource = (*PackageIndex)(nil)
	_ Requirer = (*PackageIndex)(nil)
)

// Key returns "package index".
func (*PackageIndex) Key() string { return indexKey }

// Requires returns what decides which repositories there are.
func (*PackageIndex) Requires() []string { return repositoryKeys() }

// Diff is a Run when the repositories changed or the index was never read. A
// repository that does not answer counts as unchanged.
func (p *PackageIndex) Diff(ctx context.Context, h *Host) (Change, error) {
	for _, prefix := range repositoryPaths {
		if what, ok := h.pendingPath(prefix); ok {
			return Change{Action: Run, Reason: what + " changes"}, nil
		}
	}
	read, err := h.Packages.IndexTime()
	switch {
	case err != nil:
		return Change{}, err
	case read.IsZero():
		return Change{Action: Run, Reason: "not read since the repositories were configured"}, nil
	case p.built(ctx, h).After(read.Add(builtSlack)):
		return Change{Action: Run, Reason: "the deployment's repository was built after it was read"}, nil
	}
	return Change{}, nil
}

// built returns when the deployment's repository was built, by this host's clock;
// zero if there is none or it does not answer.
func (p *PackageIndex) built(ctx context.Context, h *Host) time.Time {
	u, err := url.Parse(p.Built)
	switch {
	case err != nil || p.Built == "":
		return time.Time{}
	case u.Scheme == "file":
		info, err := h.Files.Stat(u.Path)
		if err != nil {
			return time.Time{}
		}
		return info.MTime
	}
	ctx, cancel := context.WithTimeout(ctx, builtLook)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, p.Built, nil)
	if err != nil {
		return time.Time{}
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // within the deployment no proxy is asked
	answer, err := client.Do(request)
	if err != nil {
		return time.Time{}
	}
	answer.Body.Close()
	changed, errChanged := http.ParseTime(answer.Header.Get("Last-Modified"))
	now, errNow := http.ParseTime(answer.Header.Get("Date"))
	if answer.StatusCode != http.StatusOK || errChanged != nil || errNow != nil {
		return time.Time{}
	}
	return time.Now().Add(-now.Sub(changed))
}

// Apply reads the index of every repository.
func (*PackageIndex) Apply(ctx context.Context, h *Host) error { return h.Packages.Refresh(ctx) }

// PackagesAbsent are packages that must not be installed. Their configuration stays.
type PackagesAbsent struct {
	Names  []string
	Impact Impact // of removing them
}

var _ Resource = (*PackagesAbsent)(nil)

// Key returns "packages absent " and the names.
func (p *PackagesAbsent) Key() string { return "packages absent " + strings.Join(p.Names, ",") }

// Diff names the packages that are installed.
func (p *PackagesAbsent) Diff(_ context.Context, h *Host) (Change, error) {
	installed, err := h.Packages.Installed(p.Names...)
	if err != nil || len(installed) == 0 {
		return Change{}, err
	}
	c := Change{Action: Remove, Reason: "no longer wanted", Impact: p.Impact}
	for _, name := range p.Names {
		if version, ok := installed[name]; ok {
			c.Attrs = append(c.Attrs, Attr{Name: name, Old: version})
		}
	}
	return c, nil
}

// Apply removes those that are installed in one transaction.
func (p *PackagesAbsent) Apply(ctx context.Context, h *Host) error {
	installed, err := h.Packages.Installed(p.Names...)
	if err != nil {
		return err
	}
	gone := slices.DeleteFunc(slices.Clone(p.Names), func(n string) bool { _, ok := installed[n]; return !ok })
	if len(gone) == 0 {
		return nil
	}
	return h.Packages.Remove(ctx, gone...)
}
