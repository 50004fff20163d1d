package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"pigsty/internal/resource"
)

// StanzaAbsent deletes what a cluster that is removed has in a repository that
// others use too: its backups and its archive. It deletes nothing of another
// database cluster that has the name: whose a stanza is tells the data directory
// on this host, which must still be there.
type StanzaAbsent struct {
	Stanza Stanza
	Data   string // data directory; its server is stopped by then
	Bin    string // directory of pg_controldata
}

var _ resource.Requirer = StanzaAbsent{}

// Key returns "stanza absent NAME".
func (s StanzaAbsent) Key() string { return "stanza absent " + s.Stanza.Name }

// Requires puts it after the server.
func (s StanzaAbsent) Requires() []string { return []string{Stopped{Data: s.Data}.Key()} }

// Diff asks pgBackRest what there is. A host without pgBackRest's configuration
// has none.
func (s StanzaAbsent) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	if _, err := h.Files.Stat(s.Stanza.Config); errors.Is(err, fs.ErrNotExist) {
		return resource.Change{}, nil
	}
	system, err := systemOf(ctx, h, s.Data, s.Bin, s.Stanza.withDefaults().User)
	if err != nil {
		return resource.Change{}, err
	}
	look, cancel := context.WithTimeout(ctx, stanzaLook)
	defer cancel()
	out, err := s.Stanza.run(look, h, "--output=json", "info")
	if err != nil {
		return resource.Change{}, fmt.Errorf("the repository cannot be read: %w; `-e pg_rm_backup=false` leaves alone what is in it", err)
	}
	st, found, err := parseAnswers(out, s.Stanza.Name)
	switch {
	case err != nil:
		return resource.Change{}, err
	case found && st.Status.Code == statusCut: // nobody can use the rest either
		return s.removal("what a deletion that was cut left"), nil
	case !found || st.current() == 0:
		return resource.Change{}, nil
	case system == 0:
		return resource.Change{Skipped: s.Data + " is gone, and with it the knowledge whose backups these are: they stay"}, nil
	case st.system(st.current()) != system:
		return resource.Change{Skipped: fmt.Sprintf("the stanza is of another database cluster (system identifier %d, this one has %d): it stays",
			st.system(st.current()), system)}, nil
	}
	return s.removal(st.extent()), nil
}

func (s StanzaAbsent) removal(of string) resource.Change {
	return resource.Change{Action: resource.Remove, Reason: "pg_rm_backup", Impact: resource.ImpactDataLoss, Note: of}
}

// extent says what is lost with the stanza: how many backups, of when.
func (a infoAnswer) extent() string {
	if len(a.Backup) == 0 {
		return "no backup, and what was archived"
	}
	var days []string
	for _, b := range a.Backup {
		days = append(days, time.Unix(b.Timestamp.Stop, 0).UTC().Format(time.DateOnly))
	}
	if len(days) == 1 {
		return "1 backup, of " + days[0]
	}
	return fmt.Sprintf("%d backups, of %s to %s", len(days), slices.Min(days), slices.Max(days))
}

// Apply deletes it. pgBackRest wants to be told to stop before, and would refuse
// to work for a new cluster of that name if it were not told to go on.
func (s StanzaAbsent) Apply(ctx context.Context, h *resource.Host) (err error) {
	if _, err := s.Stanza.run(ctx, h, "stop"); err != nil {
		return err
	}
	defer func() {
		_, started := s.Stanza.run(context.WithoutCancel(ctx), h, "start")
		err = errors.Join(err, started)
	}()
	_, err = s.Stanza.run(ctx, h, "stanza-delete")
	return err
}
