package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"pigsty/internal/agent"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// Dial starts the agent on a host and returns the connection to it.
type Dial func(ctx context.Context, host string) (io.ReadWriteCloser, error)

// Signer signs what for r, which is part of a host's plan: for a Cert, what is a
// public key (PKIX, DER), and the result the certificate that it declares.
type Signer func(r resource.Signed, what []byte) ([]byte, error)

// Fleet is the connections to the hosts of one run.
type Fleet struct {
	sign Signer
	sink Sink

	mu    sync.Mutex // guards sink calls
	order []string
	hosts map[string]*node
}

// node is one host of the fleet.
type node struct {
	fleet  *Fleet
	name   string
	conn   io.ReadWriteCloser
	client *agent.Client

	mu      sync.Mutex
	err     error // why the host cannot be spoken to
	blobs   map[string][]byte
	signed  map[string]resource.Signed
	steps   map[string]*plan.Step
	waiting map[string]chan agent.Result
}

// ErrLocked says that another apply holds a host.
var ErrLocked = errors.New("locked")

// Connect starts the agent on every host at once. A host that cannot be reached
// stays in the fleet with its error and costs only itself.
func Connect(ctx context.Context, hosts []string, dial Dial, sign Signer, sink Sink) *Fleet {
	f := &Fleet{sign: sign, sink: sink, hosts: map[string]*node{}}
	var all sync.WaitGroup
	for _, name := range hosts {
		n := &node{fleet: f, name: name, blobs: map[string][]byte{}, signed: map[string]resource.Signed{},
			steps: map[string]*plan.Step{}, waiting: map[string]chan agent.Result{}}
		f.hosts[name] = n
		f.order = append(f.order, name)
		all.Go(func() {
			if err := n.connect(ctx, dial); err != nil {
				n.lose(err)
				f.emit(Event{Type: HostDown, Host: name, Text: err.Error()})
				return
			}
			f.emit(Event{Type: HostUp, Host: name})
		})
	}
	all.Wait()
	return f
}

func (n *node) connect(ctx context.Context, dial Dial) error {
	conn, err := dial(ctx, n.name)
	if err != nil {
		return err
	}
	n.conn = conn
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // which ends the waiting for the agent's first word
	n.client, err = agent.NewClient(conn, n)
	if err == nil {
		return nil
	}
	_ = conn.Close()
	if s, ok := conn.(interface{ Stderr() string }); ok && s.Stderr() != "" {
		return fmt.Errorf("%w: %s", err, s.Stderr())
	}
	return err
}

// lose marks the host as one that cannot be spoken to; the first reason stays.
func (n *node) lose(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err == nil {
		n.err = err
	}
}

// lost returns why the host cannot be spoken to, nil if it can.
func (n *node) lost() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.err
}

// Facts returns the facts of every host that was reached.
func (f *Fleet) Facts() map[string]resource.Facts {
	facts := make(map[string]resource.Facts, len(f.hosts))
	for name, n := range f.hosts {
		if n.lost() == nil {
			facts[name] = n.client.Facts
		}
	}
	return facts
}

// Err returns why the host called name was not reached, nil if it was.
func (f *Fleet) Err(name string) error {
	if n := f.hosts[name]; n != nil {
		return n.lost()
	}
	return errors.New("not among the selected hosts")
}

// Lock takes the lock of every host in the name of holder. If any is held by
// somebody else the error wraps ErrLocked and names all holders; a host that is
// lost meanwhile is not an error.
func (f *Fleet) Lock(holder string) error {
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		errs []error
	)
	for _, name := range f.order {
		n := f.hosts[name]
		if n.lost() != nil {
			continue
		}
		all.Go(func() {
			other, err := n.client.Lock(holder)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				n.lose(err)
				go f.emit(Event{Type: HostDown, Host: name, Text: err.Error()})
			case other != "":
				errs = append(errs, fmt.Errorf("%s is %w by %s", name, ErrLocked, other))
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// Close ends every connection after the agents have saved what they remember.
func (f *Fleet) Close() error {
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		errs []error
	)
	for _, n := range f.hosts {
		if n.conn == nil {
			continue
		}
		all.Go(func() {
			if err := n.conn.Close(); err != nil {
				mu.Lock()
				errs = append(errs, fmt.Errorf("%s: %w", n.name, err))
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func (f *Fleet) emit(e Event) {
	if f.sink == nil {
		return
	}
	e.Time = cmp.Or(e.Time, time.Now())
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sink(e)
}

// expect makes the node know s, and what the agent may ask for because of it.
func (n *node) expect(s *plan.Step) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.steps[s.ID()] = s
	switch r := s.Resource.(type) {
	case resource.Carrier:
		hash, content := r.Blob()
		n.blobs[hash] = content
	case resource.Signed:
		n.signed[r.Key()] = r
	}
}

// await returns where the next Result of the step with id will arrive.
func (n *node) await(id string) <-chan agent.Result {
	ch := make(chan agent.Result, 1)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.waiting[id] = ch
	return ch
}

// Blob gives the agent the content of a file of its own plan.
func (n *node) Blob(hash string) ([]byte, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	data, ok := n.blobs[hash]
	if !ok {
		return nil, fmt.Errorf("nothing of this host's plan has the content %s", hash)
	}
	return data, nil
}

// Sign signs something for a resource of the host's own plan.
func (n *node) Sign(key string, what []byte) ([]byte, error) {
	n.mu.Lock()
	r := n.signed[key]
	n.mu.Unlock()
	if r == nil {
		return nil, fmt.Errorf("nothing of this host's plan that is signed is called %q", key)
	}
	return n.fleet.sign(r, what)
}

// reachLimit is how long a host that works may take to let in a new connection.
const reachLimit = 4 * time.Second

// Reach connects to the host once more, if its connection is of a kind that can tell.
func (n *node) Reach() error {
	if c, ok := n.conn.(interface{ Reach(time.Duration) error }); ok {
		return c.Reach(reachLimit)
	}
	return nil
}

// Log passes on a line of progress.
func (n *node) Log(id, line string) {
	n.mu.Lock()
	s := n.steps[id]
	n.mu.Unlock()
	if s != nil {
		n.fleet.emit(Event{Type: StepLog, Host: n.name, Step: s.Resource.Key(), Text: line})
	}
}

// Result hands r to whoever awaits it.
func (n *node) Result(r agent.Result) {
	n.mu.Lock()
	ch := n.waiting[r.ID]
	delete(n.waiting, r.ID)
	n.mu.Unlock()
	if ch != nil {
		ch <- r
	}
}

// Watch replaces the sink that takes the fleet's events.
func (f *Fleet) Watch(sink Sink) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sink = sink
}
