package transport

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Session is a running agent: reading gets its stdout, writing reaches its
// stdin. One goroutine may read while another writes.
type Session struct {
	p       process
	conn    *conn // nil for a local agent
	out     *bufio.Reader
	errs    tail
	drained chan struct{} // closed at the end of stderr
	binary  *binary       // the one of the host's architecture, nil for our own
	pushed  int64

	wait  sync.Once
	ended chan struct{} // closed when err is set
	err   error
	close sync.Once
}

// closeGrace is how long an agent may take to end after its stdin is closed.
const closeGrace = 2 * time.Second

func newSession(p process, c *conn) *Session {
	return &Session{p: p, conn: c, out: bufio.NewReaderSize(p.stdout(), 64<<10),
		drained: make(chan struct{}), ended: make(chan struct{})}
}

// watch collects stderr and calls found each time prompt appears in it.
func (s *Session) watch(prompt string, found func()) {
	go func() {
		defer close(s.drained)
		buf := make([]byte, 4096)
		var recent string
		for {
			n, err := s.p.stderr().Read(buf)
			_, _ = s.errs.Write(buf[:n])
			recent += string(buf[:n])
			for {
				_, after, ok := strings.Cut(recent, prompt)
				if !ok {
					break
				}
				found()
				recent = after
			}
			recent = recent[max(0, len(recent)-len(prompt)):]
			if err != nil {
				return
			}
		}
	}()
}

// Read reads the agent's stdout. io.EOF means that the agent closed it; a
// connection that broke off is an *Error of StageConnection instead.
func (s *Session) Read(b []byte) (int, error) {
	n, err := s.out.Read(b)
	if err != nil {
		err = s.explain(err)
	}
	return n, err
}

// Write writes to the agent's stdin.
func (s *Session) Write(b []byte) (int, error) {
	n, err := s.p.stdin().Write(b)
	if err != nil {
		err = s.explain(err)
	}
	return n, err
}

// explain returns the reason of a lost connection in place of err, which is
// io.EOF then.
func (s *Session) explain(err error) error {
	s.awaitEnd()
	select {
	case <-s.ended:
	case <-time.After(time.Second):
		return err
	}
	var lost *Error
	if errors.As(s.err, &lost) {
		return lost
	}
	return err
}

func (s *Session) awaitEnd() {
	s.wait.Do(func() {
		go func() {
			s.err = s.p.wait()
			close(s.ended)
		}()
	})
}

// Wait returns when the agent has ended: nil for exit status 0. The error has
// the end of stderr in its text. An agent ends when Close is called, if not
// before.
func (s *Session) Wait() error {
	s.awaitEnd()
	<-s.ended
	var exit *ssh.ExitError
	var localExit *exec.ExitError
	if errors.As(s.err, &exit) || errors.As(s.err, &localExit) {
		select {
		case <-s.drained:
		case <-time.After(time.Second): // a child of the agent holds it open
		}
		return withStderr(s.err, s.Stderr())
	}
	return s.err
}

// Stderr returns the last lines that the agent, or the shell before it, wrote to
// stderr.
func (s *Session) Stderr() string { return s.errs.String() }

// Reach connects to the session's host once more, within that time, and hangs up:
// a host that goes on with a connection need not let in new ones. A local agent
// has no way to it that could be shut. The error is an *Error.
func (s *Session) Reach(within time.Duration) error {
	if s.conn == nil {
		return nil
	}
	set := *s.conn.set
	set.timeout = within
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	raw, err := dialRaw(ctx, &set, s.conn.via)
	if err != nil {
		return onHost(set.alias, err)
	}
	defer raw.Close()
	if set.proxyCommand == "" {
		return nil
	}
	defer context.AfterFunc(ctx, func() { raw.Close() })()
	if _, err := raw.Read(make([]byte, 1)); err != nil { // that the command started tells nothing
		return onHost(set.alias, connectError(set.addr(), within, cmp.Or(ctx.Err(), err)))
	}
	return nil
}

// PushedBytes returns how many bytes the binary took on the wire, 0 if the host
// had it.
func (s *Session) PushedBytes() int64 { return s.pushed }

// Close closes the agent's stdin, gives it a moment to end, and closes the
// connection.
func (s *Session) Close() error {
	s.close.Do(func() {
		_ = s.p.stdin().Close()
		s.awaitEnd()
		// What it still says must go somewhere, or it would block.
		go func() { _, _ = io.Copy(io.Discard, s.p.stdout()) }()
		select {
		case <-s.ended:
		case <-time.After(closeGrace):
		}
		s.abandon()
	})
	return nil
}

// abandon ends the process, and the connection with it, without waiting.
func (s *Session) abandon() {
	s.p.kill()
	s.awaitEnd()
	if l, ok := s.p.(*local); ok {
		go func() { <-s.ended; l.out.Close(); l.err.Close() }()
	}
}
