// Package resourcetest is a host in memory, for tests of resources, and the
// table of cases that it and a real host must both pass (RunContract).
package resourcetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"pigsty/internal/resource"
)

// Host is a fake host. Its parts are exported so that tests can set the scene
// and see what was done.
type Host struct {
	*resource.Host
	Disk    *Disk
	Systemd *Systemd
	Apt     *Apt
	People  *People
	Shell   *Shell
	Wire    *Wire
	Master  *Master
}

// New returns a fresh Debian host with the directories that every host has.
func New() *Host {
	disk := NewDisk()
	h := &Host{
		Disk: disk, Systemd: &Systemd{units: map[string]*unit{}, disk: disk}, Apt: NewApt(),
		People: &People{users: map[string]resource.Account{}, groups: map[string]int{"root": 0}},
		Shell:  &Shell{}, Wire: &Wire{}, Master: &Master{},
	}
	h.People.users["root"] = resource.Account{Name: "root", Group: "root", Home: "/root", Shell: "/bin/bash"}
	h.Host = &resource.Host{
		Files: disk, Units: h.Systemd, Packages: h.Apt, Accounts: h.People, Commands: h.Shell, Network: h.Wire, Control: h.Master,
		Manifest: &resource.Manifest{},
		Facts:    resource.Facts{Hostname: "node-1", OS: "debian", Version: "13", Codename: "trixie", Family: "deb", Systemd: true},
	}
	return h
}

// Converge applies r if its Diff is not empty, as the engine does, and returns
// that Diff and the one after.
func (h *Host) Converge(ctx context.Context, r resource.Resource) (before, after resource.Change, err error) {
	before, err = r.Diff(ctx, h.Host)
	if err != nil || before.Empty() || before.Skipped != "" {
		return before, resource.Change{}, err
	}
	if err := r.Apply(ctx, h.Host); err != nil {
		return before, resource.Change{}, err
	}
	after, err = r.Diff(ctx, h.Host)
	return before, after, err
}

// Master is the control side.
type Master struct {
	// Signer issues certificates; nil refuses.
	Signer func(key string, publicKey []byte) ([]byte, error)
	// Deaf makes Ping fail while it returns true; nil never does.
	Deaf func() bool

	mu      sync.Mutex
	blobs   map[string][]byte
	fetched int
	lines   []string
}

var _ resource.Control = (*Master)(nil)

// Offer makes content available to Blob and returns its hash.
func (m *Master) Offer(content []byte) string {
	sum := sha256.Sum256(content)
	hash := hex.EncodeToString(sum[:])
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.blobs == nil {
		m.blobs = map[string][]byte{}
	}
	m.blobs[hash] = content
	return hash
}

// Fetched returns how many times content was asked for.
func (m *Master) Fetched() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fetched
}

// Lines returns what was logged.
func (m *Master) Lines() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lines
}

// Blob returns what was offered.
func (m *Master) Blob(_ context.Context, hash string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fetched++
	data, ok := m.blobs[hash]
	if !ok {
		return nil, fmt.Errorf("nobody offered %s", hash)
	}
	return data, nil
}

// Sign asks Signer.
func (m *Master) Sign(_ context.Context, key string, publicKey []byte) ([]byte, error) {
	if m.Signer == nil {
		return nil, errors.New("no CA here")
	}
	return m.Signer(key, publicKey)
}

// Ping answers unless Deaf.
func (m *Master) Ping(context.Context) error {
	if m.Deaf != nil && m.Deaf() {
		return context.DeadlineExceeded
	}
	return nil
}

// Log keeps the line.
func (m *Master) Log(_ context.Context, line string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lines = append(m.lines, line)
}

// Shell answers commands from a script.
type Shell struct {
	// Answer runs instead of the program; nil succeeds with no output.
	Answer func(c resource.Command) ([]byte, error)
	Absent []string // programs that Look does not find

	mu  sync.Mutex
	ran []resource.Command
}

var _ resource.Commands = (*Shell)(nil)

// Ran returns the commands that were run.
func (s *Shell) Ran() []resource.Command {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ran
}

// Run records the command and returns what Answer says.
func (s *Shell) Run(_ context.Context, c resource.Command) ([]byte, error) {
	s.mu.Lock()
	s.ran = append(s.ran, c)
	s.mu.Unlock()
	if s.Answer == nil {
		return nil, nil
	}
	return s.Answer(c)
}

// Look finds every program but the absent ones.
func (s *Shell) Look(name string) (string, bool) {
	for _, a := range s.Absent {
		if a == name {
			return "", false
		}
	}
	return "/usr/bin/" + name, true
}

// Wire is the networks that the host is in.
type Wire struct {
	// Announced are the virtual routers of others by the name of the interface.
	// One that is not there does not exist.
	Announced map[string][]resource.VirtualRouter
}

var _ resource.Network = (*Wire)(nil)

// Routers returns what is Announced at once.
func (w *Wire) Routers(_ context.Context, name string, _ time.Duration) ([]resource.VirtualRouter, error) {
	heard, ok := w.Announced[name]
	if !ok {
		return nil, fmt.Errorf("no such network interface: %s", name)
	}
	return heard, nil
}
