package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// conn is one SSH connection.
type conn struct {
	client     *ssh.Client
	wire       *wire
	set        *settings
	via        *conn       // the jump host in between, nil for none
	unverified atomic.Bool // the host's key changed and PolicyOff let it pass
	cause      atomic.Pointer[Error]
	done       chan struct{}
	once       sync.Once
}

// wire counts what arrives, so that a busy connection is not taken for a dead one.
type wire struct {
	net.Conn
	heard atomic.Int64 // unix nanoseconds of the last byte that arrived
}

func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if n > 0 {
		w.heard.Store(time.Now().UnixNano())
	}
	return n, err
}

// dial connects as s says, through its jump hosts. chain names the jump hosts
// whose connection waits for this one.
func (d *Dialer) dial(ctx context.Context, s *settings, chain []string) (*conn, error) {
	auth := d.authentication(s)
	var via *conn
	var err error
	if len(s.jumps) > 0 {
		if via, err = d.dialJumps(ctx, s, chain); err != nil {
			return nil, err
		}
	}
	// Only now, since the connection to a jump host takes a slot of its own.
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-ctx.Done():
		return nil, connectError(s.addr(), s.timeout, context.Canceled)
	}
	start := time.Now()
	limited, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	raw, err := dialRaw(limited, s, via)
	if err != nil {
		return nil, err
	}
	c, err := d.handshake(ctx, s, raw, auth, s.timeout-time.Since(start))
	if err != nil {
		return nil, err
	}
	c.via = via
	return c, nil
}

// dialRaw opens the stream that SSH will run over.
func dialRaw(ctx context.Context, s *settings, via *conn) (net.Conn, error) {
	switch {
	case via != nil:
		c, err := via.client.DialContext(ctx, "tcp", s.addr())
		var refused *ssh.OpenChannelError
		if errors.As(err, &refused) {
			return nil, fail(StageConnect, "check the address as seen from the jump host, and that it allows TCP forwarding",
				"jump host %s cannot reach %s: %s", via.set.alias, s.addr(), refused.Message)
		} else if err != nil {
			return nil, connectError(s.addr(), s.timeout, err)
		}
		return c, nil
	case s.proxyCommand != "":
		c, err := dialCommand(s.proxyCommand)
		if err != nil {
			return nil, fail(StageConnect, "check the ProxyCommand", "ProxyCommand %s: %w", s.proxyCommand, err)
		}
		return c, nil
	}
	c, err := (&net.Dialer{}).DialContext(ctx, s.network, s.addr())
	if err != nil {
		return nil, connectError(s.addr(), s.timeout, err)
	}
	return c, nil
}

// handshake runs SSH's handshake and login over raw, which it owns.
func (d *Dialer) handshake(ctx context.Context, s *settings, raw net.Conn, auth *authentication, left time.Duration) (*conn, error) {
	c := &conn{wire: &wire{Conn: raw}, set: s, done: make(chan struct{})}
	c.wire.heard.Store(time.Now().UnixNano())
	var hostKeyErr error
	config := &ssh.ClientConfig{
		User:              s.user,
		AuthCallback:      auth.choose,
		HostKeyAlgorithms: d.hosts.algorithms(s),
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			changed, err := d.hosts.check(s, key)
			c.unverified.Store(changed)
			auth.password = !changed
			hostKeyErr = err
			return err
		},
	}
	expired, finish := d.limit(ctx, left, func() { raw.Close() })
	sc, channels, requests, err := ssh.NewClientConn(c.wire, s.addr(), config)
	finish()
	if err != nil {
		raw.Close()
		dropped, _ := raw.(*commandConn)
		switch {
		case hostKeyErr != nil:
			return nil, hostKeyErr
		case ctx.Err() != nil:
			return nil, connectError(s.addr(), s.timeout, context.Canceled)
		case expired():
			return nil, connectError(s.addr(), s.timeout, context.DeadlineExceeded)
		case dropped != nil && len(auth.tried) == 0:
			return nil, fail(StageConnect, "check the ProxyCommand", "ProxyCommand %s: %w", s.proxyCommand, withStderr(err, dropped.stderr()))
		}
		return nil, auth.failure(err)
	}
	if auth.last != nil {
		d.preferKey(auth.last)
	}
	c.client = ssh.NewClient(sc, channels, requests)
	go c.keepAlive(d.aliveInterval, d.aliveLimit)
	go func() { _ = c.client.Wait(); close(c.done) }()
	return c, nil
}

