package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"time"

	"pigsty/internal/resource"
)

// observers is how many steps of a host are observed at once.
const observers = 8

// finishTimeout bounds what is done after all steps.
const finishTimeout = time.Minute

// Serve works for the control side at the other end of rw until that closes.
// Steps that run then are let finish what must not be cut (a package
// transaction) and no new ones start. open makes the host to work on.
func Serve(ctx context.Context, rw io.ReadWriter, open func(resource.Control) (*resource.Host, error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &server{conn: newConn(rw), steps: map[string]Step{}}
	s.control = &control{conn: s.conn, waiting: map[uint64]chan supply{}, blobs: map[string][]byte{}}

	host, err := open(s.control)
	if err != nil {
		_ = s.conn.send(message{Hello: &hello{Error: err.Error()}})
		return err
	}
	defer host.Close()
	s.host = host
	if err := s.conn.send(message{Hello: &hello{Facts: host.Facts}}); err != nil {
		return err
	}
	defer func() {
		cancel()
		s.work.Wait()
		_ = s.finish()
		s.unlock()
	}()
	for {
		m, err := s.conn.receive()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read from the control side: %w", err)
		}
		s.handle(ctx, m)
	}
}

type server struct {
	conn    *conn
	control *control
	host    *resource.Host
	release func() // gives the lock back, nil if not held

	mu    sync.Mutex
	steps map[string]Step
	work  sync.WaitGroup
}

// handle starts what m asks for and returns at once, so that answers to the
// agent's own questions are never kept waiting.
func (s *server) handle(ctx context.Context, m message) {
	switch {
	case m.Supply != nil:
		s.control.supply(*m.Supply)
	case m.Lock != nil:
		s.lock(m.Lock.Holder)
	case m.Observe != nil:
		s.mu.Lock()
		for _, st := range m.Observe.Steps {
			s.steps[st.ID] = st
		}
		s.mu.Unlock()
		s.work.Go(func() { s.observe(ctx, m.Observe.Steps) })
	case m.Apply != nil:
		s.work.Go(func() { s.apply(ctx, m.Apply.ID) })
	case m.Save != nil:
		s.work.Go(func() {
			reply := saved{}
			if err := s.finish(); err != nil {
				reply.Error = err.Error()
			}
			_ = s.conn.send(message{Saved: &reply})
		})
	}
}

func (s *server) observe(ctx context.Context, steps []Step) {
	s.host.Want(installs(steps))
	done := make(map[string]chan struct{}, len(steps))
	for _, st := range steps {
		done[st.ID] = make(chan struct{})
	}
	places := make(chan struct{}, observers)
	began := time.Now()
	reply := observed{Results: make([]Result, len(steps))}
	var all sync.WaitGroup
	for i, st := range steps {
		all.Go(func() {
			defer close(done[st.ID])
			for _, id := range st.After {
				if c := done[id]; c != nil {
					<-c
				}
			}
			places <- struct{}{}
			defer func() { <-places }()
			r := &reply.Results[i]
			r.ID = st.ID
			r.Change, r.Error, r.NotLeader = s.diff(ctx, st)
		})
	}
	all.Wait()
	reply.Elapsed = time.Since(began)
	_ = s.conn.send(message{Observed: &reply})
}

// installs returns the packages that steps install, nil for none: a host has one
// step for all.
func installs(steps []Step) *resource.Packages {
	for _, st := range steps {
		if p, ok := st.Resource.(*resource.Packages); ok {
			return p
		}
	}
	return nil
}

// diff observes one step and remembers what it found for the steps after it.
func (s *server) diff(ctx context.Context, st Step) (c resource.Change, problem string, notLeader bool) {
	defer func() {
		if p := recover(); p != nil {
			problem = fmt.Sprintf("this is a bug in pigsty: %v\n%s", p, debug.Stack())
		}
	}()
	ctx = s.control.named(ctx, st.ID)
	if c, err := resource.Obtainable(ctx, s.host, st.Given); err != nil || !c.Empty() || c.Skipped != "" {
		if err != nil {
			return resource.Change{}, err.Error(), false
		}
		return c, "", false
	}
	c, err := st.Resource.Diff(ctx, s.host)
	if errors.Is(err, resource.ErrNotLeader) {
		if _, pending := s.host.Pending(resource.PromotionKey); pending {
			return resource.Change{Unknown: "after the cluster is promoted"}, "", false
		}
		return resource.Change{}, "", true
	}
	if err != nil {
		return resource.Change{}, err.Error(), false
	}
	s.host.SetPending(st.Resource.Key(), c)
	return c, "", false
}

func (s *server) apply(ctx context.Context, id string) {
	s.mu.Lock()
	st, ok := s.steps[id]
	s.mu.Unlock()
	r := Result{ID: id}
	if !ok {
		r.Error = "this is a bug in pigsty: the step was never sent to this host"
		_ = s.conn.send(message{Result: &r})
		return
	}
	began := time.Now()
	r.Change, r.Error, r.NotLeader = s.diff(ctx, st)
	if r.Error == "" && !r.NotLeader && !r.Change.Empty() && r.Change.Skipped == "" {
		err := s.run(ctx, st)
		switch {
		case errors.Is(err, resource.ErrNotLeader):
			r.NotLeader = true
		case err != nil:
			r.Error = err.Error()
		default:
			r.Applied = true
			s.host.SetPending(st.Resource.Key(), resource.Change{})
		}
	}
	r.Elapsed = time.Since(began)
	_ = s.conn.send(message{Result: &r})
}

func (s *server) run(ctx context.Context, st Step) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("this is a bug in pigsty: %v\n%s", p, debug.Stack())
		}
	}()
	if _, ok := st.Resource.(*resource.Packages); ok {
		ctx = context.WithoutCancel(ctx) // half a package transaction is worse than a late one
	}
	return st.Resource.Apply(s.control.named(ctx, st.ID), s.host)
}

// finish does what waits for the end of all steps, also when that was too early.
func (s *server) finish() error {
	ctx, cancel := context.WithTimeout(context.Background(), finishTimeout)
	defer cancel()
	save := s.host.Manifest.Save(s.host.Files) // first: it is what cannot be found out again
	links := s.host.Units.ReadLinks(ctx)
	if links != nil {
		links = fmt.Errorf("have systemd read which units are enabled: %w", links)
	}
	if save != nil {
		save = fmt.Errorf("save %s: %w", resource.ManifestPath, save)
	}
	return errors.Join(links, save)
}

func (s *server) lock(holder string) {
	reply := lockReply{}
	if s.release == nil {
		release, other, err := acquire(LockPath, holder)
		s.release, reply.Holder = release, other
		if err != nil {
			reply.Error = err.Error()
		}
	}
	_ = s.conn.send(message{Locked: &reply})
}

func (s *server) unlock() {
	if s.release != nil {
		s.release()
	}
}
