// Package plan holds what a run is made of: steps (a resource with its host,
// tags and order), the order that follows from them, and a plan (the steps that
// would change something, each with its difference) with its text and JSON forms.
package plan

import (
	"slices"

	"pigsty/internal/resource"
)

// Step is one resource on one host, or on the current leader of one cluster.
type Step struct {
	Host     string // the inventory's name of the host
	Module   string // NODE, ETCD, PGSQL …
	Tags     []string
	Resource resource.Resource

	// Cluster is set when the step belongs to a cluster rather than to a host:
	// it then runs on whichever of Members leads the cluster when its turn
	// comes. Host is the member to ask first.
	Cluster string
	Members []string

	// After holds IDs of steps that come first. One that is not part of the
	// plan (left out by -l or -t) is ignored.
	After []string

	// Early steps come before the host's packages are installed, all others after.
	Early bool

	// Given names packages of which the host must have one, or be able to get
	// one. A host that cannot skips the step and says so.
	Given []string

	// Only is set for a step that is part of a run just when this tag is asked
	// for by name, such as one that empties a store.
	Only string

	// Exclusive names a group of steps over all hosts of which only one at a
	// time may restart something: the members of an etcd cluster. A host keeps
	// its turn until all its steps of the group are done, so none of them may
	// come after one of another host's. When one fails, or a host with one is
	// lost, the others restart nothing. Starting what does not run is not limited.
	Exclusive string

	id string // known from the start for steps of a Builder
}

// ID names the step uniquely in a run.
func (s *Step) ID() string {
	if s.id != "" {
		return s.id
	}
	return ID(s.Host, s.Resource.Key())
}

// key is that of the step's resource.
func (s *Step) key() string { return s.ID()[len(s.Host)+1:] }

// ID is the identifier of the step for the resource with key on host.
func ID(host, key string) string { return host + " " + key }

// Tagged reports whether the step carries one of tags; every step does when
// tags is empty, but for those that must be asked for.
func (s *Step) Tagged(tags []string) bool {
	if s.Only != "" {
		return slices.Contains(tags, s.Only)
	}
	if len(tags) == 0 {
		return true
	}
	for _, t := range tags {
		if t == "all" || slices.Contains(s.Tags, t) {
			return true
		}
	}
	return false
}

// Builder collects the steps of one host in the order that its module's file
// reads. The zero value is not useful; see NewBuilder.
type Builder struct {
	steps  *[]*Step
	host   string
	module string
	tags   []string
	early  bool
	after  []string
	alone  string
	given  []string
	only   string
}

// NewBuilder returns a Builder of steps of module on host.
func NewBuilder(host, module string) *Builder {
	return &Builder{steps: &[]*Step{}, host: host, module: module}
}

// Tag returns a Builder for the same host whose steps carry tags as well.
func (b *Builder) Tag(tags ...string) *Builder {
	c := *b
	c.tags = append(slices.Clip(b.tags), tags...)
	return &c
}

// Early returns a Builder whose steps come before the packages.
func (b *Builder) Early() *Builder {
	c := *b
	c.early = true
	return &c
}

// After returns a Builder whose steps come after those with the given IDs.
func (b *Builder) After(ids ...string) *Builder {
	c := *b
	c.after = append(slices.Clip(b.after), ids...)
	return &c
}

// Exclusive returns a Builder whose steps restart things one at a time with
// all others of the same group, over all hosts.
func (b *Builder) Exclusive(group string) *Builder {
	c := *b
	c.alone = group
	return &c
}

// Given returns a Builder whose steps are skipped on a host that neither has
// one of packages nor can get one.
func (b *Builder) Given(packages ...string) *Builder {
	c := *b
	c.given = packages
	return &c
}

// Only returns a Builder whose steps carry tag and are part of a run just when
// that is asked for by name.
func (b *Builder) Only(tag string) *Builder {
	c := *b.Tag(tag)
	c.only = tag
	return &c
}

// Add appends a step for each of rs and returns the last one's ID.
func (b *Builder) Add(rs ...resource.Resource) string {
	var id string
	for _, r := range rs {
		s := &Step{Host: b.host, Module: b.module, Tags: b.tags, Resource: r, After: b.after, Early: b.early, Exclusive: b.alone,
			Given: b.given, Only: b.only, id: b.ID(r.Key())}
		*b.steps = append(*b.steps, s)
		id = s.id
	}
	return id
}

// AddOnLeader appends steps that run on the leader of cluster, one of members,
// and returns the last one's ID.
func (b *Builder) AddOnLeader(cluster string, members []string, rs ...resource.Resource) string {
	var id string
	for _, r := range rs {
		s := &Step{Host: b.host, Module: b.module, Tags: b.tags, Resource: r, After: b.after,
			Cluster: cluster, Members: members, id: b.ID(r.Key())}
		*b.steps = append(*b.steps, s)
		id = s.id
	}
	return id
}

// ID returns the ID of the resource with key on this Builder's host.
func (b *Builder) ID(key string) string { return ID(b.host, key) }

// Steps returns what was added through this Builder and those derived from it.
func (b *Builder) Steps() []*Step { return *b.steps }
