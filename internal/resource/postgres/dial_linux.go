package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"syscall"
	"time"
)

// dialAs connects to a unix socket with the given effective user and group, so
// that the server's peer authentication sees the database superuser although
// the agent runs as root. The kernel notes the credentials of the thread that
// calls connect(2) (SO_PEERCRED, unix(7)), so only one thread changes its own,
// by raw system calls: package syscall's wrappers would change every thread.
func dialAs(ctx context.Context, path string, uid, gid int) (net.Conn, error) {
	if os.Geteuid() != 0 || uid == 0 {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}
	type result struct {
		fd  int
		err error
	}
	done := make(chan result, 1)
	go func() {
		runtime.LockOSThread()
		fd, restored, err := connectAs(ctx, path, uid, gid)
		if restored {
			runtime.UnlockOSThread()
		}
		// A goroutine that ends while locked takes its thread with it, so a
		// thread that could not become root again is never reused.
		done <- result{fd, err}
	}()
	r := <-done
	if r.err != nil {
		return nil, &net.OpError{Op: "dial", Net: "unix", Addr: &net.UnixAddr{Name: path, Net: "unix"}, Err: r.err}
	}
	f := os.NewFile(uintptr(r.fd), path)
	defer f.Close()
	return net.FileConn(f) // a duplicate, managed by the runtime's poller
}

// connectAs runs on a locked thread. restored is false when the thread kept
// credentials that are not root's.
func connectAs(ctx context.Context, path string, uid, gid int) (fd int, restored bool, err error) {
	fd, err = syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, true, os.NewSyscallError("socket", err)
	}
	defer func() {
		if err != nil {
			_ = syscall.Close(fd)
		}
	}()
	// A blocking connect waits while the server's backlog is full; the send
	// timeout bounds that.
	wait := 10 * time.Second
	if deadline, ok := ctx.Deadline(); ok {
		wait = max(min(wait, time.Until(deadline)), time.Millisecond)
	}
	tv := syscall.NsecToTimeval(wait.Nanoseconds())
	if err = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &tv); err != nil {
		return -1, true, os.NewSyscallError("setsockopt", err)
	}
	if err = setEffective(syscall.SYS_SETRESGID, gid); err != nil {
		return -1, true, fmt.Errorf("setresgid %d: %w", gid, err)
	}
	if err = setEffective(syscall.SYS_SETRESUID, uid); err != nil {
		return -1, setEffective(syscall.SYS_SETRESGID, 0) == nil, fmt.Errorf("setresuid %d: %w", uid, err)
	}
	err = os.NewSyscallError("connect", syscall.Connect(fd, &syscall.SockaddrUnix{Name: path}))
	back := errors.Join(setEffective(syscall.SYS_SETRESUID, 0), setEffective(syscall.SYS_SETRESGID, 0))
	if err == nil {
		tv = syscall.Timeval{}
		err = os.NewSyscallError("setsockopt", syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &tv))
	}
	return fd, back == nil, err
}

// setEffective sets only the effective id of only this thread.
func setEffective(call uintptr, id int) error {
	const keep = ^uintptr(0)
	if _, _, errno := syscall.RawSyscall(call, keep, uintptr(id), keep); errno != 0 {
		return errno
	}
	return nil
}
