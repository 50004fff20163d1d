package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
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

// Diff asks pgBackRest what there is.
func (s StanzaAbsent) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	configured, err := s.Stanza.configured(h)
	if err == nil && !configured {
		return resource.Change{Skipped: s.Stanza.Config + " is gone: what a repository has of " + s.Stanza.Name + " stays"}, nil
	}
	var c resource.Change
	if err == nil {
		c, err = s.diff(ctx, h)
	}
	if err != nil {
		err = fmt.Errorf("%w; `-e pg_rm_backup=false` leaves alone what is in the repository", err)
	}
	return c, err
}

func (s StanzaAbsent) diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	look, cancel := context.WithTimeout(ctx, stanzaLook)
	defer cancel()
	out, err := s.Stanza.run(look, h, "--output=json", "info")
	if err != nil {
		return resource.Change{}, fmt.Errorf("the repository cannot be read: %w", err)
	}
	st, found, err := parseAnswers(out, s.Stanza.Name)
	cut := found && st.Status.Code == statusCut
	if err != nil || !cut && (!found || st.current() == 0) {
		return resource.Change{}, err
	}
	system, err := s.system(ctx, h)
	if err != nil {
		return resource.Change{}, err
	}
	begun, _ := h.Manifest.Unit(s.Key())
	switch owner := st.system(st.current()); {
	case system == 0:
		return resource.Change{Skipped: s.Data + " is gone, and with it the knowledge whose backups these are: they stay"}, nil
	case cut && begun.Invocation != strconv.FormatUint(system, 10):
		return resource.Change{Skipped: "the stanza is incomplete, and does not say whose it is: it stays"}, nil
	case cut:
		return s.removal("what a deletion that was cut left"), nil
	case owner != system:
		return resource.Change{Skipped: fmt.Sprintf("the stanza is of another database cluster (system identifier %d, this one has %d): it stays", owner, system)}, nil
	}
	return s.removal(st.extent()), nil
}

// system returns the system identifier of the database cluster on this host, 0 if there is none.
func (s StanzaAbsent) system(ctx context.Context, h *resource.Host) (uint64, error) {
	return systemOf(ctx, h, s.Data, s.Bin, s.Stanza.withDefaults().User)
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

// Apply deletes it. The manifest remembers whose it was, for a deletion that is
// cut takes first what says so.
func (s StanzaAbsent) Apply(ctx context.Context, h *resource.Host) (err error) {
	system, err := s.system(ctx, h)
	if err != nil {
		return err
	}
	h.Manifest.SetUnit(s.Key(), resource.Loaded{Invocation: strconv.FormatUint(system, 10)})
	if err := s.Stanza.quiesce(ctx, h, s.Data, func() error {
		return s.Stanza.patiently(ctx, h, "--force", "stanza-delete") // which else heeds what a killed server left
	}); err != nil {
		return err
	}
	h.Manifest.ForgetUnit(s.Key())
	return nil
}

// StanzaIdle ends what pgBackRest does on this host for a cluster whose server has
// stopped: a backup that goes on would put files into a stanza that is deleted.
type StanzaIdle struct {
	Stanza Stanza
	Data   string // data directory; its server is stopped by then
}

var _ resource.Requirer = StanzaIdle{}

// Key returns "stanza idle NAME".
func (s StanzaIdle) Key() string { return "stanza idle " + s.Stanza.Name }

// Requires puts it after the server.
func (s StanzaIdle) Requires() []string { return []string{Stopped{Data: s.Data}.Key()} }

// Diff is a Run wherever pgBackRest is configured.
func (s StanzaIdle) Diff(_ context.Context, h *resource.Host) (resource.Change, error) {
	if configured, err := s.Stanza.configured(h); err != nil || !configured {
		return resource.Change{}, err
	}
	return resource.Change{Action: resource.Run, Reason: "backups that run end before they are deleted"}, nil
}

// Apply ends it.
func (s StanzaIdle) Apply(ctx context.Context, h *resource.Host) error {
	return s.Stanza.quiesce(ctx, h, s.Data, func() error { return nil })
}

// configured reports whether pgBackRest has a configuration on this host.
func (s Stanza) configured(h *resource.Host) (bool, error) {
	_, err := h.Files.Stat(s.Config)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// quiesce ends what pgBackRest does for the stanza on this host, and keeps it from
// beginning anew until do returns. It refuses while a server runs in data, whose
// archiving would fail meanwhile.
func (s Stanza) quiesce(ctx context.Context, h *resource.Host, data string, do func() error) error {
	pid, err := Stopped{Data: data}.postmaster(h)
	if err != nil {
		return err
	}
	if pid != 0 {
		return fmt.Errorf("a server runs in %s, as process %d: its backups go when it is removed too", data, pid)
	}
	if _, err := s.run(ctx, h, "--force", "stop"); err != nil {
		return err
	}
	err = do()
	_, started := s.run(context.WithoutCancel(ctx), h, "start")
	return errors.Join(err, started)
}
