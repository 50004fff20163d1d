package etcd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"pigsty/internal/resource"
)

// Member makes a host join a cluster that runs already. While no other member
// answers there is nothing to join: the host is part of a new cluster, whose
// configuration names all its members. That is so unless the cluster is known to
// be Formed: beginning another one beside it, with most of the members, would
// tear apart what its members agreed on.
//
// The member is added as a learner, so that the cluster keeps its quorum whatever
// becomes of the new host, started once with a configuration that names exactly
// the members there are, and promoted when it has caught up. etcd takes one
// learner at a time, so hosts that join together take turns.
type Member struct {
	API                     // of the other members, as root
	Name      string        // of this member
	PeerURL   string        // https://10.10.10.12:2380
	ClientURL string        // https://10.10.10.12:2379
	Unit      string        // etcd.service
	Config    string        // /etc/etcd/etcd.conf, as YAML
	Binary    string        // /usr/bin/etcd
	DataDir   string        // /data/etcd
	Formed    bool          // the cluster exists, whether or not it answers now
	Timeout   time.Duration // 0 means 2 minutes
	After     []string      // keys of resources that come before
}

var _ resource.Requirer = Member{}

// What a first start reads; gone after it, and at a reboot.
const (
	runDir     = "/run/etcd"
	joinConfig = runDir + "/join.conf"
	joinFile   = "/50-join.conf"
)

func dropInDir(unit string) string { return "/run/systemd/system/" + unit + ".d" }

// Leftovers are the directories in which a join that broke off leaves something
// that a later start of unit would read.
func Leftovers(unit string) []string { return []string{runDir, dropInDir(unit)} }

// joining is the file that holds the ID as which this host is joining, so that
// data which it already has is known to be of this life.
func (m Member) joining() string { return path.Join(path.Dir(m.Config), "etcd.joining") }

func (m Member) withDefaults() Member {
	for _, f := range []struct {
		field *string
		value string
	}{{&m.Unit, "etcd.service"}, {&m.Config, "/etc/etcd/etcd.conf"}, {&m.Binary, "/usr/bin/etcd"}, {&m.DataDir, "/data/etcd"}} {
		if *f.field == "" {
			*f.field = f.value
		}
	}
	if m.Timeout == 0 {
		m.Timeout = 2 * time.Minute
	}
	return m
}

// Key returns "etcd member NAME".
func (m Member) Key() string { return "etcd member " + m.Name }

// Requires puts the member after its configuration and data directory, and before nothing:
// its unit must require this key, so as not to start on its own.
func (m Member) Requires() []string {
	m = m.withDefaults()
	return append([]string{"file " + m.Config, "dir " + m.DataDir}, m.After...)
}

// find returns this host's entry.
func (m Member) find(peers []Peer) (Peer, bool) {
	i := slices.IndexFunc(peers, func(p Peer) bool { return p.Name == m.Name || slices.Contains(p.PeerURLs, m.PeerURL) })
	if i < 0 {
		return Peer{}, false
	}
	return peers[i], true
}

// Diff looks for the member in the list that the others have.
func (m Member) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	m = m.withDefaults()
	c, err := m.client(h)
	var peers []Peer
	if err == nil {
		peers, err = c.Members(ctx)
	}
	if errors.Is(err, ErrUnreachable) {
		if m.Formed && !m.hasData(h) {
			return resource.Change{Action: resource.Create, Reason: "joins a cluster that does not answer now"}, nil
		}
		return resource.Change{}, nil
	}
	if err != nil {
		return resource.Change{}, err
	}
	self, listed := m.find(peers)
	c2 := resource.Change{Action: resource.Create}
	switch {
	case !listed:
		if err := m.stale(h, ""); err != nil {
			return resource.Change{}, err
		}
		c2.Reason = fmt.Sprintf("joins %d members", len(peers))
	case self.Name == "":
		c2.Reason = "was added, but has not started"
	case len(self.ClientURLs) > 0 && !m.hasData(h): // it has served, other than a member of a cluster that is being made
		return resource.Change{}, fmt.Errorf("%s is a member of the cluster, but %s has none of its data any more: remove it by etcd-rm, then it can join again", m.Name, m.DataDir)
	case self.Learner:
		c2.Reason = "has started, but does not vote yet"
	case m.untidy(h):
		c2 = resource.Change{Action: resource.Update, Reason: "has joined; what only its first start needs is still there"}
	default:
		return resource.Change{}, nil
	}
	return c2, nil
}

func (m Member) hasData(h *resource.Host) bool {
	names, err := h.Files.List(m.DataDir + "/member")
	return err == nil && len(names) > 0
}