// limit calls stop when left has passed, not counting the time keys are
// unlocked, or when ctx ends, unless finish comes first.
func (d *Dialer) limit(ctx context.Context, left time.Duration, stop func()) (expired func() bool, finish func()) {
	var late atomic.Bool
	done := make(chan struct{})
	go func() {
		const tick = 100 * time.Millisecond
		t := time.NewTicker(tick)
		defer t.Stop()
		for {
			select {
			case <-done:
				return
			case <-ctx.Done():
				stop()
				return
			case <-t.C:
				if d.keys.busy.Load() > 0 {
					continue
				}
				if left -= tick; left <= 0 {
					late.Store(true)
					stop()
					return
				}
			}
		}
	}()
	return late.Load, func() { close(done) }
}

// jump is a connection to a jump host that hosts share.
type jump struct {
	ready chan struct{} // closed when what follows is set
	conn  *conn
	err   error
	at    time.Time // when err came
}

// retryJump is how long a jump host that failed is not tried again, so that the
// hosts behind it do not wait for it one after the other.
const retryJump = 10 * time.Second

func (j *jump) close() {
	<-j.ready
	if j.conn != nil {
		j.conn.Close()
	}
}

// dialJumps returns the connection to the last jump host of s, shared by all
// hosts behind the same hops.
func (d *Dialer) dialJumps(ctx context.Context, s *settings, chain []string) (*conn, error) {
	last := len(s.jumps) - 1
	hop, err := d.resolveHop(s.jumps[last])
	if err != nil {
		return nil, err
	}
	if hop.host == s.host && hop.port == s.port && hop.user == s.user {
		return nil, nil // "Host *" names the jump host for itself too; ssh goes there directly
	}
	hop.log = func(line string) { d.log(hop.alias, line) }
	if last > 0 { // the hops before it count, not what ssh_config says for it
		hop.jumps, hop.proxyCommand = s.jumps[:last], ""
	}
	key := fmt.Sprintf("%s@%s %s via %s", hop.user, hop.addr(), hop.proxyCommand, strings.Join(hop.jumps, ","))
	if slices.Contains(chain, key) {
		return nil, fail(StageResolve, "correct ProxyJump in ssh_config", "jump host %s is to be reached through itself", hop.alias)
	}
	d.mu.Lock()
	j := d.jumps[key]
	if j != nil && j.failed() {
		j = nil
	}
	mine := j == nil
	if mine {
		j = &jump{ready: make(chan struct{})}
		d.jumps[key] = j
	}
	d.mu.Unlock()
	if mine {
		// Others wait for it, so it must not end with this one's context.
		go func() {
			defer close(j.ready)
			j.conn, j.err = d.dial(context.WithoutCancel(ctx), hop, append(slices.Clone(chain), key))
			j.err, j.at = onHost(hop.alias, j.err), time.Now()
		}()
	}
	select {
	case <-j.ready:
	case <-ctx.Done():
		return nil, connectError(s.addr(), s.timeout, context.Canceled)
	}
	if j.err != nil {
		return nil, j.err
	}
	return j.conn, nil
}

// failed reports that the jump is of no use any more and must be dialled anew.
func (j *jump) failed() bool {
	select {
	case <-j.ready:
	default:
		return false
	}
	if j.conn == nil {
		return time.Since(j.at) > retryJump
	}
	select {
	case <-j.conn.done:
		return true
	default:
		return false
	}
}

// Close closes the connection and with it all that runs over it.
func (c *conn) Close() {
	c.once.Do(func() { _ = c.client.Close(); _ = c.wire.Conn.Close() })
}

// keepAlive asks the host for a sign of life every interval. When nothing has
// arrived for limit, it declares the connection dead and closes it. Time in which
// this process itself stood still does not count: nothing was asked in it.
func (c *conn) keepAlive(interval, limit time.Duration) {
	t := time.NewTicker(interval)
	defer t.Stop()
	var (
		waiting atomic.Bool
		silent  time.Duration
		heard   = c.wire.heard.Load()
		last    = time.Now()
	)
	for {
		select {
		case <-c.done:
			return
		case <-t.C:
		}
		now := time.Now()
		silent += min(now.Sub(last), interval*3/2)
		last = now
		if h := c.wire.heard.Load(); h != heard {
			heard, silent = h, max(0, min(now.Sub(time.Unix(0, h)), interval)) // whatever the clock was set to
		}
		if silent >= limit {
			c.cause.CompareAndSwap(nil, fail(StageConnection, "check the network and the host, then run again",
				"no sign of life from %s for %s", c.set.addr(), silent.Round(time.Second)))
			c.Close()
			return
		}
		if silent >= interval/2 && waiting.CompareAndSwap(false, true) {
			go func() {
				_, _, _ = c.client.SendRequest("keepalive@openssh.com", true, nil)
				waiting.Store(false)
			}()
		}
	}
}

// lost explains why a command ended without an exit status.
func (c *conn) lost() *Error {
	if e := c.cause.Load(); e != nil {
		return e
	}
	return fail(StageConnection, "check the network and the host, then run again", "the connection to %s broke off", c.set.addr())
}
