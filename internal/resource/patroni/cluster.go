package patroni

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
)

// Cluster is what GET /cluster says.
type Cluster struct {
	Scope   string   `json:"scope"` // Patroni 3.1 and later
	Members []Member `json:"members"`
	Paused  bool     `json:"pause"`
}

// Member is one member as the cluster sees it.
type Member struct {
	Name           string `json:"name"`
	Role           string `json:"role"`  // leader, standby_leader, replica, sync_standby, quorum_standby
	State          string `json:"state"` // running, streaming, in archive recovery, starting, creating replica, stopped, start failed …
	APIURL         string `json:"api_url"`
	Host           string `json:"host"`
	Port           int    `json:"port"`
	Timeline       int    `json:"timeline"`
	Lag            Lag    `json:"lag"`
	PendingRestart bool   `json:"pending_restart"`
	// PendingRestartReason is since Patroni 4.
	PendingRestartReason map[string]Reason `json:"pending_restart_reason"`
	Tags                 map[string]any    `json:"tags"`
	// Started is Node.Started, "" unless the member itself was asked.
	Started string `json:"postmaster_start_time,omitempty"`
}

// Reason is a setting that waits for a restart.
type Reason struct {
	Old string `json:"old_value"`
	New string `json:"new_value"`
}

// UnmarshalJSON takes values of any type as text.
func (r *Reason) UnmarshalJSON(data []byte) error {
	var raw struct {
		Old any `json:"old_value"`
		New any `json:"new_value"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	r.Old, r.New = text(raw.Old), text(raw.New)
	return nil
}

// Lag is how many bytes of WAL a replica is behind; negative when unknown.
type Lag int64

// UnmarshalJSON reads a number or "unknown".
func (l *Lag) UnmarshalJSON(data []byte) error {
	n, err := strconv.ParseInt(string(bytes.TrimSpace(data)), 10, 64)
	if err != nil {
		n = -1
	}
	*l = Lag(n)
	return nil
}

// Leads reports whether the member is the leader, of a standby cluster too.
func (m Member) Leads() bool {
	return m.Role == "leader" || m.Role == "standby_leader" || m.Role == "master"
}

// Healthy reports whether the member's PostgreSQL runs and, on a replica, replicates.
func (m Member) Healthy() bool {
	switch m.State {
	case "running", "streaming", "in archive recovery":
		return true
	}
	return false
}

// NoFailover reports whether the member must not become leader.
func (m Member) NoFailover() bool {
	if b, ok := m.Tags["nofailover"].(bool); ok && b {
		return true
	}
	p, ok := m.Tags["failover_priority"].(float64)
	return ok && p <= 0
}

// standby reports whether the cluster stands by for another one.
func (c Cluster) standby() bool {
	return slices.ContainsFunc(c.Members, func(m Member) bool { return m.Role == "standby_leader" })
}

// Leader returns the member that leads.
func (c Cluster) Leader() (Member, bool) {
	if i := slices.IndexFunc(c.Members, Member.Leads); i >= 0 {
		return c.Members[i], true
	}
	return Member{}, false
}

// Member returns the member called name.
func (c Cluster) Member(name string) (Member, bool) {
	if i := slices.IndexFunc(c.Members, func(m Member) bool { return m.Name == name }); i >= 0 {
		return c.Members[i], true
	}
	return Member{}, false
}

// Node is what GET /patroni says: the member's view of itself.
type Node struct {
	State                string            `json:"state"` // running, starting, stopped, creating replica …
	Role                 string            `json:"role"`  // primary, master, replica, standby_leader, uninitialized
	ServerVersion        int               `json:"server_version"`
	Timeline             int               `json:"timeline"`
	ReplicationState     string            `json:"replication_state"` // streaming, on a replica
	PendingRestart       bool              `json:"pending_restart"`
	PendingRestartReason map[string]Reason `json:"pending_restart_reason"`
	Started              string            `json:"postmaster_start_time"`
	Unlocked             bool              `json:"cluster_unlocked"` // nobody leads
	Paused               bool              `json:"pause"`
	XLog                 struct {
		Location int64 `json:"location"`          // of the leader
		Received int64 `json:"received_location"` // of a replica
		Replayed int64 `json:"replayed_location"`
	} `json:"xlog"`
	Patroni struct {
		Version string `json:"version"`
		Scope   string `json:"scope"`
		Name    string `json:"name"`
	} `json:"patroni"`
}

func (n Node) leads() bool {
	return n.Role == "primary" || n.Role == "master" || n.Role == "standby_leader"
}

// Cluster asks for the members as the distributed configuration store has them.
func (c *Client) Cluster(ctx context.Context) (Cluster, error) {
	var out Cluster
	err := c.get(ctx, "/cluster", &out)
	return out, err
}

// Node asks the member about itself.
func (c *Client) Node(ctx context.Context) (Node, error) {
	var out Node
	err := c.get(ctx, "/patroni", &out)
	return out, err
}

// Healthy reports whether the member's PostgreSQL is running (GET /health).
func (c *Client) Healthy(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	status, _, err := c.do(ctx, http.MethodGet, "/health", nil)
	return status == http.StatusOK, err
}

// Leader returns the cluster's leader as the member at api sees it.
func (c *Client) Leader(ctx context.Context) (Member, error) {
	cluster, err := c.Cluster(ctx)
	if err != nil {
		return Member{}, err
	}
	if m, ok := cluster.Leader(); ok {
		return m, nil
	}
	return Member{}, ErrNoLeader
}

// ErrNoLeader is a cluster that nobody leads at the moment.
var ErrNoLeader = errors.New("the cluster has no leader")
