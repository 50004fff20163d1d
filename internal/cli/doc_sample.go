package cli

import (
	_ "embed"
	"fmt"
	"os"
	"slices"
	"strings"

	"pigsty/internal/inventory"
	"pigsty/internal/module"
	"pigsty/internal/param"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// sampleText is the inventory that parameters are tried on: an infra node with
// etcd, and a cluster of two with users and a database.
//
//go:embed doc_sample.yml
var sampleText []byte

// The cluster of the sample and the host of it that instance parameters are tried on.
const (
	sampleCluster = "pg-app"
	sampleReplica = "10.10.10.12"
	sampleAdmin   = "10.10.10.10"
)

// sampleKey stands for the public key of the user who deploys.
const sampleKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGdGhYeQb1JvqmUvPjVYqz1Xn0b3o2fE5Y0cJm1u7c5L admin@example.com"

// sample is a deployment to try parameters on.
type sample struct {
	app       *app
	catalogue *param.Catalogue
	site      *module.Site
	steps     map[bool][]playStep // of plays that deploy, and of others
}

func (a *app) newSample(cat *param.Catalogue) *sample {
	s := &sample{app: a, catalogue: cat, steps: map[bool][]playStep{}}
	s.site = s.with()
	return s
}

// plain returns the steps of the sample as it is.
func (s *sample) plain(deploy bool) []playStep {
	if s.steps[deploy] == nil {
		s.steps[deploy] = s.compile(s.site, deploy)
	}
	return s.steps[deploy]
}

// with loads the sample with inventories that add to it. What is wrong with
// them together is not looked at.
func (s *sample) with(more ...string) *module.Site {
	sources := []inventory.Source{{Name: "sample", Data: sampleText}}
	for _, text := range more {
		sources = append(sources, inventory.Source{Name: "example", Data: []byte(text)})
	}
	inv, _ := inventory.Load(sources...)
	inv.SetDefaults(defaultsOf(s.catalogue))
	facts := map[string]resource.Facts{}
	for _, h := range inv.Hosts() {
		facts[h.Name()] = standardFacts
	}
	site := module.NewSite(inv, s.catalogue, facts)
	site.Modules, site.Keys = s.app.modules, []string{sampleKey}
	site.Dir = os.DevNull // no file is beside the sample
	return site
}

// compile returns the steps of the plays that deploy, or of those that do not.
func (s *sample) compile(site *module.Site, deploy bool) []playStep {
	var out []playStep
	for _, m := range s.app.modules {
		for _, p := range m.Plays {
			if deploy != (p.Deploy > 0) {
				continue
			}
			for _, step := range p.Steps(site, site.Hosts()) {
				out = append(out, playStep{step, p.Name})
			}
		}
	}
	return out
}

// playStep is a step and the play that it is part of.
type playStep struct {
	*plan.Step
	play string
}

// setting returns an inventory that sets p to its example where p is usually
// set. Items and entries are added to those that are there already.
func (s *sample) setting(p *param.Parameter) string {
	host := s.site.Host(sampleAdmin)
	group := strings.ToLower(p.Module)
	if p.Module == "PGSQL" || p.Module == "NODE" {
		host, group = s.site.Host(sampleReplica), sampleCluster
	}
	have := p.Default
	if v, ok := host.Vars.Get(p.Name); ok {
		have = v.Value
	}
	text := param.Write(p.Name, added(have, s.catalogue.Example(p)))
	levels := strings.Split(p.Level, "/")
	switch {
	case slices.Contains(levels, "instance"):
		return nested(text, "all", "children", group, "hosts", host.Name())
	case slices.Contains(levels, "cluster") && p.Module != "NODE" && s.site.Inventory.Group(group) != nil:
		return nested(text, "all", "children", group, "vars")
	}
	return nested(text, "all", "vars")
}

// companions are the parameters that p may need to do anything: what turns its
// group on, and what of the group has no default.
func (s *sample) companions(p *param.Parameter) []*param.Parameter {
	var turn, need []*param.Parameter
	for _, other := range s.catalogue.All() {
		switch {
		case other.Group != p.Group || other == p:
		case strings.HasSuffix(other.Name, "_enabled") && other.Default.Kind == inventory.Bool && !other.Default.Bool():
			turn = append(turn, other)
		case other.Default.Kind == inventory.Null:
			need = append(need, other)
		}
	}
	if turn == nil {
		return nil
	}
	return append(turn, need...)
}

// nested puts text below keys, the first outermost.
func nested(text string, keys ...string) string {
	var b strings.Builder
	for i, key := range keys {
		fmt.Fprintf(&b, "%s%s:\n", strings.Repeat("  ", i), key)
	}
	for line := range strings.Lines(text) {
		b.WriteString(strings.Repeat("  ", len(keys)) + line)
	}
	return b.String()
}

// added returns have with the items or entries of more, or more where it is
// neither or nothing of it is new.
func added(have, more inventory.Value) inventory.Value {
	both := more
	switch {
	case have.Kind != more.Kind:
	case more.Kind == inventory.List && !slices.ContainsFunc(have.Items, more.Items[0].Equal):
		both.Items = append(slices.Clone(have.Items), more.Items...)
	case more.Kind == inventory.Map:
		if _, there := have.Get(more.Pairs[0].Key); !there {
			both.Pairs = append(slices.Clone(have.Pairs), more.Pairs...)
		}
	}
	return both
}
