package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"pigsty/internal/resource"
)

// Stopped is a data directory that no server uses. Patroni takes its server
// with it when it stops, except while it is paused or when it was killed.
type Stopped struct {
	Data   string          // data directory
	Bin    string          // directory of pg_ctl
	User   string          // owner of the server's process; postgres if empty
	Unit   string          // what usually stops it; while that is about to, this is known later
	Impact resource.Impact // of stopping the server
	Except string          // unit whose server is left alone; empty for none
}

var _ resource.Requirer = Stopped{}

// stopSeconds is how long a server may take to write what it has in memory.
const stopSeconds = 300

// Key returns "postgres stopped DATA".
func (s Stopped) Key() string { return "postgres stopped " + s.Data }

// Requires puts it after the unit.
func (s Stopped) Requires() []string { return []string{"unit absent " + s.Unit} }

// postmaster returns the server's process, 0 if none runs. A process of the
// same number that is not a server of this directory does not count: its working
// directory is another one.
func (s Stopped) postmaster(h *resource.Host) (int, error) {
	name := path.Join(s.Data, "postmaster.pid")
	lock, err := h.Files.Read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(lock), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 0 {
		return 0, nil // an empty file is what a full disk leaves
	}
	seen, err := h.Files.Read(fmt.Sprintf("/proc/%d/cwd/postmaster.pid", pid))
	if err != nil || !bytes.Equal(seen, lock) {
		return 0, nil //nolint:nilerr // the process is gone, or is another
	}
	return pid, nil
}

// Diff is a stop if a server runs.
func (s Stopped) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	pid, err := s.postmaster(h)
	if err != nil || pid == 0 {
		return resource.Change{}, err
	}
	if s.Except != "" {
		st, err := h.Units.Show(ctx, s.Except)
		if err != nil || st.MainPID == pid {
			return resource.Change{}, err
		}
	}
	if _, pending := h.Pending("unit absent " + s.Unit); pending {
		return resource.Change{Unknown: "after " + s.Unit + " has stopped"}, nil
	}
	return resource.Change{Action: resource.Update, Reason: fmt.Sprintf("the server still runs, as process %d", pid), Impact: s.Impact,
		Attrs: []resource.Attr{{Name: "running", Old: "yes", New: "no"}}}, nil
}

// Apply stops the server: transactions are rolled back, then it writes a checkpoint.
func (s Stopped) Apply(ctx context.Context, h *resource.Host) error {
	if pid, err := s.postmaster(h); err != nil || pid == 0 {
		return err
	}
	user := s.User
	if user == "" {
		user = "postgres"
	}
	_, err := h.Commands.Run(ctx, resource.Command{
		Args: []string{path.Join(s.Bin, "pg_ctl"), "--pgdata=" + s.Data, "--mode=fast", "--wait", "--timeout=" + strconv.Itoa(stopSeconds), "stop"},
		User: user, Dir: "/",
	})
	if err == nil {
		return nil
	}
	if pid, again := s.postmaster(h); again == nil && pid == 0 {
		return nil // it went by itself
	}
	return fmt.Errorf("stopping the server of %s: %w", s.Data, err)
}
