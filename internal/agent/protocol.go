// Package agent is the two ends of the connection to a host: Serve, which runs
// on the host and works on resources there, and Client, which speaks to it.
//
// The two exchange gob messages over the agent's standard input and output.
// Both ends are the same binary, chosen by its hash, so the format needs no
// versions. The agent speaks first, with the host's facts; a host is then
// observed in one exchange.
package agent

import (
	"encoding/gob"
	"io"
	"sync"
	"time"

	"pigsty/internal/resource"
)

// Step is what the agent needs to know of a step.
type Step struct {
	ID       string
	Resource resource.Resource
	After    []string // IDs of steps of the same host to observe first
	Given    []string // packages of which the host must have one, or be able to get one
}

// Result is what the agent did for a step.
type Result struct {
	ID        string
	Change    resource.Change
	Applied   bool // the change was made, not only observed
	Error     string
	NotLeader bool          // the step belongs to a leader that this host is not
	Elapsed   time.Duration // of applying it
}

// message is one frame in either direction; exactly one field is set.
type message struct {
	// From the agent.
	Hello    *hello
	Observed *observed
	Result   *Result
	Locked   *lockReply
	Need     *need
	Log      *logLine
	Saved    *saved

	// To the agent.
	Observe *observe
	Apply   *apply
	Lock    *lockRequest
	Supply  *supply
	Save    *save
}

type hello struct {
	Facts resource.Facts
	Error string
}

type observe struct{ Steps []Step }

// observed answers observe in one message: one for each step would be as many
// packets on the connection.
type observed struct {
	Results []Result
	Elapsed time.Duration
}

type apply struct{ ID string }

type lockRequest struct{ Holder string }

type lockReply struct{ Holder, Error string }

// need asks the control side for a file's content, a signature, or a sign of life.
type need struct {
	Seq       uint64
	Blob      string // SHA-256 in hex
	CertKey   string // key of the Cert resource
	PublicKey []byte // PKIX, DER
	Ping      bool
}

type supply struct {
	Seq   uint64
	Data  []byte
	Error string
}

type logLine struct{ ID, Line string }

// save asks the agent to write what it remembers of the host.
type save struct{ Now bool }

type saved struct{ Error string }

// conn sends and receives messages; sending is safe for concurrent use.
type conn struct {
	rw  io.ReadWriter
	dec *gob.Decoder

	mu  sync.Mutex
	enc *gob.Encoder
	out *batch
}

func newConn(rw io.ReadWriter) *conn {
	c := &conn{rw: rw, dec: gob.NewDecoder(rw), out: &batch{w: rw}}
	c.enc = gob.NewEncoder(c.out)
	return c
}

func (c *conn) send(m message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.enc.Encode(m); err != nil {
		return err
	}
	return c.out.flush()
}

func (c *conn) receive() (message, error) {
	var m message
	err := c.dec.Decode(&m)
	return m, err
}

// batch joins the several writes that gob makes for one message into one, which
// is one packet on the connection.
type batch struct {
	w   io.Writer
	buf []byte
}

func (b *batch) Write(p []byte) (int, error) {
	b.buf = append(b.buf, p...)
	return len(p), nil
}

func (b *batch) flush() error {
	_, err := b.w.Write(b.buf)
	b.buf = b.buf[:0]
	return err
}