// stale refuses data of another life: a member that was removed cannot come
// back with it. What it got while joining as the member with id is its own.
func (m Member) stale(h *resource.Host, id string) error {
	if !m.hasData(h) {
		return nil
	}
	if mine, err := h.Files.Read(m.joining()); err == nil && id != "" && string(mine) == id {
		return nil
	}
	return fmt.Errorf("%s has the data of another cluster, or of a member that was removed: finish its removal by etcd-rm, or move it away, for %s to join", m.DataDir, m.Name)
}

// untidy reports whether anything is there that tidy removes.
func (m Member) untidy(h *resource.Host) bool {
	for _, p := range []string{dropInDir(m.Unit) + joinFile, joinConfig, m.joining()} {
		if _, err := h.Files.Stat(p); err == nil {
			return true
		}
	}
	return false
}

// Apply adds, starts and promotes the member. Whatever an earlier apply did of
// that is kept.
func (m Member) Apply(ctx context.Context, h *resource.Host) error {
	m = m.withDefaults()
	c, err := m.client(h)
	if err != nil {
		return err
	}
	self, peers, err := m.add(ctx, h, c)
	if err != nil {
		return fmt.Errorf("adding etcd member %s: %w", m.Name, err)
	}
	if self.Name == "" {
		err = m.start(ctx, h, self.ID, peers)
	} else {
		err = m.resume(ctx, h)
	}
	if err != nil {
		return fmt.Errorf("starting etcd member %s: %w", m.Name, err)
	}
	promoted := !self.Learner
	err = wait(ctx, h, m.Unit, m.Timeout, "etcd member "+m.Name, func() string {
		if !promoted {
			if err := c.Promote(ctx, self.ID); err != nil && !(says(err, saysNotLearner) && !says(err, saysNotInSync)) {
				return err.Error()
			}
			promoted = true
		}
		_, why := c.Healthy(ctx, m.ClientURL)
		return why
	})
	if err != nil {
		return errors.Join(err, m.tidy(ctx, h))
	}
	return errors.Join(h.Files.Remove(m.joining()), m.tidy(ctx, h))
}

// add makes the member part of the list, when all others are well.
func (m Member) add(ctx context.Context, h *resource.Host, c *Client) (self Peer, peers []Peer, err error) {
	err = wait(ctx, h, "", m.Timeout, "the other members", func() string {
		var err error
		if peers, err = c.Members(ctx); err != nil {
			return err.Error()
		}
		listed := false
		if self, listed = m.find(peers); listed {
			return ""
		}
		for _, p := range peers {
			switch {
			case p.Name == "":
				return "another member, " + strings.Join(p.PeerURLs, " ") + ", has not started yet"
			case p.Learner:
				return "another member, " + p.Name + ", does not vote yet"
			}
			if len(p.ClientURLs) > 0 {
				if _, why := c.Healthy(ctx, p.ClientURLs[0]); why != "" {
					return "member " + p.Name + ": " + why
				}
			}
		}
		if peers, err = c.AddLearner(ctx, m.PeerURL); err != nil {
			return err.Error()
		}
		self, _ = m.find(peers)
		return ""
	})
	return self, peers, err
}

// start starts the unit once with the members there are, as the one with id.
func (m Member) start(ctx context.Context, h *resource.Host, id string, peers []Peer) error {
	if err := m.stale(h, id); err != nil {
		return err
	}
	if err := h.Files.Write(m.joining(), []byte(id), 0o644, resource.Owner{}); err != nil {
		return err
	}
	config, err := h.Files.Read(m.Config)
	if err != nil {
		return err
	}
	info, err := h.Files.Stat(m.Config)
	if err != nil {
		return err
	}
	var cluster []string
	for _, p := range peers {
		name := p.Name
		if slices.Contains(p.PeerURLs, m.PeerURL) {
			name = m.Name
		}
		for _, url := range p.PeerURLs {
			cluster = append(cluster, name+"="+url)
		}
	}
	text := setLine(string(config), "initial-cluster", strings.Join(cluster, ","))
	text = setLine(text, "initial-cluster-state", "existing")
	if err := h.Files.Mkdir(runDir, 0o755, resource.Owner{}); err != nil {
		return err
	}
	if err := h.Files.Write(joinConfig, []byte(text), info.Mode.Perm(), info.Owner); err != nil {
		return err
	}
	dir := dropInDir(m.Unit)
	if err := h.Files.Mkdir(dir, 0o755, resource.Owner{}); err != nil {
		return err
	}
	dropIn := "[Service]\nExecStart=\nExecStart=" + m.Binary + " --config-file=" + joinConfig + "\n"
	if err := h.Files.Write(dir+joinFile, []byte(dropIn), 0o644, resource.Owner{}); err != nil {
		return err
	}
	if err := h.Units.DaemonReload(ctx); err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, m.Timeout)
	defer cancel()
	if err := h.Units.Restart(within, m.Unit); err != nil {
		journal := h.Units.Journal(ctx, m.Unit, 15)
		return errors.Join(fmt.Errorf("%w\n%s", err, strings.TrimSpace(journal)), m.tidy(ctx, h))
	}
	return nil
}

