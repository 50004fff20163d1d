package resource

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"
)

// Host is what a resource sees of the host it belongs to. The agent fills it
// with the real thing, tests with the fake of package resourcetest.
type Host struct {
	Files    Files
	Units    Units
	Packages PackageManager
	Accounts Accounts
	Commands Commands
	Network  Network
	Control  Control
	Manifest *Manifest
	Facts    Facts
	Session  *Session // nil where no SSH connection is in between

	mu      sync.Mutex
	pending map[string]Change
	states  map[string]*state
	wanted  *Packages // see Want
}

type state struct {
	once  sync.Once
	value any
	err   error
}

// Pending returns the change that this pass found for the resource with key.
// It lets a unit see that a file it must be reloaded for is about to change.
func (h *Host) Pending(key string) (Change, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, ok := h.pending[key]
	return c, ok && !c.Empty()
}

// SetPending records the change found for key.
func (h *Host) SetPending(key string, c Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pending == nil {
		h.pending = map[string]Change{}
	}
	h.pending[key] = c
}

// pendingPath names a path that a pending change of this pass writes or
// removes: prefix itself, or one below it when prefix ends in "/".
func (h *Host) pendingPath(prefix string) (string, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	best := ""
	for key, c := range h.pending {
		if c.Empty() {
			continue
		}
		paths := c.Paths
		if p, ok := strings.CutPrefix(key, "file "); ok {
			paths = append(slices.Clip(paths), p)
		}
		for _, p := range paths {
			if within(p, prefix) && (best == "" || p < best) {
				best = p // the first by name, so that plans read the same each time
			}
		}
	}
	return best, best != ""
}

// goes reports whether a pending change of this pass removes path.
func (h *Host) goes(path string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.pending {
		if c.Action == Remove && slices.Contains(c.Paths, path) {
			return true
		}
	}
	return false
}

// pendingKind reports whether a resource whose key begins with prefix is about to change.
func (h *Host) pendingKind(prefix string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for key, c := range h.pending {
		if strings.HasPrefix(key, prefix) && !c.Empty() {
			return true
		}
	}
	return false
}

func within(p, prefix string) bool {
	return p == strings.TrimSuffix(prefix, "/") || strings.HasSuffix(prefix, "/") && strings.HasPrefix(p, prefix)
}

// State returns the value that open made for name, calling open the first time
// only: a connection or a snapshot that several resources share. Concurrent
// callers wait for the one that opens.
func (h *Host) State(name string, open func() (any, error)) (any, error) {
	h.mu.Lock()
	if h.states == nil {
		h.states = map[string]*state{}
	}
	s := h.states[name]
	if s == nil {
		s = &state{}
		h.states[name] = s
	}
	h.mu.Unlock()
	s.once.Do(func() { s.value, s.err = open() })
	return s.value, s.err
}

// Forget drops the state under name, closing it if it is an io.Closer, so that
// the next State opens it anew.
func (h *Host) Forget(name string) {
	h.mu.Lock()
	s := h.states[name]
	delete(h.states, name)
	h.mu.Unlock()
	if s == nil {
		return
	}
	if c, ok := s.value.(io.Closer); ok && s.err == nil {
		_ = c.Close()
	}
}

// Close drops every state.
func (h *Host) Close() {
	h.mu.Lock()
	names := make([]string, 0, len(h.states))
	for n := range h.states {
		names = append(names, n)
	}
	h.mu.Unlock()
	for _, n := range names {
		h.Forget(n)
	}
}

// Files is the host's file system. Paths are absolute. Errors satisfy
// errors.Is with fs.ErrNotExist and friends.
type Files interface {
	Stat(path string) (FileInfo, error) // does not follow a final symbolic link
	Read(path string) ([]byte, error)
	List(dir string) ([]string, error) // names, sorted
	// Write replaces path atomically: temporary file in the same directory,
	// fsync, rename. Nobody ever sees half of it or a wider mode.
	Write(path string, data []byte, mode fs.FileMode, owner Owner) error
	Mkdir(path string, mode fs.FileMode, owner Owner) error // with its missing parents, those root 0755
	Link(path, target string) error                         // symbolic, atomic, replaces another link
	Chmod(path string, mode fs.FileMode) error
	Chown(path string, owner Owner) error
	Remove(path string) error    // a file, link or empty directory; absent is no error
	RemoveAll(path string) error // a tree; absent is no error
}

// FileInfo is what Files.Stat returns.
type FileInfo struct {
	Mode   fs.FileMode // type and permission bits
	Owner  Owner
	Size   int64
	Target string // of a symbolic link
	MTime  time.Time
}

// Owner names a file's user and group; empty means root.
type Owner struct{ User, Group string }

// Units is the host's service manager. Unit names carry their suffix:
// "patroni.service".
type Units interface {
	Show(ctx context.Context, name string) (UnitState, error)
	Start(ctx context.Context, name string) error
	Stop(ctx context.Context, name string) error
	Restart(ctx context.Context, name string) error
	Reload(ctx context.Context, name string) error
	Enable(ctx context.Context, name string) error
	Disable(ctx context.Context, name string) error
	// DaemonReload has systemd read its unit files anew.
	DaemonReload(ctx context.Context) error
	// ReadLinks has systemd read what Enable and Disable linked, which takes
	// effect at the next boot anyway: once, when all is done.
	ReadLinks(ctx context.Context) error
	// Journal returns the unit's last n log lines.
	Journal(ctx context.Context, name string, n int) string
}

