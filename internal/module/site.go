package module

import (
	"cmp"
	"fmt"
	"reflect"
	"sync"

	"pigsty/internal/diag"
	"pigsty/internal/inventory"
	"pigsty/internal/param"
	"pigsty/internal/resource"
)

// Site is everything that modules compile steps from.
type Site struct {
	Inventory *inventory.Inventory
	Catalogue *param.Catalogue
	CA        []byte            // the deployment's CA certificate, PEM; empty when offline without one
	RepoKey   []byte            // the public key of the deployment's software repository, armored; empty when offline without one
	Modules   []Module          // all of the product, for what one needs to know of the others
	Dir       string            // where the inventory lies; relative paths in it start here
	Keys      []string          // public SSH keys of the user at the control side
	Chosen    map[string]string // command-line choices of plays: "username", "dbname"

	hosts   []*Host
	byName  map[string]*Host
	derived sync.Map
}

// Derive returns what compute makes of s, computed the first time that a value
// of type T is asked for: a view that several parts of a module share. It must
// not be changed.
func Derive[T any](s *Site, compute func(*Site) T) T {
	key := reflect.TypeFor[T]()
	if v, ok := s.derived.Load(key); ok {
		return v.(T)
	}
	v, _ := s.derived.LoadOrStore(key, compute(s))
	return v.(T)
}

// Host is one host of the inventory.
type Host struct {
	*inventory.Host
	Vars     inventory.Vars
	Facts    resource.Facts
	HasFacts bool

	catalogue *param.Catalogue
	mu        sync.Mutex
	params    map[reflect.Type]any
	problems  diag.List
}

// NewSite prepares the hosts of inv. facts may lack hosts that were never reached.
func NewSite(inv *inventory.Inventory, cat *param.Catalogue, facts map[string]resource.Facts) *Site {
	s := &Site{Inventory: inv, Catalogue: cat, byName: map[string]*Host{}}
	for _, ih := range inv.Hosts() {
		h := &Host{Host: ih, Vars: ih.Vars(), catalogue: cat, params: map[reflect.Type]any{}}
		h.Facts, h.HasFacts = facts[ih.Name()]
		s.hosts = append(s.hosts, h)
		s.byName[ih.Name()] = h
	}
	return s
}

// Hosts returns every host in inventory order.
func (s *Site) Hosts() []*Host { return s.hosts }

// Host returns the host called name, nil if there is none.
func (s *Site) Host(name string) *Host { return s.byName[name] }

// Group returns the hosts of the group called name, none if there is no such group.
func (s *Site) Group(name string) []*Host {
	g := s.Inventory.Group(name)
	if g == nil {
		return nil
	}
	var out []*Host
	for _, h := range g.Hosts() {
		out = append(out, s.byName[h.Name()])
	}
	return out
}

// AdminIP is the address of the node that the deployment is run from: the
// parameter admin_ip, else the first host of group infra, else the first host.
func (s *Site) AdminIP() string {
	type adminIP string
	return string(Derive(s, func(s *Site) adminIP { return adminIP(s.adminIP()) }))
}

func (s *Site) adminIP() string {
	for _, h := range s.hosts {
		if v, ok := h.Vars.Get("admin_ip"); ok {
			return v.Value.Text
		}
	}
	if infra := s.Group("infra"); len(infra) > 0 {
		return infra[0].Name()
	}
	if len(s.hosts) > 0 {
		return s.hosts[0].Name()
	}
	return ""
}

// Params returns the typed parameters T of h, decoded once. Mistakes are kept
// for Problems; the returned struct then holds defaults in their place.
func Params[T any](h *Host) *T {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := reflect.TypeFor[T]()
	if p, ok := h.params[key]; ok {
		return p.(*T)
	}
	p, problems := param.Decode[T](h.catalogue, h.Vars)
	h.problems.Add(problems...)
	h.params[key] = p
	return p
}

// Problems returns what was wrong in the parameters decoded so far.
func (h *Host) Problems() diag.List {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.problems
}

// Pos returns where the variable called name is written for h, or where h is.
func (h *Host) At(name string) diag.Pos {
	if v, ok := h.Vars.Get(name); ok {
		return v.NamePos
	}
	return h.Pos()
}

// Field returns where a field of an object is written: of the object at the
// place object within the variable called name, the value of the first of
// fields that it has. Else it returns object, or where the variable is when
// even that is not known.
func (h *Host) Field(name string, object diag.Pos, fields ...string) diag.Pos {
	return cmp.Or(h.FieldValue(name, object, fields...).Pos, object, h.At(name))
}

// FieldValue returns what is written in the field that Field is about, nothing
// if it is not written.
func (h *Host) FieldValue(name string, object diag.Pos, fields ...string) inventory.Value {
	v, ok := h.Vars.Get(name)
	if !ok || object.IsZero() {
		return inventory.Value{}
	}
	found, _ := objectAt(v.Value, object)
	for _, f := range fields {
		if value, ok := found.Get(f); ok {
			return value
		}
	}
	return inventory.Value{}
}

// objectAt returns the value within v that is written at pos.
func objectAt(v inventory.Value, pos diag.Pos) (inventory.Value, bool) {
	if v.Pos == pos {
		return v, true
	}
	for _, item := range v.Items {
		if found, ok := objectAt(item, pos); ok {
			return found, true
		}
	}
	for _, p := range v.Pairs {
		if found, ok := objectAt(p.Value, pos); ok {
			return found, true
		}
	}
	return inventory.Value{}, false
}

// String returns the host's name.
func (h *Host) String() string { return fmt.Sprint(h.Name()) }