// resume starts a member that has started before, and was stopped since, as by
// its host. The data that it has then says which members there are.
func (m Member) resume(ctx context.Context, h *resource.Host) error {
	state, err := h.Units.Show(ctx, m.Unit)
	if err != nil || state.Active == "active" {
		return err
	}
	if err := h.Units.DaemonReload(ctx); err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, m.Timeout)
	defer cancel()
	if err := h.Units.Start(within, m.Unit); err != nil {
		return fmt.Errorf("%w\n%s", err, strings.TrimSpace(h.Units.Journal(ctx, m.Unit, 15)))
	}
	return nil
}

// tidy removes the settings that only the first start needs. The running process
// is left alone.
func (m Member) tidy(ctx context.Context, h *resource.Host) error {
	dropIn := h.Files.Remove(dropInDir(m.Unit) + joinFile)
	return errors.Join(dropIn, h.Files.Remove(joinConfig), h.Units.DaemonReload(ctx))
}

// setLine replaces the value of a top-level key of a YAML file.
func setLine(text, key, value string) string {
	line := key + ": \"" + value + "\""
	pattern := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(key) + `[ \t]*:.*$`)
	if !pattern.MatchString(text) {
		return strings.TrimRight(text, "\n") + "\n" + line + "\n"
	}
	return pattern.ReplaceAllLiteralString(text, line)
}

// MemberAbsent removes a member from the list of a cluster that goes on without it.
type MemberAbsent struct {
	API   // of the members that stay, as root
	Name  string
	After []string // keys of resources that come before
}

var _ resource.Requirer = MemberAbsent{}

// Key returns "etcd member absent NAME".
func (m MemberAbsent) Key() string { return "etcd member absent " + m.Name }

// Requires returns After.
func (m MemberAbsent) Requires() []string { return m.After }

// Diff looks for the name in the members' list. While nobody answers there is
// no list to be removed from.
func (m MemberAbsent) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	c, err := m.client(h)
	var peers []Peer
	if err == nil {
		peers, err = c.Members(ctx)
	}
	if errors.Is(err, ErrUnreachable) {
		return resource.Change{Note: "no other etcd member answers, so this one is not removed from their list"}, nil
	}
	if err != nil {
		return resource.Change{}, err
	}
	if !slices.ContainsFunc(peers, m.is) {
		return resource.Change{}, nil
	}
	return resource.Change{Action: resource.Remove, Reason: fmt.Sprintf("leaves %d members", len(peers)-1)}, nil
}

func (m MemberAbsent) is(p Peer) bool { return p.Name == m.Name }

// Apply removes the member, after handing its leadership to another.
func (m MemberAbsent) Apply(ctx context.Context, h *resource.Host) error {
	c, err := m.client(h)
	if err != nil {
		return err
	}
	peers, err := c.Members(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(peers, m.is)
	if i < 0 {
		return nil
	}
	self := peers[i]
	status, err := c.Status(ctx)
	if err != nil {
		return err
	}
	if status.Leader == self.ID {
		next := slices.IndexFunc(peers, func(p Peer) bool { return p.ID != self.ID && p.Name != "" && !p.Learner })
		if next >= 0 && len(self.ClientURLs) > 0 {
			// An election does the same if this fails, only slower.
			_ = c.at(self.ClientURLs...).MoveLeader(ctx, peers[next].ID)
		}
	}
	var refused error
	err = wait(ctx, h, "", settleTimeout, "the members", func() string {
		if refused = c.Remove(ctx, self.ID); says(refused, saysUnhealthy) {
			return refused.Error()
		}
		return ""
	})
	if err = cmp.Or(err, refused); err != nil {
		return fmt.Errorf("removing etcd member %s: %w", m.Name, err)
	}
	return nil
}

// settleTimeout is how long the members are given to have been connected for
// 5 s, before which etcd lets none of them go.
const settleTimeout = 30 * time.Second