// UnitState is what Units.Show returns. A unit that does not exist has Load "not-found".
type UnitState struct {
	Load       string // loaded, not-found, masked, error
	Active     string // active, inactive, failed, activating, reloading, deactivating
	Enabled    bool
	Stale      bool      // its files changed since systemd read them
	Since      time.Time // when this activation began, zero if it is not active
	Invocation string    // systemd's id of this activation
	Static     bool      // can be neither enabled nor disabled; Enabled is then true
	MainPID    int
}

// PackageManager installs software in one transaction at a time.
type PackageManager interface {
	// Installed returns the version of each of names that is installed.
	Installed(names ...string) (map[string]string, error)
	// Candidates returns the version that the configured repositories offer
	// for each of names; a name that they do not have is absent.
	Candidates(ctx context.Context, names ...string) (map[string]string, error)
	// Search returns the names in the repositories that match a glob, for advice.
	Search(ctx context.Context, glob string) ([]string, error)
	// IndexTime returns when the index was last read from the repositories as
	// they are configured now; zero if it was not.
	IndexTime() (time.Time, error)
	// Refresh reads the repositories' indexes anew.
	Refresh(ctx context.Context) error
	// Install installs names, never starting services and never recommending
	// more. A name may carry a version, or the beginning of one, after "=". The
	// error wraps ErrFetch when a file that the index promises is not to be had.
	Install(ctx context.Context, names ...string) error
	Remove(ctx context.Context, names ...string) error
}

// Accounts are the host's users and groups.
type Accounts interface {
	User(name string) (Account, bool, error)
	Group(name string) (gid int, ok bool, err error)
	AddGroup(ctx context.Context, name string, gid int, system bool) error // gid 0: any
	AddUser(ctx context.Context, a Account) error
	ModifyUser(ctx context.Context, a Account) error
	RemoveUser(ctx context.Context, name string) error
}

// Account is a user of the host.
type Account struct {
	Name   string
	UID    int // 0: any, except for root
	Group  string
	Groups []string // supplementary
	Home   string
	Shell  string
	System bool
}

// Commands runs programs, for what has no better interface.
type Commands interface {
	Run(ctx context.Context, c Command) ([]byte, error) // stdout; the error is a *CommandError
	Look(name string) (path string, ok bool)
}

// Command is a program to run. Secrets go to Stdin or a file, never to Args or Env.
type Command struct {
	Args  []string
	Stdin []byte
	Env   []string // added to a minimal environment with LC_ALL=C
	User  string   // empty: root
	Dir   string
}

// Network is what can be heard in the networks that the host is in.
type Network interface {
	// Routers listens on the named interface for patience and returns the
	// virtual routers that others announce there over IPv4, each once.
	Routers(ctx context.Context, name string, patience time.Duration) ([]VirtualRouter, error)
}

// Control is the side that the agent was started from.
type Control interface {
	// Blob returns the content with the given SHA-256 in hex.
	Blob(ctx context.Context, hash string) ([]byte, error)
	// Sign returns the certificate in PEM that the deployment's CA issues for
	// the public key (PKIX, DER) of the Cert resource with the given key, which the
	// control side checks is part of this host's plan.
	Sign(ctx context.Context, key string, publicKey []byte) ([]byte, error)
	// Ping returns when the control side has answered and connected to the host
	// once more: the connection works, and so do new ones.
	Ping(ctx context.Context) error
	// Log shows a line of progress under the step that runs.
	Log(ctx context.Context, line string)
}

// Facts are what a host is, gathered by the agent before anything else.
type Facts struct {
	Hostname  string            `json:"hostname"`
	OS        string            `json:"os"`       // ID of os-release: debian, ubuntu, rocky …
	Version   string            `json:"version"`  // VERSION_ID: 13, 24.04, 9.5
	Codename  string            `json:"codename"` // trixie; el9 on rpm systems
	Family    string            `json:"family"`   // deb or rpm
	Arch      string            `json:"arch"`     // x86_64 or aarch64
	CPUs      int               `json:"cpus"`
	Memory    int64             `json:"memory"`              // bytes
	PageSize  int               `json:"page_size"`           // bytes
	Mounts    map[string]int64  `json:"mounts"`              // mount point → bytes of its file system
	Addresses map[string]string `json:"addresses"`           // CIDR such as 10.10.10.11/24 → interface
	Container string            `json:"container,omitempty"` // systemd-nspawn, lxc, docker …; empty on a machine
	User      string            `json:"user"`                // who connected
	Home      string            `json:"home,omitempty"`      // that user's home
	Group     string            `json:"group,omitempty"`     // that user's first group
	Systemd   bool              `json:"systemd"`             // PID 1 is systemd
	MaxFiles  int               `json:"max_files"`           // the most open files that a unit may ask for
	OOMAdjust bool              `json:"oom_adjust"`          // units may lower OOMScoreAdjust
	DNS       []string          `json:"dns,omitempty"`       // name servers in use
	Resolved  bool              `json:"resolved,omitempty"`  // systemd-resolved is asked, which asks those
	Units     []string          `json:"units,omitempty"`     // units that runs started here and did not remove, sorted
}

// ErrNotLeader is returned by a resource of a cluster's leader when the host
// it runs on is not, or no longer, the leader. The engine looks for the leader again.
var ErrNotLeader = errors.New("this host is not the cluster's leader")

// PromotionKey is the key of the resource that makes a cluster lead that so far
// followed another one. While its change is pending no member leads yet, and
// what belongs to the leader is known after it.
const PromotionKey = "patroni standby"
