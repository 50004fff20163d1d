package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"pigsty/internal/resource"
)

// earlyEnd is what a server says that has no more WAL before its target.
const earlyEnd = "recovery ended before configured recovery target was reached"

// recover starts the server and waits until it has reached the target and
// become a primary. A server that an earlier run started is waited for.
func (r Restore) recover(ctx context.Context, h *resource.Host) error {
	begin := time.Now()
	if st, err := h.Units.Show(ctx, RecoveryUnit); err != nil || st.Active != "active" {
		if err := r.start(ctx, h); err != nil {
			return err
		}
	}
	ended := false // whether the target was given up because there is nothing after it
	for last := ""; ; {
		if leads, err := r.leads(ctx, h); err != nil || leads {
			return err
		}
		st, err := h.Units.Show(ctx, RecoveryUnit)
		journal := recoveryJournal(ctx, h)
		switch gone := err == nil && st.Active != "active" && st.Active != "activating"; {
		case gone && !ended && r.Whole && r.ofTime() && strings.Contains(journal, earlyEnd):
			ended = true
			h.Control.Log(ctx, "nothing was committed after the target: the end of the archive is what was asked for")
			if err := r.start(ctx, h, "recovery_target_time="); err != nil {
				return err
			}
		case gone && strings.Contains(journal, earlyEnd):
			return fmt.Errorf("the target is not in the archive after backup %s. The data directory is restored, and the cluster is down: "+
				"ask for another target, an earlier backup, or --latest to have all of it back; journal of %s:\n%s", r.Set, RecoveryUnit, journal)
		case gone:
			return fmt.Errorf("the server ended while it recovered; journal of %s:\n%s", RecoveryUnit, journal)
		case time.Since(begin) > recoveryTimeout:
			return fmt.Errorf("the server has not recovered after %s; journal of %s:\n%s", recoveryTimeout, RecoveryUnit, journal)
		}
		if lines := strings.Split(journal, "\n"); lines[len(lines)-1] != last {
			last = lines[len(lines)-1]
			h.Control.Log(ctx, "recovering: "+last)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// leads reports whether the server has become a primary. Nobody asks it before
// it is done with the WAL: it would log each attempt.
func (r Restore) leads(ctx context.Context, h *resource.Host) (bool, error) {
	if _, err := h.Files.Stat(path.Join(r.Data, "recovery.signal")); !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	recovery := true
	err := r.pass(h).with(ctx, maintenance, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&recovery)
	})
	if errors.Is(err, errNotRunning) {
		return false, nil
	}
	return !recovery, serverError(err)
}

// recoveryJournal returns the last log lines of the server that recovers, none
// of those that recovered before it.
func recoveryJournal(ctx context.Context, h *resource.Host) string {
	text := strings.TrimSpace(h.Units.Journal(ctx, RecoveryUnit, 15))
	return text[max(0, strings.LastIndex(text, "starting PostgreSQL")):]
}

func (r Restore) ofTime() bool {
	return slices.Contains(r.Target, "--type=time")
}

// start starts the server in a unit of its own, so that it outlives the
// connection. It takes no connections before it is a primary, and none from
// other hosts even then.
func (r Restore) start(ctx context.Context, h *resource.Host, settings ...string) error {
	s := r.withDefaults()
	args := []string{
		"systemd-run", "--quiet", "--collect", "--unit=" + RecoveryUnit, "--uid=" + s.User, "--property=KillMode=mixed", "--property=KillSignal=SIGINT",
		"--property=TimeoutStopSec=" + strconv.Itoa(stopSeconds), "--property=OOMPolicy=continue",
		path.Join(r.Bin, "postgres"), "-D", r.Data,
	}
	for _, setting := range append([]string{
		"listen_addresses=", "port=" + strconv.Itoa(s.Port), "unix_socket_directories=" + s.Socket, "hot_standby=off",
		"synchronous_standby_names=", "logging_collector=off", "log_destination=stderr", "lc_messages=C", "log_min_messages=log",
	}, append(r.foreign(), settings...)...) {
		args = append(args, "-c", setting)
	}
	if _, err := h.Commands.Run(ctx, resource.Command{Args: args, Dir: "/"}); err != nil {
		return fmt.Errorf("starting the server to recover: %w", err)
	}
	return nil
}

// foreign returns the settings of a server that comes from elsewhere, and has the
// configuration of there. It would archive there, too: what it writes waits for
// Patroni's configuration instead. Numbers of timelines that the cluster's own
// archive has are passed over.
func (r Restore) foreign() []string {
	if !r.Foreign {
		return nil
	}
	out := append([]string{"archive_command="}, r.Settings...)
	if r.Timeline < r.Beyond {
		out = append(out, "recovery_target_timeline="+strconv.Itoa(r.Timeline))
	}
	return out
}

// recoverySettings are what pgBackRest writes to postgresql.auto.conf. A server
// that one day becomes a replica must not stop at an old target.
var recoverySettings = strings.Fields(`restore_command recovery_target recovery_target_time recovery_target_xid recovery_target_name
	recovery_target_lsn recovery_target_inclusive recovery_target_action recovery_target_timeline archive_mode`)

func (r Restore) forgetTarget(ctx context.Context, h *resource.Host) error {
	var statements []string
	for _, name := range recoverySettings {
		statements = append(statements, "ALTER SYSTEM RESET "+name)
	}
	if err := r.pass(h).run(ctx, maintenance, statements...); err != nil {
		return fmt.Errorf("forgetting the recovery target: %w", err)
	}
	return nil
}
