package postgres

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"pigsty/internal/resource"
	"pigsty/internal/resource/patroni"
)

// Report only observes: its Diff says, in attributes, how the host's own
// instance is. Patroni tells; the server itself does where there is no Patroni.
type Report struct {
	Patroni patroni.Report
	Unit    string // that the server goes over to where Patroni is taken away, see Handed; empty if it never is
	Server  Server
	Backup  *Backup // what a leader should have, nil if that is not worth a word
}

// reportTimeout is how long a server may take to say how it is.
const reportTimeout = 3 * time.Second

// Key is that of Patroni's report.
func (r *Report) Key() string { return r.Patroni.Key() }

// Diff returns the attributes of a patroni.Report, and "backup" of a leader
// whose repository has none.
func (r *Report) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	if _, handed := h.Manifest.Unit(r.Unit); handed {
		own, err := r.alone(ctx, h)
		if err != nil {
			return resource.Change{}, err
		}
		return resource.Change{Attrs: append(own, r.Patroni.UnitStates(ctx, h)...)}, nil
	}
	c, err := r.Patroni.Diff(ctx, h)
	if err != nil {
		return c, err
	}
	for _, a := range c.Attrs {
		if a.Name == "role" && a.New == "leader" {
			c.Attrs = append(c.Attrs, r.backup(ctx, h)...)
		}
	}
	return c, nil
}

// backup is a word about a repository without a backup.
func (r *Report) backup(ctx context.Context, h *resource.Host) []resource.Attr {
	if r.Backup == nil {
		return nil
	}
	if newest, err := r.Backup.newest(ctx, h); err == nil && newest == NoBackup {
		return []resource.Attr{{Name: "backup", New: "none here, `pigsty pg backup " + r.Backup.Name + "` makes one"}}
	}
	return nil
}

// aloneQuery asks for what Patroni would say. A replica knows how far its leader
// is from the last message of it.
const aloneQuery = `SELECT pg_is_in_recovery(), (SELECT timeline_id FROM pg_control_checkpoint()),
  coalesce((SELECT status FROM pg_stat_wal_receiver), ''),
  coalesce((SELECT greatest(pg_wal_lsn_diff(latest_end_lsn, pg_last_wal_replay_lsn()), 0) FROM pg_stat_wal_receiver), -1)::bigint`

// alone asks the server.
func (r *Report) alone(ctx context.Context, h *resource.Host) ([]resource.Attr, error) {
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	var replica bool
	var timeline int
	var receiver string
	var lag int64
	err := r.Server.pass(h).with(ctx, maintenance, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, aloneQuery).Scan(&replica, &timeline, &receiver, &lag)
	})
	if errors.Is(err, errNotRunning) {
		return []resource.Attr{{Name: "state", New: "postgres does not answer"}}, nil
	}
	if err != nil {
		return nil, serverError(err)
	}
	out := []resource.Attr{{Name: "role", New: "leader"}, {Name: "state", New: "running"}}
	if replica {
		out = []resource.Attr{{Name: "role", New: "replica"}, {Name: "state", New: orElse(receiver, "running")}, {Name: "lag", New: "unknown"}}
		if lag >= 0 {
			out[2].New = strconv.FormatInt(lag, 10)
		}
	} else {
		out = append(out, r.backup(ctx, h)...)
	}
	return append(out, resource.Attr{Name: "timeline", New: strconv.Itoa(timeline)}, resource.Attr{Name: "patroni", New: "taken away"}), nil
}

// Apply does nothing.
func (r *Report) Apply(context.Context, *resource.Host) error { return nil }
