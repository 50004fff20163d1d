package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// record is what host.json keeps of a host.
type record struct {
	Name string     `json:"name"`
	Addr netip.Addr `json:"address"`
	OS   string     `json:"os"`
	Base string     `json:"base"`                   // name of the base image that the disk is a layer over
	With string     `json:"preinstalled,omitempty"` // name of the layer of packages between the two, if any
}

func (s *Sandbox) hostDir(name string) string { return filepath.Join(s.dir, "hosts", name) }

// records reads every host.json. A host directory without one is what a crash left of a host that never
// ran or was half removed; it is reported with the address that its name implies, so that Down clears it.
func (s *Sandbox) records() ([]record, error) {
	dirs, err := os.ReadDir(filepath.Join(s.dir, "hosts"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, errRoot
	}
	if err != nil {
		return nil, fmt.Errorf("listing sandbox hosts: %w", err)
	}
	var recs []record
	for _, d := range dirs {
		var r record
		b, err := os.ReadFile(filepath.Join(s.hostDir(d.Name()), "host.json"))
		if err != nil || json.Unmarshal(b, &r) != nil || r.Name != d.Name() || !s.subnet.Contains(r.Addr) {
			a, ok := s.addrOf(d.Name())
			if !ok {
				continue
			}
			r = record{Name: d.Name(), Addr: a}
		}
		recs = append(recs, r)
	}
	slices.SortFunc(recs, func(a, b record) int { return a.Addr.Compare(b.Addr) })
	return recs, nil
}

// addrOf reverses nameOf.
func (s *Sandbox) addrOf(name string) (netip.Addr, bool) {
	rest, ok := strings.CutPrefix(name, "node-")
	o := s.subnet.Addr().As4()
	third, fourth, two := strings.Cut(rest, "-")
	if !two {
		third, fourth = strconv.Itoa(int(o[2])), rest
	}
	a, err := netip.ParseAddr(fmt.Sprintf("%d.%d.%s.%s", o[0], o[1], third, fourth))
	return a, ok && err == nil && s.subnet.Contains(a) && s.nameOf(a) == name
}

// saveSettings records what later commands need to find this sandbox by its directory alone.
func (s *Sandbox) saveSettings() error {
	return writeJSON(filepath.Join(s.dir, "sandbox.json"), settings{s.bridge, s.subnet, s.images})
}

// writeJSON replaces a file in one step: readers take no lock.
func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(path, append(b, '\n'), 0o600)
}

func replaceFile(path string, b []byte, mode fs.FileMode) error {
	if err := os.WriteFile(path+".new", b, mode); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
