package etcd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Peer is a member as the cluster lists it. A member that was added and has
// not started yet has no name.
type Peer struct {
	ID         string   `json:"ID"` // decimal, 64 bits
	Name       string   `json:"name"`
	PeerURLs   []string `json:"peerURLs"`
	ClientURLs []string `json:"clientURLs"`
	Learner    bool     `json:"isLearner"`
}

// Status is what one member says of itself.
type Status struct {
	Header struct {
		MemberID string `json:"member_id"`
	} `json:"header"`
	Version string   `json:"version"`
	DBSize  string   `json:"dbSize"` // bytes
	Leader  string   `json:"leader"` // ID; "" or "0" is none
	Term    string   `json:"raftTerm"`
	Learner bool     `json:"isLearner"`
	Errors  []string `json:"errors"` // alarms: NOSPACE …
}

type empty struct{}

// Members lists the members.
func (c *Client) Members(ctx context.Context) ([]Peer, error) {
	var out struct{ Members []Peer }
	err := c.call(ctx, "/v3/cluster/member/list", empty{}, &out)
	return out.Members, err
}

// AddLearner adds a member that does not vote yet, and returns the members with it.
func (c *Client) AddLearner(ctx context.Context, peerURL string) ([]Peer, error) {
	var out struct{ Members []Peer }
	err := c.call(ctx, "/v3/cluster/member/add", map[string]any{"peerURLs": []string{peerURL}, "isLearner": true}, &out)
	return out.Members, err
}

// Promote makes a learner a voting member, once it has caught up. It asks the
// leader: another member hands the request on without who is asking, and where
// authentication is on repeats that until its time is over.
func (c *Client) Promote(ctx context.Context, id string) error {
	return c.atLeader(ctx).call(ctx, "/v3/cluster/member/promote", map[string]any{"ID": id}, &empty{})
}

// atLeader returns a client that asks only the leader, if it is known.
func (c *Client) atLeader(ctx context.Context) *Client {
	status, err := c.Status(ctx)
	if err != nil {
		return c
	}
	peers, err := c.Members(ctx)
	if err != nil {
		return c
	}
	for _, p := range peers {
		if p.ID == status.Leader && len(p.ClientURLs) > 0 {
			return c.at(p.ClientURLs...)
		}
	}
	return c
}

// Remove removes a member.
func (c *Client) Remove(ctx context.Context, id string) error {
	return c.call(ctx, "/v3/cluster/member/remove", map[string]any{"ID": id}, &empty{})
}

// MoveLeader makes the member with id the leader. The client must be at the
// leader's endpoint.
func (c *Client) MoveLeader(ctx context.Context, id string) error {
	return c.call(ctx, "/v3/maintenance/transfer-leadership", map[string]any{"targetID": id}, &empty{})
}

// Status asks the first endpoint that answers about itself.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var out Status
	err := c.call(ctx, "/v3/maintenance/status", empty{}, &out)
	return out, err
}

// Healthy asks one endpoint whether it can serve: it has a leader, agreed with a
// quorum just now, and has no alarm. why says what is wrong otherwise.
func (c *Client) Healthy(ctx context.Context, endpoint string) (ok bool, why string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(endpoint, "/")+"/health", nil)
	if err != nil {
		return false, err.Error()
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return false, err.Error()
	}
	defer resp.Body.Close()
	var out struct{ Health, Reason string }
	data, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if json.Unmarshal(data, &out) == nil && out.Health == "true" {
		return true, ""
	}
	if out.Reason == "" {
		out.Reason = fmt.Sprintf("status %d", resp.StatusCode)
	}
	return false, endpoint + " is not healthy: " + out.Reason
}
