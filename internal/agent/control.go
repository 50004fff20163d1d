package agent

import (
	"context"
	"errors"
	"sync"

	"pigsty/internal/resource"
)

// control is the control side as the resources on the host see it.
type control struct {
	conn *conn

	mu      sync.Mutex
	seq     uint64
	waiting map[uint64]chan supply
	blobs   map[string][]byte // fetched already: a plan shows what an apply then writes
}

var _ resource.Control = (*control)(nil)

// Blob fetches content by hash from the control side, once.
func (c *control) Blob(ctx context.Context, hash string) ([]byte, error) {
	c.mu.Lock()
	data, ok := c.blobs[hash]
	c.mu.Unlock()
	if ok {
		return data, nil
	}
	data, err := c.ask(ctx, need{Blob: hash})
	if err == nil {
		c.mu.Lock()
		c.blobs[hash] = data
		c.mu.Unlock()
	}
	return data, err
}

// Sign has the control side's CA sign the public key for the certificate with the given key.
func (c *control) Sign(ctx context.Context, key string, publicKey []byte) ([]byte, error) {
	return c.ask(ctx, need{CertKey: key, PublicKey: publicKey})
}

// Ping has the control side answer, and connect anew.
func (c *control) Ping(ctx context.Context) error {
	_, err := c.ask(ctx, need{Ping: true})
	return err
}

type stepKey struct{}

// named returns a context whose log lines belong to the step with id.
func (c *control) named(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, stepKey{}, id)
}

// Log sends a line of progress of the step that ctx belongs to.
func (c *control) Log(ctx context.Context, line string) {
	id, _ := ctx.Value(stepKey{}).(string)
	_ = c.conn.send(message{Log: &logLine{ID: id, Line: line}})
}

func (c *control) ask(ctx context.Context, n need) ([]byte, error) {
	answer := make(chan supply, 1)
	c.mu.Lock()
	c.seq++
	n.Seq = c.seq
	c.waiting[n.Seq] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, n.Seq)
		c.mu.Unlock()
	}()
	if err := c.conn.send(message{Need: &n}); err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case a := <-answer:
		if a.Error != "" {
			return nil, errors.New(a.Error)
		}
		return a.Data, nil
	}
}

func (c *control) supply(s supply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ch := c.waiting[s.Seq]; ch != nil {
		ch <- s
	}
}
