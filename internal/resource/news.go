package resource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"time"
)

// RepositoryLock is the name of the file, in the directory of the deployment's
// repository, that lists the packages which are there.
const RepositoryLock = "repo.lock"

const (
	newsState    = "news of the deployment's repository"
	newsPatience = 2 * time.Second // what the repository may take to answer
	newsLimit    = 16 << 20        // bytes of the list; 1,000 packages take 250 kB

	afterIndex = "after the package index is read"
)

// localSources are there on hosts that install from the deployment's own
// repository, which may be built anew in the same run.
var localSources = []string{"/etc/apt/sources.list.d/local.list", "/etc/yum.repos.d/local.repo"}

// sourceURL matches the first URL of a list of sources for apt or dnf.
var sourceURL = regexp.MustCompile(`(?m)^[^#\n]*?((?:https?|file)://\S+)`)

// Want says what the steps of the pass that begins install, nil for nothing.
func (h *Host) Want(p *Packages) {
	h.Forget(newsState)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wanted = p
}

// stock is what the deployment's repository has of the packages that a host lacks.
type stock struct {
	built time.Time // by this host's clock
	names []string
}

// news returns which of the packages that this pass installs and the index, read
// at the given time, does not offer are in the deployment's own repository by now,
// since it was built after that. A host that lacks nothing does not ask, and one that
// does asks once in a pass; no answer is no news.
//
// What the repository says is not verified. Nothing is taken from it but that
// reading the index, which the package manager verifies, is worthwhile.
func (h *Host) news(ctx context.Context, read time.Time) ([]string, error) {
	v, err := h.State(newsState, func() (any, error) {
		lacking, err := h.lacking(ctx)
		if err != nil || len(lacking) == 0 {
			return stock{}, err
		}
		return h.askRepository(ctx, lacking, read), nil
	})
	if err != nil {
		return nil, err
	}
	if s := v.(stock); s.built.After(read) { // else it was read since
		return s.names, nil
	}
	return nil, nil
}

// lacking returns the names, with alternatives, of what this pass installs and
// neither is installed nor offered.
func (h *Host) lacking(ctx context.Context) ([]string, error) {
	h.mu.Lock()
	wanted := h.wanted
	h.mu.Unlock()
	if wanted == nil {
		return nil, nil
	}
	installed, err := h.Packages.Installed(allNames(wanted.Items)...)
	if err != nil {
		return nil, fmt.Errorf("list the installed packages: %w", err)
	}
	todo := withoutAny(wanted.Items, installed)
	if len(todo) == 0 {
		return nil, nil
	}
	candidates, err := h.Packages.Candidates(ctx, allNames(todo)...)
	if err != nil {
		return nil, fmt.Errorf("ask the package index: %w", err)
	}
	return allNames(withoutAny(todo, candidates)), nil
}

// withoutAny returns the items of which none of the names is among found.
func withoutAny(items []PackageItem, found map[string]string) []PackageItem {
	return slices.DeleteFunc(slices.Clone(items), func(item PackageItem) bool {
		return slices.ContainsFunc(item.alternatives(), func(name string) bool { _, ok := found[name]; return ok })
	})
}

// askRepository returns which of names the deployment's repository has, if this
// host has one that was built after the given time and answers.
func (h *Host) askRepository(ctx context.Context, names []string, since time.Time) stock {
	at := h.ownRepository()
	if at == nil {
		return stock{}
	}
	text, built, err := h.repositoryList(ctx, at, since)
	if err != nil || text == nil {
		return stock{}
	}
	var list struct {
		Packages []struct{ Name, Version string }
	}
	if json.Unmarshal(text, &list) != nil {
		return stock{}
	}
	has := map[string]bool{}
	for _, p := range list.Packages {
		has[p.Name] = has[p.Name] || p.Version != "" // else it is a file that is no package
	}
	return stock{built, slices.DeleteFunc(names, func(name string) bool { return !has[name] })}
}

// ownRepository returns where this host has the deployment's repository, nil if
// it is not configured to install from one.
func (h *Host) ownRepository() *url.URL {
	for _, file := range localSources {
		text, err := h.Files.Read(file)
		if err != nil {
			continue
		}
		if m := sourceURL.FindSubmatch(text); m != nil {
			if u, err := url.Parse(string(m[1])); err == nil {
				return u
			}
		}
	}
	return nil
}

// repositoryList returns the list of packages of the repository at u and when it
// was put there, by this host's clock; no list if that was not after the given time.
func (h *Host) repositoryList(ctx context.Context, u *url.URL, since time.Time) (text []byte, built time.Time, err error) {
	if u.Scheme == "file" {
		list := path.Join(u.Path, RepositoryLock)
		info, err := h.Files.Stat(list)
		if err != nil || !info.MTime.After(since) {
			return nil, info.MTime, err
		}
		text, err = h.Files.Read(list)
		return text, info.MTime, err
	}
	ctx, cancel := context.WithTimeout(ctx, newsPatience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.JoinPath(RepositoryLock).String(), nil)
	if err != nil {
		return nil, built, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // within a deployment no proxy is asked
	answer, err := client.Do(request)
	if err != nil {
		return nil, built, err
	}
	defer answer.Body.Close()
	changed, errChanged := http.ParseTime(answer.Header.Get("Last-Modified"))
	now, errNow := http.ParseTime(answer.Header.Get("Date"))
	if err := errors.Join(errChanged, errNow); err != nil || answer.StatusCode != http.StatusOK {
		return nil, built, err
	}
	built = time.Now().Add(time.Second - now.Sub(changed)) // at the latest: dates are in whole seconds
	if !built.After(since) {
		return nil, built, nil
	}
	text, err = io.ReadAll(io.LimitReader(answer.Body, newsLimit))
	return text, built, err
}
