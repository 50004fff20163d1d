package resource

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"
)

// workersTimeout is how long a reload waits for the workers before it. One that
// is held up still ends by itself later.
const workersTimeout = 30 * time.Second

// workers returns the processes with the title u.Workers that the unit's main
// process has started.
func (u *Unit) workers(h *Host, st UnitState) []string {
	if u.Workers == "" || st.MainPID == 0 {
		return nil
	}
	children, err := h.Files.Read(fmt.Sprintf("/proc/%d/task/%[1]d/children", st.MainPID)) // proc_pid_task_children(5)
	if err != nil {
		return nil
	}
	var pids []string
	for pid := range strings.FieldsSeq(string(children)) {
		if u.works(h, pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// works reports whether the process has the title u.Workers still.
func (u *Unit) works(h *Host, pid string) bool {
	title, err := h.Files.Read("/proc/" + pid + "/cmdline")
	return err == nil && string(bytes.Trim(title, "\x00 ")) == u.Workers
}

// replaced waits until none of the workers before the reload takes connections:
// they have ended, or say in their title that they do so.
func (u *Unit) replaced(ctx context.Context, h *Host, before []string) {
	ctx, cancel := context.WithTimeout(ctx, workersTimeout)
	defer cancel()
	for _, pid := range before {
		for u.works(h, pid) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
}
