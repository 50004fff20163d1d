package patroni

import (
	"context"
	"fmt"
	"time"

	"pigsty/internal/resource"
)

// logger returns what shows progress under the step that runs on h.
func logger(ctx context.Context, h *resource.Host) func(format string, args ...any) {
	return func(format string, args ...any) {
		if h.Control != nil {
			h.Control.Log(ctx, fmt.Sprintf(format, args...))
		}
	}
}

// comeback waits for members that were disturbed.
type comeback struct {
	client  *Client
	timeout time.Duration
	maxLag  int64 // bytes that a replica may be behind and still count as back
	log     func(format string, args ...any)
	standby bool // the cluster stands by for another one
}

// replay waits until a replica has replayed the WAL up to location. Until it
// has seen there that its leader's settings shrank, Patroni starts it with the
// old ones, and the restart would be in vain.
func (b comeback) replay(ctx context.Context, m Member, location int64) error {
	for deadline := time.Now().Add(b.timeout); ; {
		node, err := b.client.At(m.APIURL).Node(ctx)
		if err == nil && node.XLog.Replayed >= location {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("member %s has not caught up with the leader after %s", m.Name, b.timeout)
		}
		if err := pause(ctx, 300*time.Millisecond); err != nil {
			return err
		}
	}
}

// member waits until the cluster has a leader, the member runs (and if it is a
// replica, or has to be one, replicates and is hardly behind), and done holds.
// Whether it still waits for a restart is the member's own word: what the
// cluster knows of it may be older than the restart.
func (b comeback) member(ctx context.Context, name string, replica bool, done func(Member) bool) (Member, error) {
	deadline, last, said := time.Now().Add(b.timeout), "unknown", ""
	for {
		cluster, err := b.client.Cluster(ctx)
		if err == nil {
			m, ok := cluster.Member(name)
			_, led := cluster.Leader()
			near := m.Leads() || m.Lag >= 0 && int64(m.Lag) <= b.maxLag
			if ok && led && m.Healthy() && near && !(replica && m.Leads()) {
				node, err := b.client.At(m.APIURL).Node(ctx)
				m.PendingRestart, m.Started = node.PendingRestart, node.Started
				if err == nil && node.State == "running" && node.leads() == m.Leads() && done(m) {
					return m, nil
				}
			}
			last = m.condition()
			if !led {
				last += ", and nobody leads"
			}
		} else {
			last = err.Error()
		}
		if time.Now().After(deadline) {
			return Member{}, fmt.Errorf("member %s is not back after %s: %s", name, b.timeout, last)
		}
		if last != said {
			said = last
			b.log("waiting for %s: %s", name, last)
		}
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return Member{}, err
		}
	}
}

// condition says how the member is, for people who wait for it.
func (m Member) condition() string {
	text := fmt.Sprintf("%s, %s", orUnknown(m.Role), orUnknown(m.State))
	if !m.Leads() && m.Lag > 0 {
		text += fmt.Sprintf(", %d bytes behind", m.Lag)
	}
	if m.PendingRestart {
		text += ", waiting for a restart"
	}
	return text
}
