package agent

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"pigsty/internal/resource"
)

// Handler is what the control side does for the agent on one host. Its methods
// are called concurrently.
type Handler interface {
	// Blob returns the content with a SHA-256, in hex, that the host's plan has.
	Blob(hash string) ([]byte, error)
	// Sign issues the certificate with the given resource key for publicKey (PKIX, DER).
	Sign(key string, publicKey []byte) ([]byte, error)
	// Reach returns nil if the host lets in new connections of the control side.
	Reach() error
	// Log takes a line of progress of the step with id.
	Log(id, line string)
	// Result takes what became of a step that was to be observed or applied.
	Result(Result)
}

// Client is the control side's end of the connection to one host.
type Client struct {
	Facts resource.Facts

	conn    *conn
	handler Handler
	locked  chan lockReply
	saved   chan saved
	done    chan struct{}

	mu        sync.Mutex
	err       error
	observing time.Duration
}

// NewClient waits for the agent at the other end of rw to introduce itself.
func NewClient(rw io.ReadWriter, handler Handler) (*Client, error) {
	c := &Client{conn: newConn(rw), handler: handler, done: make(chan struct{}),
		locked: make(chan lockReply, 1), saved: make(chan saved, 1)}
	m, err := c.conn.receive()
	if err != nil {
		return nil, fmt.Errorf("the agent did not answer: %w", err)
	}
	if m.Hello == nil {
		return nil, errors.New("the agent did not introduce itself")
	}
	if m.Hello.Error != "" {
		return nil, fmt.Errorf("the agent could not start: %s", m.Hello.Error)
	}
	c.Facts = m.Hello.Facts
	go c.read()
	return c, nil
}

// Done is closed when the connection is gone; Err then says why.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err returns why the connection ended.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Lock takes the host's lock in the name of holder. When somebody else has it,
// other says who.
func (c *Client) Lock(holder string) (other string, err error) {
	if err := c.conn.send(message{Lock: &lockRequest{Holder: holder}}); err != nil {
		return "", err
	}
	select {
	case <-c.done:
		return "", c.Err()
	case r := <-c.locked:
		if r.Error != "" {
			return "", errors.New(r.Error)
		}
		return r.Holder, nil
	}
}

// Observe asks for a Result of each of steps.
func (c *Client) Observe(steps []Step) error {
	return c.conn.send(message{Observe: &observe{Steps: steps}})
}

// Observing is how long the agent itself took to observe.
func (c *Client) Observing() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.observing
}

// Apply asks for the step with id, sent by Observe before, to be observed again and
// applied; a Result follows.
func (c *Client) Apply(id string) error { return c.conn.send(message{Apply: &apply{ID: id}}) }

// Save has the host write its manifest, and systemd read what was enabled.
func (c *Client) Save() error {
	if err := c.conn.send(message{Save: &save{Now: true}}); err != nil {
		return err
	}
	select {
	case <-c.done:
		return c.Err()
	case r := <-c.saved:
		if r.Error != "" {
			return errors.New(r.Error)
		}
		return nil
	}
}

func (c *Client) read() {
	defer close(c.done)
	for {
		m, err := c.conn.receive()
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = errors.New("the connection was lost")
			}
			c.mu.Lock()
			c.err = err
			c.mu.Unlock()
			return
		}
		switch {
		case m.Observed != nil:
			c.mu.Lock()
			c.observing += m.Observed.Elapsed
			c.mu.Unlock()
			for _, r := range m.Observed.Results {
				c.handler.Result(r)
			}
		case m.Result != nil:
			c.handler.Result(*m.Result)
		case m.Need != nil:
			go c.supply(*m.Need)
		case m.Log != nil:
			c.handler.Log(m.Log.ID, m.Log.Line)
		case m.Locked != nil:
			c.locked <- *m.Locked
		case m.Saved != nil:
			c.saved <- *m.Saved
		}
	}
}

func (c *Client) supply(n need) {
	s := supply{Seq: n.Seq}
	var err error
	switch {
	case n.Ping:
		err = c.handler.Reach()
	case n.Blob != "":
		s.Data, err = c.handler.Blob(n.Blob)
	default:
		s.Data, err = c.handler.Sign(n.CertKey, n.PublicKey)
	}
	if err != nil {
		s.Error = err.Error()
	}
	_ = c.conn.send(message{Supply: &s})
}
