package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"time"

	"pigsty/internal/resource"
)

// Restore is a data directory that pgBackRest restored and whose server has
// recovered to a target: it runs as a primary, for nobody but the superuser on
// the host itself, until Patroni takes it over.
//
// What was reached is kept in a file on the host, so that a run that is cut is
// gone on with by the next one that asks for the same.
type Restore struct {
	Server
	Name   string // of the cluster
	Data   string // data directory
	Bin    string // directory of the server's programs
	Config string // pgBackRest's configuration file
	Stanza string

	Request string   // what is asked for, in words
	Set     string   // label of the backup to start from
	Target  []string // options of pgbackrest restore that say what to recover to
	Aside   string   // where the present data directory is moved; empty discards it

	// Whole is a repository that has everything that was committed up to the
	// server's stop. If a time is the target and the archive ends before a
	// commit that is later, then there is no such commit, and the end of the
	// archive is what was asked for. Otherwise it means that something is missing.
	Whole bool

	// Foreign is a backup of another database cluster than the present one, or
	// from elsewhere than the cluster's own place. WAL of the present data directory
	// leads to no target of that, and the server archives nothing before Patroni
	// configures it.
	Foreign bool
	// Settings are what a foreign server recovers with on this host, NAME=VALUE each.
	Settings []string
	// Timeline is the one that is followed. The new one of a foreign server gets a
	// number after Beyond, since the cluster's own archive has those up to it.
	Timeline, Beyond int

	// InArchive is a target that was found to be in the archive before the server
	// stopped. Any other may be in WAL that only the present data directory has.
	InArchive bool
}

// RecoveryUnit is the unit in which the server recovers.
const RecoveryUnit = "pigsty-recovery.service"

// recoveryTimeout is how long a recovery may take.
const recoveryTimeout = 24 * time.Hour

// Key returns "restore NAME".
func (r Restore) Key() string { return "restore " + r.Name }

// Requires returns the configuration file.
func (r Restore) Requires() []string { return []string{"file " + r.Config} }

func (r Restore) stopped() Stopped {
	return Stopped{Data: r.Data, Bin: r.Bin, User: r.withDefaults().User}
}

// progress returns how far this very request is.
func (r Restore) progress(h *resource.Host) (Progress, error) {
	p, err := readProgress(h)
	if err != nil || p == nil || p.Request != r.Request {
		return Progress{Cluster: r.Name, Request: r.Request, Set: r.Set}, err
	}
	return *p, nil
}

// Diff is a run until the server has recovered, and again if it is gone before
// Patroni took it over.
func (r Restore) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	p, err := r.progress(h)
	if err != nil {
		return resource.Change{}, err
	}
	if p.Phase == PhaseRecovered {
		leads, err := r.leads(ctx, h)
		if err != nil || leads {
			return resource.Change{}, err
		}
	}
	c := resource.Change{Action: resource.Run, Reason: "asked for", Impact: resource.ImpactDataLoss, Attrs: []resource.Attr{{Name: "backup", New: r.Set}}}
	switch p.Phase {
	case PhaseRestored:
		c.Reason = "the files are restored, the server has yet to recover"
	case PhaseRecovered:
		c.Reason = "the server had recovered, and is gone: it starts again"
	}
	for _, option := range r.Target {
		name, value, _ := strings.Cut(strings.TrimPrefix(option, "--"), "=")
		c.Attrs = append(c.Attrs, resource.Attr{Name: name, New: orElse(value, "yes")})
	}
	return c, nil
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// Apply restores the files and has the server recover.
func (r Restore) Apply(ctx context.Context, h *resource.Host) error {
	p, err := r.progress(h)
	if err != nil {
		return err
	}
	_, data := h.Files.Stat(path.Join(r.Data, "PG_VERSION"))
	lost := errors.Is(data, fs.ErrNotExist) // the files went with their disk
	if lost || p.Phase != PhaseRestored && p.Phase != PhaseRecovered {
		p.Phase = PhaseBegun
		if err := r.restore(ctx, h, &p); err != nil {
			return err
		}
		p.Phase = PhaseRestored
		if err := writeProgress(h, p); err != nil {
			return err
		}
	}
	if err := r.recover(ctx, h); err != nil {
		return err
	}
	r.pass(h).forget() // what was seen of the server that is gone
	if err := r.forgetTarget(ctx, h); err != nil {
		return err
	}
	if err := r.release(h); err != nil {
		return err
	}
	p.Phase = PhaseRecovered
	return writeProgress(h, p)
}

// restore puts the files of the backup in place of those that are there.
func (r Restore) restore(ctx context.Context, h *resource.Host, p *Progress) error {
	if err := h.Units.Stop(ctx, RecoveryUnit); err != nil { // of another target that was not reached
		if st, showErr := h.Units.Show(ctx, RecoveryUnit); showErr == nil && st.Active == "active" {
			return err
		}
	}
	if pid, err := r.stopped().postmaster(h); err != nil || pid != 0 {
		return errors.Join(err, fmt.Errorf("the server of %s still runs, as process %d", r.Data, pid))
	}
	if !r.Foreign {
		if err := r.unarchived(h); err != nil {
			return err
		}
	}
	if r.Aside != "" {
		if err := r.moveAway(ctx, h, p); err != nil {
			return err
		}
	}
	done := make(chan struct{})
	defer close(done)
	go r.watch(ctx, h, done)
	args := append([]string{"pgbackrest", "--config=" + r.Config, "--stanza=" + r.Stanza, "--set=" + r.Set, "--force"}, r.Target...)
	if _, err := h.Commands.Run(ctx, resource.Command{Args: append(args, "restore"), User: r.withDefaults().User, Dir: "/"}); err != nil {
		return err
	}
	return r.reserve(h)
}

// percentage is how pgBackRest's log says how far a restore is.
var percentage = regexp.MustCompile(`([0-9.]+)%\)`)

// watch logs how far the copying is until done is closed.
func (r Restore) watch(ctx context.Context, h *resource.Host, done <-chan struct{}) {
	config, err := h.Files.Read(r.Config)
	if h.Control == nil || err != nil {
		return
	}
	dir := "/var/log/pgbackrest"
	for line := range strings.Lines(string(config)) {
		if at, ok := strings.CutPrefix(strings.TrimSpace(line), "log-path="); ok {
			dir = at
		}
	}
	for {
		select {
		case <-done:
			return
		case <-ctx.Done():
			return
		case <-time.After(progressEvery):
		}
		out, err := h.Commands.Run(ctx, resource.Command{Args: []string{"tail", "-c", "4096", path.Join(dir, r.Stanza+"-restore.log")}})
		if found := percentage.FindAllStringSubmatch(string(out), -1); err == nil && len(found) > 0 {
			h.Control.Log(ctx, "restoring files: "+found[len(found)-1][1]+"%")
		}
	}
}
