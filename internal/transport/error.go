package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// The stages that an Error can name, in the order a connection goes through them.
const (
	StageResolve      = "resolve"      // settings, jump hosts and names
	StageConnect      = "connect"      // TCP, jump host or proxy command
	StageHostKey      = "host key"     // the host is not the one that is known
	StageAuthenticate = "authenticate" // the host does not accept the user
	StageSudo         = "sudo"         // becoming root
	StagePush         = "push"         // installing the agent binary
	StageStart        = "start"        // starting the agent or a command
	StageConnection   = "connection"   // lost after it worked
)

// Error says what failed on the way to a host, and what a person can do about it.
type Error struct {
	Host   string // the inventory's name of the host
	Stage  string // one of the Stage constants
	Err    error  // the cause, never with a secret in it
	Advice string // what to do, in the imperative; may be empty
}

// Error returns "host: stage: cause". The advice is left to the caller to print.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s: %v", e.Host, e.Stage, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// fail makes an Error without its host, which Start and Run fill in.
func fail(stage, advice string, format string, args ...any) *Error {
	return &Error{Stage: stage, Err: fmt.Errorf(format, args...), Advice: advice}
}

// onHost returns err as an Error of host. An error that names another host, a
// jump host, keeps that name in its text.
func onHost(host string, err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if !errors.As(err, &e) {
		return &Error{Host: host, Stage: StageConnect, Err: err}
	}
	own := *e
	if e.Host != "" && e.Host != host {
		own.Err = fmt.Errorf("jump host %s: %w", e.Host, e.Err)
	}
	own.Host = host
	return &own
}

// connectError explains why no connection to addr came about.
func connectError(addr string, waited time.Duration, err error) *Error {
	host, port, _ := net.SplitHostPort(addr)
	var dns *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, context.Canceled):
		return &Error{Stage: StageConnect, Err: context.Canceled}
	case errors.As(err, &dns):
		return fail(StageResolve, "set ansible_host to the host's address, or correct the name",
			"name %s cannot be resolved: %w", dns.Name, err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return fail(StageConnect, "check that the host is up and that no firewall drops port "+port,
			"no answer from %s within %s", addr, waited)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fail(StageConnect, "check that sshd runs there, and on port "+port+" (ansible_port)",
			"%s refuses connections: %w", addr, err)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return fail(StageConnect, "check the address (ansible_host) and the route to it",
			"no route to %s: %w", host, err)
	}
	return fail(StageConnect, "", "connecting to %s: %w", addr, err)
}
