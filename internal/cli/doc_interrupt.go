package cli

import (
	"cmp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
	"pigsty/internal/resource/patroni"
	"pigsty/internal/resource/postgres"
)

// sampleVersion is the server of the sample, as server_version_num.
const sampleVersion = 180000

// interruption is what a change of a parameter does to what runs.
type interruption struct {
	Reloads  []string `json:"reloads"`  // units, and "PostgreSQL"
	Restarts []string `json:"restarts"` // the same
	Starts   []string `json:"starts,omitempty"`
	Stops    []string `json:"stops,omitempty"`
	// Settings of PostgreSQL are why it restarts.
	Settings []string `json:"settings,omitempty"`
}

// interrupts finds out what reads what differs.
func (t *trial) interrupts() interruption {
	in := interruption{Reloads: []string{}, Restarts: []string{}}
	if len(t.plays) > 0 {
		return in // removals are no change of what goes on running
	}
	changed := t.changedPaths()
	for id, s := range t.after {
		switch r := s.Resource.(type) {
		case *resource.Unit:
			t.unit(&in, id, r, changed[s.Host])
		case postgres.Reload:
			if slices.ContainsFunc(changed[s.Host], func(p string) bool { return slices.Contains(r.On, p) }) {
				in.Reloads = append(in.Reloads, "PostgreSQL")
			}
		case patroni.DynamicConfig:
			t.configuration(&in, id, r)
		}
	}
	for id, s := range t.before {
		u, is := s.Resource.(*resource.Unit)
		if is && u.Running && t.after[id] == nil {
			in.Stops = append(in.Stops, u.Name)
		}
	}
	for _, list := range []*[]string{&in.Reloads, &in.Restarts, &in.Starts, &in.Stops, &in.Settings} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	in.Reloads = slices.DeleteFunc(in.Reloads, func(name string) bool { return slices.Contains(in.Restarts, name) })
	return in
}

// changedPaths are the files that differ, by host.
func (t *trial) changedPaths() map[string][]string {
	out := map[string][]string{}
	for _, id := range t.order {
		s := t.step(id)
		if kind, name := splitKey(s.Resource.Key()); kind == "file" {
			out[s.Host] = append(out[s.Host], name)
		}
	}
	return out
}

// unit says what happens to a unit that reads files that changed.
func (t *trial) unit(in *interruption, id string, u *resource.Unit, changed []string) {
	reads := func(list []string) bool {
		return slices.ContainsFunc(changed, func(p string) bool { return below(p, list) })
	}
	was := running(t.before[id])
	switch {
	case u.Running && !was:
		in.Starts = append(in.Starts, u.Name)
	case was && !u.Running:
		in.Stops = append(in.Stops, u.Name)
	case u.Running && reads(u.RestartOn):
		in.Restarts = append(in.Restarts, u.Name)
	case u.Running && reads(u.ReloadOn):
		in.Reloads = append(in.Reloads, u.Name)
		for _, p := range u.ReloadOn {
			t.memberSettings(in, plan.ID(t.after[id].Host, "file "+p))
		}
	}
}

// running reports whether s, which may be nil, is a unit that is to run.
func running(s *plan.Step) bool {
	if s == nil {
		return false
	}
	u, is := s.Resource.(*resource.Unit)
	return is && u.Running
}

// configuration says whether settings of the dynamic configuration that differ
// need a restart of PostgreSQL.
func (t *trial) configuration(in *interruption, id string, d patroni.DynamicConfig) {
	old := t.before[id]
	if old == nil {
		return
	}
	c := d.Against(old.Resource.(patroni.DynamicConfig), sampleVersion)
	switch {
	case c.Impact >= resource.ImpactRestart:
		in.restart(patroni.RestartSettings(c, sampleVersion)...)
	case len(c.Attrs) > 0:
		in.Reloads = append(in.Reloads, "PostgreSQL")
	}
}

// memberSettings says the same of what a member sets for itself, in the
// configuration file of its Patroni that the step id writes.
func (t *trial) memberSettings(in *interruption, id string) {
	before, after := memberTree(t.before[id]), memberTree(t.after[id])
	if before == nil || after == nil {
		return
	}
	for _, pair := range [][2]patroni.Tree{{before, after}, {after, before}} { // the second finds what is gone
		c := patroni.DynamicConfig{Desired: pair[1]}.Against(patroni.DynamicConfig{Desired: pair[0]}, sampleVersion)
		in.restart(patroni.RestartSettings(c, sampleVersion)...)
		for _, a := range c.Attrs {
			if a.Name == "postgresql.listen" { // listen_addresses and port
				in.restart("listen")
			}
		}
	}
}

// memberTree reads a member's configuration, nil if s writes something else.
func memberTree(s *plan.Step) patroni.Tree {
	if s == nil {
		return nil
	}
	f, is := s.Resource.(*resource.File)
	if !is {
		return nil
	}
	var tree map[string]any
	if err := yaml.Unmarshal(f.Content(), &tree); err != nil {
		return nil
	}
	own, _ := tree["postgresql"].(map[string]any)
	return patroni.Tree{"postgresql": map[string]any{"listen": own["listen"], "parameters": own["parameters"]}}
}

// restart adds that PostgreSQL restarts for settings, if there are any.
func (in *interruption) restart(settings ...string) {
	if len(settings) > 0 {
		in.Restarts = append(in.Restarts, "PostgreSQL")
		in.Settings = append(in.Settings, settings...)
	}
}

// sentence says it in words.
func (in interruption) sentence() string {
	restarts := slices.Clone(in.Restarts)
	if len(in.Settings) > 0 {
		restarts = slices.DeleteFunc(restarts, func(name string) bool { return name == "PostgreSQL" })
		restarts = append(restarts, "PostgreSQL (for "+strings.Join(in.Settings, ", ")+"; one member at a time, the leader last)")
	}
	text := "reloads " + some(in.Reloads) + "; restarts " + some(restarts)
	if len(in.Starts) > 0 {
		text += "; starts " + some(in.Starts)
	}
	if len(in.Stops) > 0 {
		text += "; stops " + some(in.Stops)
	}
	return text
}

// some enumerates names.
func some(names []string) string {
	return cmp.Or(module.Enumerate(names), "nothing")
}
