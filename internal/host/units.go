package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"

	"pigsty/internal/resource"
)

// units is systemd, spoken to over its private socket: no message bus is needed.
type units struct {
	commands *commands

	mu     sync.Mutex
	conn   *dbus.Conn
	linked map[string]bool // units enabled (true) or disabled since systemd last read its files

	reloading sync.Mutex // held while systemd reads its files
	began     atomic.Uint64
	outcome   error // of the last time
}

var _ resource.Units = (*units)(nil)

// connect returns the one connection, made when it is first needed and anew
// when systemd has closed it, as it does when it executes itself again after
// an upgrade.
func (u *units) connect() (*dbus.Conn, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.conn != nil && u.conn.Connected() {
		return u.conn, nil
	}
	if u.conn != nil {
		u.conn.Close()
	}
	// The connection outlives whichever call needs it first.
	conn, err := dbus.NewSystemdConnectionContext(context.Background())
	if err != nil {
		return nil, fmt.Errorf("connect to systemd: %w", err)
	}
	u.conn = conn
	return conn, nil
}

// Show implements resource.Units.
func (u *units) Show(ctx context.Context, name string) (resource.UnitState, error) {
	conn, err := u.connect()
	if err != nil {
		return resource.UnitState{}, err
	}
	u.mu.Lock()
	enabled, newer := u.linked[name]
	u.mu.Unlock()
	all, err := conn.GetUnitPropertiesContext(ctx, name)
	if err != nil {
		return resource.UnitState{}, fmt.Errorf("ask systemd about %s: %w", name, err)
	}
	text := func(key string) string { s, _ := all[key].(string); return s }
	st := resource.UnitState{Load: text("LoadState"), Active: text("ActiveState")}
	st.Stale, _ = all["NeedDaemonReload"].(bool)
	// systemd does not count a new file in /etc that hides the vendor's one it has read
	own := "/etc/systemd/system/" + name
	if info, err := os.Lstat(own); err == nil && info.Mode().IsRegular() && text("FragmentPath") != own {
		st.Stale = true
	}
	if id, ok := all["InvocationID"].([]byte); ok && len(id) > 0 {
		st.Invocation = fmt.Sprintf("%x", id)
	}
	switch text("UnitFileState") {
	case "enabled", "enabled-runtime", "linked", "linked-runtime", "alias":
		st.Enabled = true
	// "indirect" is none of these: only a link of another name leads to it.
	case "static", "generated", "transient":
		st.Enabled, st.Static = true, true
	}
	if newer {
		st.Enabled = enabled
	}
	running := st.Active == "active" || st.Active == "reloading"
	if running {
		// When the start began and not when it was complete: in between the
		// unit has read its configuration.
		if us, ok := all["InactiveExitTimestamp"].(uint64); ok && us > 0 {
			st.Since = time.UnixMicro(int64(us))
		}
	}
	if running || st.Active == "activating" {
		if service, err := conn.GetServicePropertyContext(ctx, name, "MainPID"); err == nil {
			if pid, ok := service.Value.Value().(uint32); ok {
				st.MainPID = int(pid)
			}
		}
	}
	return st, nil
}

// job starts a job of systemd and waits for its result.
func (u *units) job(ctx context.Context, start func(c *dbus.Conn, done chan<- string) (int, error)) error {
	conn, err := u.connect()
	if err != nil {
		return err
	}
	done := make(chan string, 1) // systemd's answer must find a place when nobody waits any more
	if _, err := start(conn, done); err != nil {
		return err
	}
	alive := time.NewTicker(time.Second)
	defer alive.Stop()
	for {
		select {
		case result := <-done:
			return jobError(result)
		case <-alive.C:
			if !conn.Connected() {
				return errors.New("the connection to systemd was lost before its job was done")
			}
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return errors.New("systemd's job is not done in the time given")
			}
			return ctx.Err()
		}
	}
}

