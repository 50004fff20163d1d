package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// process is a command that runs, here or on a host.
type process interface {
	stdin() io.WriteCloser
	stdout() io.Reader
	stderr() io.Reader
	// wait returns once the process has ended: nil for exit status 0, an
	// *Error of StageConnection if it cannot be known how it ended.
	wait() error
	// kill ends the process without waiting for it.
	kill()
}

var (
	_ process = (*remote)(nil)
	_ process = (*local)(nil)
)

// remote is a command on a host. Killing it closes the connection.
type remote struct {
	conn     *conn
	session  *ssh.Session
	in       io.WriteCloser
	out, err io.Reader
}

// start runs argv on the host.
func (c *conn) start(argv []string) (process, error) {
	session, err := c.client.NewSession()
	if err != nil {
		return nil, err
	}
	r := &remote{conn: c, session: session}
	var e1, e2, e3 error
	r.in, e1 = session.StdinPipe()
	r.out, e2 = session.StdoutPipe()
	r.err, e3 = session.StderrPipe()
	if err := errors.Join(e1, e2, e3, session.Start(quote(argv))); err != nil {
		session.Close()
		return nil, err
	}
	return r, nil
}

func (r *remote) stdin() io.WriteCloser { return r.in }
func (r *remote) stdout() io.Reader     { return r.out }
func (r *remote) stderr() io.Reader     { return r.err }
func (r *remote) kill()                 { r.conn.Close() }

func (r *remote) wait() error {
	err := r.session.Wait()
	var exit *ssh.ExitError
	if err == nil || errors.As(err, &exit) {
		return err
	}
	return r.conn.lost()
}

// local is a command on this machine.
type local struct {
	cmd      *exec.Cmd
	in       io.WriteCloser
	out, err *os.File
	once     sync.Once
	result   error
}

// startLocal runs argv here. The pipes are made by hand, since those of exec.Cmd
// are closed by Wait even while somebody reads.
func startLocal(argv []string) (process, error) {
	l := &local{cmd: exec.Command(argv[0], argv[1:]...)}
	out, outEnd, e1 := os.Pipe()
	errs, errsEnd, e2 := os.Pipe()
	in, e3 := l.cmd.StdinPipe()
	err := errors.Join(e1, e2, e3)
	if err == nil {
		l.in, l.out, l.err = in, out, errs
		l.cmd.Stdout, l.cmd.Stderr = outEnd, errsEnd
		err = l.cmd.Start()
	}
	outEnd.Close()
	errsEnd.Close()
	if err != nil {
		out.Close()
		errs.Close()
		return nil, err
	}
	return l, nil
}

func (l *local) stdin() io.WriteCloser { return l.in }
func (l *local) stdout() io.Reader     { return l.out }
func (l *local) stderr() io.Reader     { return l.err }
func (l *local) kill()                 { _ = l.cmd.Process.Kill() }

func (l *local) wait() error {
	l.once.Do(func() { l.result = l.cmd.Wait() })
	return l.result
}

// commandConn is the stream of a ProxyCommand.
type commandConn struct {
	cmd *exec.Cmd
	io.Reader
	io.WriteCloser
	errors tail
	once   sync.Once
}

func dialCommand(line string) (*commandConn, error) {
	c := &commandConn{cmd: exec.CommandContext(context.Background(), "/bin/sh", "-c", "exec "+line)}
	var e1, e2 error
	c.Reader, e1 = c.cmd.StdoutPipe()
	c.WriteCloser, e2 = c.cmd.StdinPipe()
	c.cmd.Stderr = &c.errors
	if err := errors.Join(e1, e2); err != nil {
		return nil, err
	}
	return c, c.cmd.Start()
}

// Close ends the command.
func (c *commandConn) Close() error {
	c.once.Do(func() {
		_ = c.WriteCloser.Close()
		_ = c.cmd.Process.Kill()
		go func() { _ = c.cmd.Wait() }()
	})
	return nil
}

func (c *commandConn) stderr() string { return c.errors.String() }

func (c *commandConn) LocalAddr() net.Addr              { return commandAddr{} }
func (c *commandConn) RemoteAddr() net.Addr             { return commandAddr{} }
func (c *commandConn) SetDeadline(time.Time) error      { return nil }
func (c *commandConn) SetReadDeadline(time.Time) error  { return nil }
func (c *commandConn) SetWriteDeadline(time.Time) error { return nil }

type commandAddr struct{}

func (commandAddr) Network() string { return "command" }
func (commandAddr) String() string  { return "ProxyCommand:22" }

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const (
	tailBytes = 8 << 10
	tailLines = 20
)

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if cut := len(t.text) - tailBytes; cut > tailBytes {
		t.text = bytes.Clone(t.text[cut:])
	}
	return len(b), nil
}

// String returns the last lines, without control characters.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, string(t.text[max(0, len(t.text)-tailBytes):]))
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}

// withStderr adds the end of a command's stderr to its error.
func withStderr(err error, stderr string) error {
	if stderr == "" || err == nil {
		return err
	}
	return &stderrError{err, stderr}
}

type stderrError struct {
	error
	stderr string
}

func (e *stderrError) Error() string { return e.error.Error() + ": " + e.stderr }
func (e *stderrError) Unwrap() error { return e.error }
