package resourcetest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"pigsty/internal/resource"
)

// Systemd is a service manager in memory.
type Systemd struct {
	mu    sync.Mutex
	disk  *Disk // for its clock
	units map[string]*unit
	calls []string
	count int
}

type unit struct {
	resource.UnitState
	fail string // the log line of a unit that cannot start
}

var _ resource.Units = (*Systemd)(nil)

// Set puts the unit there in the given state.
func (s *Systemd) Set(name string, st resource.UnitState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.Load == "" {
		st.Load = "loaded"
	}
	if st.Active == "" {
		st.Active = "inactive"
	}
	s.units[name] = &unit{UnitState: st}
}

// Break makes the unit fail to start, leaving line in its log; "" mends it.
func (s *Systemd) Break(name, line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.units[name].fail = line
}

// Calls returns what was done since the last call, such as "start haproxy.service".
func (s *Systemd) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.calls
	s.calls = nil
	return out
}

// Show implements resource.Units.
func (s *Systemd) Show(_ context.Context, name string) (resource.UnitState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.units[name]; u != nil {
		return u.UnitState, nil
	}
	return resource.UnitState{Load: "not-found", Active: "inactive"}, nil
}

func (s *Systemd) do(verb, name string, f func(u *unit) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, verb+" "+name)
	u := s.units[name]
	if u == nil {
		return fmt.Errorf("unit %s not found", name)
	}
	return f(u)
}

func (s *Systemd) run(u *unit) error {
	if u.fail != "" {
		u.Active = "failed"
		return errors.New("the job failed")
	}
	s.count++
	u.Active, u.Since, u.Invocation = "active", s.disk.Now(), fmt.Sprintf("%032d", s.count)
	return nil
}

// Start implements resource.Units.
func (s *Systemd) Start(_ context.Context, name string) error {
	return s.do("start", name, func(u *unit) error {
		if u.Active == "active" {
			return nil
		}
		return s.run(u)
	})
}

// Stop implements resource.Units.
func (s *Systemd) Stop(_ context.Context, name string) error {
	return s.do("stop", name, func(u *unit) error { u.Active = "inactive"; return nil })
}

// Restart implements resource.Units.
func (s *Systemd) Restart(_ context.Context, name string) error { return s.do("restart", name, s.run) }

// Reload implements resource.Units.
func (s *Systemd) Reload(_ context.Context, name string) error {
	return s.do("reload", name, func(u *unit) error {
		if u.Active != "active" || u.fail != "" {
			return errors.New("the job failed")
		}
		return nil
	})
}

// Enable implements resource.Units.
func (s *Systemd) Enable(_ context.Context, name string) error {
	return s.do("enable", name, func(u *unit) error { u.Enabled = true; return nil })
}

// Disable implements resource.Units.
func (s *Systemd) Disable(_ context.Context, name string) error {
	return s.do("disable", name, func(u *unit) error { u.Enabled = false; return nil })
}

// DaemonReload implements resource.Units.
func (s *Systemd) DaemonReload(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, "daemon-reload")
	for _, u := range s.units {
		u.Stale = false
	}
	return nil
}

// ReadLinks implements resource.Units.
func (s *Systemd) ReadLinks(context.Context) error { return nil }

// Journal implements resource.Units.
func (s *Systemd) Journal(_ context.Context, name string, _ int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.units[name]; u != nil {
		return u.fail
	}
	return ""
}
