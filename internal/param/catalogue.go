package param

import (
	"fmt"
	"reflect"
	"slices"

	"pigsty/internal/diag"
	"pigsty/internal/inventory"
)

// Catalogue knows every parameter of a set of modules. It is safe for
// concurrent use.
type Catalogue struct {
	modules []Module
	list    []*Parameter             // in the order of declaration
	byName  map[string]*Parameter    // older names too
	params  map[reflect.Type]*object // the Params structs
}

// Parameter is one parameter of a module.
type Parameter struct {
	Name    string          // as written in an inventory
	Aka     []string        // names that older inventories use
	Module  string          // "PGSQL"
	Group   string          // section of the reference page, "PG_BOOTSTRAP"
	Level   string          // where it is usually set: global, cluster, instance, arg, or several with slashes
	Type    string          // for people: "string", "port", "list of user"
	Enum    []string        // the only values allowed; nil when any is
	Default inventory.Value // Null when there is none
	Doc     string

	field *field
}

// NewCatalogue reads the declarations of modules. It panics when one is wrong,
// which is the mistake of a programmer: a default that fails its own check, a
// name declared twice, an unknown format, a parameter without doc.
func NewCatalogue(modules ...Module) *Catalogue {
	c := &Catalogue{modules: modules, byName: map[string]*Parameter{}, params: map[reflect.Type]*object{}}
	for _, m := range modules {
		c.add(m)
	}
	return c
}

func (c *Catalogue) add(m Module) {
	d := &declaration{
		defaults: map[string]inventory.Value{},
		used:     map[string]bool{},
		objects:  map[reflect.Type]*object{},
	}
	if len(m.Defaults) > 0 {
		v, err := parseYAML(m.Defaults)
		if err != nil {
			panic(fmt.Sprintf("defaults of %s: %v", m.Name, err))
		}
		for _, p := range v.Pairs {
			d.defaults[p.Key] = p.Value
		}
	}
	o := d.object(reflect.TypeOf(m.Params))
	for name := range d.defaults {
		if !d.used[name] {
			panic(fmt.Sprintf("defaults of %s: nothing uses %s", m.Name, name))
		}
	}
	c.params[o.typ] = o
	for _, f := range o.fields {
		if f.group == "" || f.level == "" {
			panic(f.name + " has no group or no level")
		}
		p := &Parameter{
			Name: f.name, Aka: f.aka, Module: m.Name, Group: f.group, Level: f.level,
			Type: f.shape.word(), Default: f.value, Doc: f.purpose(), field: f,
		}
		if r := f.shape.innermost().rule; r != nil {
			p.Enum = r.enum
		}
		c.list = append(c.list, p)
		for _, name := range append([]string{p.Name}, p.Aka...) {
			if c.byName[name] != nil {
				panic(fmt.Sprintf("%s is declared by %s and %s", name, c.byName[name].Module, m.Name))
			}
			c.byName[name] = p
		}
	}
}

// Lookup returns the parameter that is called name now or was in older versions.
func (c *Catalogue) Lookup(name string) (*Parameter, bool) {
	p, ok := c.byName[name]
	return p, ok
}

// All returns every parameter, modules and parameters in order of declaration.
func (c *Catalogue) All() []*Parameter { return slices.Clone(c.list) }

// Modules returns the declarations that the catalogue was made of.
func (c *Catalogue) Modules() []Module { return slices.Clone(c.modules) }

// Secret reports whether a value of p is, or may hold, a secret.
func (p *Parameter) Secret() bool { return p.field.shape.holdsSecrets() }

// holdsSecrets reports whether s, or anything within it, may be a secret.
func (s *shape) holdsSecrets() bool {
	if s.sensitive() {
		return true
	}
	for _, o := range s.objects() {
		for _, f := range o.fields {
			if f.shape.sensitive() {
				return true
			}
		}
	}
	return false
}

// sensitive reports whether s itself, or an item of it, may be a secret.
func (s *shape) sensitive() bool {
	for ; s != nil; s = s.elem {
		if s.kind == secretKind || s.secrets != nil {
			return true
		}
	}
	return false
}

// Nearest returns the parameter name that name was most likely meant to be, or
// "" when none comes close.
func (c *Catalogue) Nearest(name string) string {
	return diag.Nearest(name, func(yield func(string) bool) {
		for _, p := range c.list {
			if !yield(p.Name) {
				return
			}
		}
	})
}

// innermost returns the shape of the values in a list or mapping, or s itself.
func (s *shape) innermost() *shape {
	for s.elem != nil {
		s = s.elem
	}
	return s
}

// word names a shape for people: "port", "list of user".
func (s *shape) word() string {
	switch s.kind {
	case boolKind:
		return "boolean"
	case floatKind:
		return "number"
	case secretKind:
		return "password"
	case listKind:
		return "list of " + s.elem.word()
	case mapKind:
		return "mapping to " + s.elem.word()
	case objectKind:
		return s.object.name
	}
	switch {
	case s.rule != nil && s.rule.enum != nil:
		return "enum"
	case s.rule != nil && s.rule.format != "":
		return s.rule.format
	case s.kind == intKind:
		return "integer"
	}
	return "string"
}

// objects returns the structured objects within s, outermost first, each once.
func (s *shape) objects() []*object {
	var list []*object
	var visit func(*shape)
	visit = func(s *shape) {
		s = s.innermost()
		if s.kind != objectKind || slices.Contains(list, s.object) {
			return
		}
		list = append(list, s.object)
		for _, f := range s.object.fields {
			visit(f.shape)
		}
	}
	visit(s)
	return list
}