// jobError puts the results of jobs, from org.freedesktop.systemd1(5), in words.
func jobError(result string) error {
	switch result {
	case "done", "skipped":
		return nil
	case "canceled":
		return errors.New("the job was canceled by another one")
	case "timeout":
		return errors.New("the job timed out")
	case "dependency":
		return errors.New("a unit that it depends on failed")
	case "failed":
		return errors.New("the job failed")
	}
	return fmt.Errorf("the job ended as %q", result)
}

// Start implements resource.Units. Earlier failures do not count against it.
func (u *units) Start(ctx context.Context, name string) error {
	return u.job(ctx, func(c *dbus.Conn, done chan<- string) (int, error) {
		_ = c.ResetFailedUnitContext(ctx, name) // an error says that it is not loaded, which start will say too
		return c.StartUnitContext(ctx, name, "replace", done)
	})
}

// Stop implements resource.Units.
func (u *units) Stop(ctx context.Context, name string) error {
	return u.job(ctx, func(c *dbus.Conn, done chan<- string) (int, error) {
		return c.StopUnitContext(ctx, name, "replace", done)
	})
}

// Restart implements resource.Units.
func (u *units) Restart(ctx context.Context, name string) error {
	return u.job(ctx, func(c *dbus.Conn, done chan<- string) (int, error) {
		_ = c.ResetFailedUnitContext(ctx, name)
		return c.RestartUnitContext(ctx, name, "replace", done)
	})
}

// Reload implements resource.Units.
func (u *units) Reload(ctx context.Context, name string) error {
	return u.job(ctx, func(c *dbus.Conn, done chan<- string) (int, error) {
		return c.ReloadUnitContext(ctx, name, "replace", done)
	})
}

// Enable implements resource.Units.
func (u *units) Enable(ctx context.Context, name string) error {
	return u.link(ctx, "enable", name)
}

// Disable implements resource.Units.
func (u *units) Disable(ctx context.Context, name string) error {
	return u.link(ctx, "disable", name)
}

// link has systemctl make or remove the links by itself. systemd would do the
// same, but then holds every unit for changed until it has read all files anew,
// which takes a second on a small host: once for all units is enough.
func (u *units) link(ctx context.Context, verb, name string) error {
	if _, err := u.commands.Run(ctx, resource.Command{Args: []string{"systemctl", "--quiet", "--root=/", verb, name}}); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.linked == nil {
		u.linked = map[string]bool{}
	}
	u.linked[name] = verb == "enable"
	return nil
}

// ReadLinks implements resource.Units.
func (u *units) ReadLinks(ctx context.Context) error {
	u.mu.Lock()
	n := len(u.linked)
	u.mu.Unlock()
	if n == 0 {
		return nil
	}
	return u.DaemonReload(ctx)
}

// DaemonReload implements resource.Units. One serves all who asked before it began.
func (u *units) DaemonReload(ctx context.Context) error {
	asked := u.began.Load()
	u.reloading.Lock()
	defer u.reloading.Unlock()
	if u.began.Load() == asked {
		u.began.Add(1)
		u.outcome = u.daemonReload(ctx)
	}
	return u.outcome
}

func (u *units) daemonReload(ctx context.Context) error {
	conn, err := u.connect()
	if err != nil {
		return err
	}
	u.mu.Lock()
	before := maps.Clone(u.linked)
	u.mu.Unlock()
	if err := conn.ReloadContext(ctx); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	maps.DeleteFunc(u.linked, func(name string, enabled bool) bool {
		was, known := before[name]
		return known && was == enabled
	})
	return nil
}

// Journal implements resource.Units.
func (u *units) Journal(ctx context.Context, name string, n int) string {
	out, err := u.commands.Run(ctx, resource.Command{
		Args: []string{"journalctl", "--no-pager", "--quiet", "--output=cat", "--lines", fmt.Sprint(n), "--unit", name}})
	if err != nil {
		return ""
	}
	return string(out)
}
