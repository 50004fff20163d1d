package repo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pigsty/internal/repo/fetch"
	"pigsty/internal/repo/want"
	"pigsty/internal/resource"
)

// LockFile is the name of the lock in a repository's directory.
const LockFile = resource.RepositoryLock

// Lock says what a repository has and where it came from. Hosts look there for
// packages that they lack, and at its date for when the repository was built.
type Lock struct {
	Format    int              `json:"format"` // 1
	System    string           `json:"system"` // "debian 13 x86_64"
	Wants     []string         `json:"wants"`  // what was asked for, sorted
	LeftOut   []string         `json:"left_out,omitempty"`
	Upstreams []LockedUpstream `json:"upstreams"`
	Packages  []Locked         `json:"packages"` // by name and version
}

// LockedUpstream is a state of an upstream repository.
type LockedUpstream struct {
	Name   string `json:"name"`
	Date   string `json:"date,omitempty"`   // of its index
	Digest string `json:"digest,omitempty"` // SHA-256 of its table of contents
	Signer string `json:"signer,omitempty"` // fingerprint of the key that signed that
}

// Locked is a package of a repository.
type Locked struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Arch    string `json:"arch,omitempty"`
	File    string `json:"file"`
	Size    int64  `json:"size"` // bytes
	SHA256  string `json:"sha256"`
	Origin  string `json:"origin"` // name of the upstream
}

// ReadLock returns the lock of the repository in dir, nil if it has none.
func ReadLock(dir string) (*Lock, error) {
	text, err := os.ReadFile(filepath.Join(dir, LockFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	lock, err := parseLock(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, LockFile), err)
	}
	return lock, nil
}

func parseLock(text []byte) (*Lock, error) {
	var l Lock
	if err := json.Unmarshal(text, &l); err != nil {
		return nil, err
	}
	if l.Format != 1 {
		return nil, fmt.Errorf("it is in format %d, which this version does not read", l.Format)
	}
	for _, p := range l.Packages {
		if p.File == "" || filepath.Base(p.File) != p.File || strings.HasPrefix(p.File, ".") {
			return nil, fmt.Errorf("%q is not the name of a package's file", p.File)
		}
	}
	return &l, nil
}

// Bytes writes the lock with one line for each package and upstream, so that
// two of them can be compared by line.
func (l *Lock) Bytes() []byte {
	var b bytes.Buffer
	line := func(v any) string {
		text, _ := json.Marshal(v) // strings and numbers only
		return string(text)
	}
	list := func(name string, n int, at func(int) any, end string) {
		fmt.Fprintf(&b, " %q: [", name)
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString("\n  " + line(at(i)))
		}
		if n > 0 {
			b.WriteString("\n ")
		}
		b.WriteString("]" + end + "\n")
	}
	fmt.Fprintf(&b, "{\n \"format\": %d,\n \"system\": %s,\n", l.Format, line(l.System))
	list("wants", len(l.Wants), func(i int) any { return l.Wants[i] }, ",")
	list("left_out", len(l.LeftOut), func(i int) any { return l.LeftOut[i] }, ",")
	list("upstreams", len(l.Upstreams), func(i int) any { return l.Upstreams[i] }, ",")
	list("packages", len(l.Packages), func(i int) any { return l.Packages[i] }, "")
	b.WriteString("}\n")
	return b.Bytes()
}

// originsIn returns where the lock of the repository in dir says that packages
// came from, by the name of their file.
func originsIn(dir string) (map[string]string, error) {
	lock, err := ReadLock(dir)
	if err != nil || lock == nil {
		return nil, err
	}
	origins := map[string]string{}
	for _, p := range lock.Packages {
		origins[p.File] = p.Origin
	}
	return origins, nil
}

// leftOutBefore reports whether the build of the repository in dir had to do without
// all of wants, too: upstreams were asked for them then.
func leftOutBefore(dir string, wants []want.Package) bool {
	if len(wants) == 0 {
		return true
	}
	lock, err := ReadLock(dir)
	return err == nil && lock != nil && !slices.ContainsFunc(wants, func(w want.Package) bool { return !slices.Contains(lock.LeftOut, w.String()) })
}

// packages returns those that were resolved, without files, those of given among them,
// that are put in as they are.
func (l *Lock) packages(given []File) []Locked {
	var out []Locked
	for _, p := range l.Packages {
		if p.Version != "" && !slices.ContainsFunc(given, func(f File) bool { return f.Name == p.File }) {
			out = append(out, p)
		}
	}
	return out
}

// file returns what l has of a file that is put in as it is; l may be nil.
func (l *Lock) file(f File) (Locked, bool) {
	if l == nil {
		return Locked{}, false
	}
	at := slices.IndexFunc(l.Packages, func(p Locked) bool { return p.File == f.Name && p.Origin == fetch.Shown(f.URL) })
	if at < 0 {
		return Locked{}, false
	}
	return l.Packages[at], true
}

// lacks returns what of wants the lock's build was not asked for.
func (l *Lock) lacks(wants []want.Package) []string {
	var out []string
	for _, w := range wants {
		if !slices.Contains(l.Wants, w.String()) {
			out = append(out, w.String())
		}
	}
	return out
}

// Difference is a package that two locks do not have in the same version.
// Old or New is empty where one does not have it at all.
type Difference struct{ Name, Old, New string }

// Differences compares the packages of two locks by name.
func Differences(old, new []Locked) []Difference {
	versions := func(list []Locked) map[string]string {
		out := map[string]string{}
		for _, p := range list {
			out[p.Name] = strings.TrimPrefix(out[p.Name]+", "+p.Version, ", ")
		}
		return out
	}
	was, is := versions(old), versions(new)
	var out []Difference
	for name, v := range is {
		if was[name] != v {
			out = append(out, Difference{name, was[name], v})
		}
	}
	for name, v := range was {
		if is[name] == "" {
			out = append(out, Difference{name, v, ""})
		}
	}
	slices.SortFunc(out, func(a, b Difference) int { return strings.Compare(a.Name, b.Name) })
	return out
}
