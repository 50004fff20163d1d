package resourcetest

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"pigsty/internal/resource"
)

// Apt is a package manager in memory.
type Apt struct {
	Have   map[string]string // what is installed: name → version
	Index  map[string]string // what the index says
	Remote map[string]string // what the repositories really have; Refresh copies it to Index
	Read   time.Time         // see IndexTime

	mu    sync.Mutex
	calls []string
}

var _ resource.PackageManager = (*Apt)(nil)

// NewApt returns a package manager with nothing installed and a fresh, empty index.
func NewApt() *Apt {
	return &Apt{Have: map[string]string{}, Index: map[string]string{}, Remote: map[string]string{}, Read: time.Now()}
}

// Calls returns what was done since the last call, such as "install etcd".
func (a *Apt) Calls() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := a.calls
	a.calls = nil
	return out
}

func pick(from map[string]string, names []string) map[string]string {
	out := map[string]string{}
	for _, n := range names {
		if v, ok := from[n]; ok {
			out[n] = v
		}
	}
	return out
}

// Installed implements resource.PackageManager.
func (a *Apt) Installed(names ...string) (map[string]string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return pick(a.Have, names), nil
}

// Candidates implements resource.PackageManager.
func (a *Apt) Candidates(_ context.Context, names ...string) (map[string]string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return pick(a.Index, names), nil
}

// Search implements resource.PackageManager.
func (a *Apt) Search(_ context.Context, glob string) ([]string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []string
	for n := range a.Index {
		if ok, _ := path.Match(glob, n); ok {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out, nil
}

// IndexTime implements resource.PackageManager.
func (a *Apt) IndexTime() (time.Time, error) { return a.Read, nil }

// Refresh implements resource.PackageManager.
func (a *Apt) Refresh(context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, "refresh")
	a.Read = time.Now()
	for n, v := range a.Remote {
		a.Index[n] = v
	}
	return nil
}

// Install implements resource.PackageManager. A version that the repositories
// have no longer cannot be fetched.
func (a *Apt) Install(_ context.Context, specs ...string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, "install "+strings.Join(specs, " "))
	for _, spec := range specs {
		name, _, _ := strings.Cut(spec, "=")
		version, ok := a.Index[name]
		if !ok {
			return fmt.Errorf("unable to locate package %s", name)
		}
		if now, ok := a.Remote[name]; ok && now != version {
			return fmt.Errorf("%w: %s %s: 404", resource.ErrFetch, name, version)
		}
		a.Have[name] = version
	}
	return nil
}

// Remove implements resource.PackageManager.
func (a *Apt) Remove(_ context.Context, names ...string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, "remove "+strings.Join(names, " "))
	for _, n := range names {
		delete(a.Have, n)
	}
	return nil
}
