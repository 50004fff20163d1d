package resource

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"sync"
)

// ManifestPath is where a host keeps the list of what is managed there.
const ManifestPath = "/var/lib/pigsty/manifest.json"

// Manifest is the list and hashes of what was applied on a host, kept there.
// It only adds words to a plan ("edited by hand since the last apply") and
// remembers what units have loaded; the truth is always the host, and losing
// the manifest loses no ability to converge.
//
// It is safe for concurrent use. A nil Manifest remembers nothing.
type Manifest struct {
	mu      sync.Mutex
	changed bool
	files   map[string]string
	units   map[string]Loaded
	added   map[string]bool
	former  map[string]string
}

// Loaded is what a unit had read when it was last started or reloaded by us.
type Loaded struct {
	Invocation string            `json:"invocation"`         // of the unit, see UnitState
	Digests    map[string]string `json:"digests"`            // of each trigger: a file, or a tree whose name ends in "/"
	Started    bool              `json:"started,omitempty"`  // it did not run before we came
	Disabled   bool              `json:"disabled,omitempty"` // it did not start at boot before we came
}

// manifest is the file's form.
type manifest struct {
	Version int               `json:"version"`
	Files   map[string]string `json:"files"`
	Units   map[string]Loaded `json:"units"`
	Added   map[string]bool   `json:"packages,omitempty"` // that were not installed before we came
	Former  map[string]string `json:"former,omitempty"`   // settings as they were before we came
}

// LoadManifest reads the host's manifest. One that is missing, or that cannot
// be understood, is an empty one: it is only a memory.
func LoadManifest(files Files) (*Manifest, error) {
	m := &Manifest{}
	data, err := files.Read(ManifestPath)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	var f manifest
	if json.Unmarshal(data, &f) == nil && f.Version == 1 {
		m.files, m.units, m.added, m.former = f.Files, f.Units, f.Added, f.Former
	}
	return m, nil
}

// File returns the SHA-256, in hex, of what was last written to path.
func (m *Manifest) File(path string) (hash string, ok bool) {
	if m == nil {
		return "", false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	hash, ok = m.files[path]
	return hash, ok
}

// SetFile remembers what was written to path.
func (m *Manifest) SetFile(path, hash string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files[path] == hash {
		return
	}
	if m.files == nil {
		m.files = map[string]string{}
	}
	m.files[path], m.changed = hash, true
}

// ForgetFile drops path, and everything below it if it was a directory.
func (m *Manifest) ForgetFile(path string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	before := len(m.files)
	maps.DeleteFunc(m.files, func(p, _ string) bool { return p == path || within(p, path+"/") })
	m.changed = m.changed || len(m.files) != before
}

// Unit returns what the named unit had loaded.
func (m *Manifest) Unit(name string) (Loaded, bool) {
	if m == nil {
		return Loaded{}, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	l, ok := m.units[name]
	return l, ok
}

// Units returns the names of the units of which it is known what they had loaded, sorted.
func (m *Manifest) Units() []string {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.units))
}

// SetUnit remembers what the named unit has loaded.
func (m *Manifest) SetUnit(name string, l Loaded) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if have, ok := m.units[name]; ok && have.Invocation == l.Invocation && have.Started == l.Started && have.Disabled == l.Disabled && maps.Equal(have.Digests, l.Digests) {
		return
	}
	if m.units == nil {
		m.units = map[string]Loaded{}
	}
	m.units[name], m.changed = l, true
}

// ForgetUnit drops the named unit.
func (m *Manifest) ForgetUnit(name string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.units[name]; ok {
		delete(m.units, name)
		m.changed = true
	}
}

// Added reports whether it was us who installed the package called name.
func (m *Manifest) Added(name string) bool {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.added[name]
}

// SetAdded remembers that packages were not installed before we came, or forgets
// it of those that are gone again.
func (m *Manifest) SetAdded(added bool, names ...string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range names {
		switch {
		case m.added[name] == added:
		case added:
			if m.added == nil {
				m.added = map[string]bool{}
			}
			m.added[name], m.changed = true, true
		default:
			delete(m.added, name)
			m.changed = true
		}
	}
}

// Former returns what the setting called name was before we changed it, as far
// as that is known.
func (m *Manifest) Former(name string) (value string, ok bool) {
	if m == nil {
		return "", false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	value, ok = m.former[name]
	return value, ok
}

// SetFormer remembers what the setting called name is before we change it for
// the first time.
func (m *Manifest) SetFormer(name, value string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.former[name]; ok {
		return
	}
	if m.former == nil {
		m.former = map[string]string{}
	}
	m.former[name], m.changed = value, true
}

// ForgetFormer drops the setting called name, which is as it was.
func (m *Manifest) ForgetFormer(name string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.former[name]; ok {
		delete(m.former, name)
		m.changed = true
	}
}

// Save writes the manifest if anything in it changed since it was loaded or
// saved. Only root may read it: the hash of a short secret gives it away.
func (m *Manifest) Save(files Files) error {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.changed {
		return nil
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetIndent("", " ")
	if err := enc.Encode(manifest{Version: 1, Files: m.files, Units: m.units, Added: m.added, Former: m.former}); err != nil {
		return err
	}
	if err := files.Mkdir(path.Dir(ManifestPath), 0o755, Owner{}); err != nil {
		return fmt.Errorf("write the manifest: %w", err)
	}
	if err := files.Write(ManifestPath, buf.Bytes(), 0o600, Owner{}); err != nil {
		return fmt.Errorf("write the manifest: %w", err)
	}
	m.changed = false
	return nil
}
