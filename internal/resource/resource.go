// Package resource holds the pieces that a host's desired state is made of: a
// file, a set of packages, a systemd unit, a certificate, a database role.
//
// A resource is a plain struct of desired state. It knows nothing of
// inventories or of other hosts; the engine owns order, retries, concurrency
// and logging. Resources travel to the agent as gob, so their fields are
// exported and every type is registered (see Register).
package resource

import (
	"context"
	"encoding/gob"
)

// Resource is one piece of desired state on one host.
type Resource interface {
	// Key names the resource uniquely on its host: a kind, a space, a name,
	// such as "file /etc/haproxy/haproxy.cfg".
	Key() string
	// Diff observes h and says what Apply would change. It never writes.
	// When what it needs cannot be observed yet, it returns a Change with Unknown set.
	Diff(ctx context.Context, h *Host) (Change, error)
	// Apply reaches the desired state and is idempotent. The engine calls it
	// only after a Diff that was not empty.
	Apply(ctx context.Context, h *Host) error
}

// Requirer is a resource that must come after others of the same host when
// those are part of the plan: a file after its directory and its owner.
type Requirer interface {
	// Requires returns keys; a key ending in "/" stands for every key it is a prefix of.
	Requires() []string
}

// Register makes concrete types known to the wire format.
func Register(rs ...Resource) {
	for _, r := range rs {
		gob.Register(r)
	}
}

// Action is what a Change does to a resource.
type Action string

// None leaves the host as it is. Wait changes nothing but takes time: the
// resource is a condition that does not hold yet.
const (
	None    Action = ""
	Create  Action = "create"
	Update  Action = "change"
	Remove  Action = "remove"
	Reload  Action = "reload"
	Restart Action = "restart"
	Run     Action = "run"
	Wait    Action = "wait"
)

// Impact is what people who use the host notice of a Change, mildest first.
type Impact int

// ImpactNone goes unnoticed. ImpactReload re-reads configuration and keeps
// connections. ImpactRestart interrupts one instance. ImpactFailover moves a
// cluster's leader. ImpactDataLoss destroys data and is refused unless asked
// for by name.
const (
	ImpactNone Impact = iota
	ImpactReload
	ImpactRestart
	ImpactFailover
	ImpactDataLoss
)

// String returns "none", "reload", "restart", "failover" or "data loss".
func (i Impact) String() string {
	return [...]string{"none", "reload", "restart", "failover", "data loss"}[i]
}

// MarshalText writes what String returns.
func (i Impact) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// Change is what separates a host from a resource's desired state.
type Change struct {
	Action Action `json:"action,omitempty"`
	Reason string `json:"reason,omitempty"` // "does not exist", "edited by hand since the last apply"
	Attrs  []Attr `json:"attrs,omitempty"`  // what differs, one attribute at a time
	Diff   string `json:"diff,omitempty"`   // unified diff of a text file, secrets masked
	Impact Impact `json:"impact"`

	// Unknown says when the difference can be observed ("after patroni
	// starts"); Diff and Apply run again right then.
	Unknown string `json:"unknown,omitempty"`
	// Skipped says why this host cannot have the resource at all ("a container
	// shares its kernel"); Apply is then not called.
	Skipped string `json:"skipped,omitempty"`
	// Paths are the files that Apply will write or remove, so that what loads
	// them can be planned to reload. Not part of a plan's output.
	Paths []string `json:"-"`
	// Note is worth saying beside the change ("LimitNOFILE lowered to 20000").
	Note string `json:"note,omitempty"`
}

// Attr is one attribute of a resource that differs. Old or New is empty where
// the attribute is absent; secrets appear as secret.Mask.
type Attr struct {
	Name string `json:"name"`
	Old  string `json:"old,omitempty"`
	New  string `json:"new,omitempty"`
}

// Empty reports whether there is nothing to do and nothing to wait for.
func (c Change) Empty() bool { return c.Action == None && c.Unknown == "" }

// Differs adds an attribute if old and new are not the same, and makes c an
// Update unless it is something stronger already.
func (c *Change) Differs(name, old, new string) {
	if old == new {
		return
	}
	c.Attrs = append(c.Attrs, Attr{Name: name, Old: old, New: new})
	if c.Action == None {
		c.Action = Update
		c.Reason = "differs"
	}
}
