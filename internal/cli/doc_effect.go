package cli

import (
	"reflect"
	"slices"

	"pigsty/internal/module"
	"pigsty/internal/param"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
	"pigsty/internal/resource/patroni"
)

// effect is one thing of the sample deployment that a parameter decides about.
type effect struct {
	Kind  string `json:"kind"` // file, unit, configuration, packages, object, directory
	Name  string `json:"name"` // a path, a unit, a resource's key
	Where string `json:"where"`
	Play  string `json:"play,omitempty"` // of a play that is not part of a deployment
}

// effectKinds are the kinds of effects in the order of a report.
var effectKinds = []string{"file", "unit", "configuration", "packages", "object", "directory"}

// trial is the sample deployment without and with the example of a parameter.
type trial struct {
	site          *module.Site
	admin         string                // what the node without PostgreSQL is called
	before, after map[string]*plan.Step // by play and ID
	order         []string              // what differs
	needs         string                // the parameter that must be on for a difference, if any
	plays         map[string]string     // of what differs and is not part of a deployment
}

// try compiles the sample without and with the example of p. Where that makes no
// difference to a deployment it looks at one that has p's companions, then at
// the other plays, such as removals.
func (s *sample) try(p *param.Parameter) *trial {
	t := &trial{site: s.site, admin: "infra nodes"}
	if p.Module == "ETCD" {
		t.admin = "etcd nodes"
	}
	set := s.setting(p)
	site := s.with(set)
	if t.compare(s.plain(true), s.compile(site, true), true) {
		return t
	}
	if with := s.companions(p); len(with) > 0 {
		var base []string
		for _, c := range with {
			base = append(base, s.setting(c))
		}
		if t.compare(s.compile(s.with(base...), true), s.compile(s.with(append(base, set)...), true), true) {
			t.needs = with[0].Name
			return t
		}
	}
	t.compare(s.plain(false), s.compile(site, false), false)
	return t
}

// compare finds the steps that only one of before and after has, or that differ,
// and reports whether there are any that matter.
func (t *trial) compare(before, after []playStep, deploy bool) bool {
	t.order, t.before, t.after, t.plays = nil, map[string]*plan.Step{}, map[string]*plan.Step{}, map[string]string{}
	var order []string
	index := func(into map[string]*plan.Step, steps []playStep) {
		for _, s := range steps {
			id := s.ID()
			if !deploy {
				id = s.play + " " + id
				t.plays[id] = s.play
			}
			have, ok := into[id]
			if packages, is := s.Resource.(*resource.Packages); ok && is {
				merged := *have
				merged.Resource = have.Resource.(*resource.Packages).Merge(packages)
				into[id] = &merged
				continue
			}
			if !ok {
				order = append(order, id)
				into[id] = s.Step
			}
		}
	}
	index(t.before, before)
	index(t.after, after)
	seen := map[string]bool{}
	for _, id := range order {
		if old, new := t.before[id], t.after[id]; !seen[id] && (old == nil || new == nil || !alike(old.Resource, new.Resource)) {
			t.order = append(t.order, id)
		}
		seen[id] = true
	}
	return len(t.effects()) > 0
}

// alike reports whether two resources of one key want the same. How a database
// or an API is reached is embedded in resources, and is not what they want.
func alike(a, b resource.Resource) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.DeepEqual(wanted(a), wanted(b))
}

// wanted returns a copy of r with nothing but what it wants.
func wanted(r resource.Resource) any {
	from := reflect.Indirect(reflect.ValueOf(r))
	if from.Kind() != reflect.Struct {
		return r
	}
	to := reflect.New(from.Type()).Elem()
	to.Set(from)
	for i := range to.NumField() {
		if f := to.Type().Field(i); f.IsExported() && (f.Anonymous || f.Name == "After") {
			to.Field(i).SetZero()
		}
	}
	return to.Interface()
}

// step returns the step called id, as it is with the example if it is there then.
func (t *trial) step(id string) *plan.Step {
	if s := t.after[id]; s != nil {
		return s
	}
	return t.before[id]
}

// effects says what differs, grouped by kind, each once for all its hosts.
func (t *trial) effects() []effect {
	var list []effect
	hosts := map[effect]map[string]bool{} // "" if it is not only for the leader, whoever that is
	for _, id := range t.order {
		s := t.step(id)
		e := effect{Play: t.plays[id], Kind: kindOf(s.Resource.Key())}
		if e.Kind == "" {
			continue
		}
		for _, e.Name = range t.names(id) {
			e.Name = t.general(e.Name)
			if hosts[e] == nil {
				hosts[e] = map[string]bool{}
				list = append(list, e)
			}
			hosts[e][s.Host] = true
			if s.Cluster == "" {
				hosts[e][""] = true
			}
		}
	}
	for i, e := range list {
		list[i].Where = t.place(hosts[e])
	}
	slices.SortStableFunc(list, func(a, b effect) int {
		return slices.Index(effectKinds, a.Kind) - slices.Index(effectKinds, b.Kind)
	})
	return list
}

// names says what of the resource of step id differs.
func (t *trial) names(id string) []string {
	old, new := t.before[id], t.after[id]
	_, name := splitKey(t.step(id).Resource.Key())
	if old == nil || new == nil {
		switch r := t.step(id).Resource.(type) {
		case *resource.Packages:
			return packageNames(r)
		case patroni.DynamicConfig:
			return []string{"Patroni's configuration"}
		}
		return []string{name}
	}
	switch r := new.Resource.(type) {
	case *resource.Packages:
		was, is := packageNames(old.Resource.(*resource.Packages)), packageNames(r)
		changed := func(list, other []string) []string {
			return slices.DeleteFunc(slices.Clone(list), func(n string) bool { return slices.Contains(other, n) })
		}
		return append(changed(is, was), changed(was, is)...)
	case patroni.DynamicConfig:
		var out []string
		for _, a := range r.Against(old.Resource.(patroni.DynamicConfig), sampleVersion).Attrs {
			out = append(out, "Patroni's "+a.Name)
		}
		return out
	}
	return []string{name}
}

// packageNames are the packages of p as effects name them.
func packageNames(p *resource.Packages) []string {
	var out []string
	for _, item := range p.Items {
		out = append(out, "package "+item.Name)
	}
	return out
}
