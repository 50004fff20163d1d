package resource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// workersTimeout is how long a reload may take.
const workersTimeout = time.Minute

// Workers are the children of a unit's main process, which a reload replaces. By
// systemd's word a reload is done when the signal is sent; the zero value takes that.
type Workers struct {
	// Title is what those that take connections are called, as ps(1) shows them.
	// A reload is over when none of those before it is.
	Title string
	// Renewed is whether there must be one that was not there before.
	Renewed bool
}

// children returns the processes that the unit's main process has started.
func (w Workers) children(h *Host, st UnitState) []string {
	if w == (Workers{}) || st.MainPID == 0 {
		return nil
	}
	pids, err := h.Files.Read(fmt.Sprintf("/proc/%d/task/%[1]d/children", st.MainPID)) // proc_pid_task_children(5)
	if err != nil {
		return nil
	}
	return strings.Fields(string(pids))
}

// works reports whether the process takes connections.
func (w Workers) works(h *Host, pid string) bool {
	title, err := h.Files.Read("/proc/" + pid + "/cmdline")
	return err == nil && string(bytes.Trim(title, "\x00 ")) == w.Title
}

// over returns why a reload of a unit that had the children before is not over.
func (w Workers) over(h *Host, st UnitState, before []string) error {
	if w.Title != "" && slices.ContainsFunc(before, func(pid string) bool { return w.works(h, pid) }) {
		return errors.New("what it read before is still in use")
	}
	known := func(pid string) bool { return slices.Contains(before, pid) }
	if w.Renewed && (st.Active == "reloading" || !slices.ContainsFunc(w.children(h, st), func(pid string) bool { return !known(pid) })) {
		return errors.New("no process has begun that reads it")
	}
	return nil
}

// replaced waits until a reload of a unit that had the children before is over.
func (u *Unit) replaced(ctx context.Context, h *Host, before []string) error {
	if len(before) == 0 {
		return nil
	}
	for end := time.Now().Add(workersTimeout); ; {
		st, err := h.Units.Show(ctx, u.Name)
		if err != nil {
			return err
		}
		if err = u.Workers.over(h, st, before); err == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%w after %s", err, workersTimeout)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
