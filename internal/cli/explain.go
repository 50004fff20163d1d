package cli

import (
	"slices"
	"strings"

	"pigsty/internal/diag"
	"pigsty/internal/inventory"
	"pigsty/internal/module"
)

// given is a value with what gave it. Secrets in it are masked.
type given struct {
	Value any      `json:"value"`
	From  string   `json:"from"`         // "group", "host", "extra" or "default"
	Of    string   `json:"of,omitempty"` // name of the group or host, or file of the extra variables
	Pos   diag.Pos `json:"pos"`          // empty for a default

	value inventory.Value
	from  string // for people
}

// explained is one variable as get shows it.
type explained struct {
	Type string `json:"type"` // "variable"
	Host string `json:"host"`
	Name string `json:"name"`
	given
	Written   any     `json:"written,omitempty"` // the value with references, if it has any
	Overrides []given `json:"overrides,omitempty"`

	written inventory.Value
}

// explain explains the variables called names, or all that h has.
func (d *deployment) explain(h *inventory.Host, names []string, all bool) ([]explained, error) {
	vars := h.Vars()
	if len(names) == 0 {
		for v := range vars.All() {
			names = append(names, v.Name)
		}
		for _, p := range d.catalogue.All() {
			if all && d.setName(vars, p.Name) == "" {
				names = append(names, p.Name)
			}
		}
		slices.Sort(names)
	}
	lookUp := d.placeholders(vars)
	var list []explained
	for _, name := range names {
		e, err := d.explainOne(h, vars, name, lookUp)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

// setName returns under which name vars has the parameter called name: its own,
// or one of older inventories; "" if it is not set.
func (d *deployment) setName(vars inventory.Vars, name string) string {
	names := []string{name}
	if p, ok := d.catalogue.Lookup(name); ok {
		names = append(append(names, p.Name), p.Aka...)
	}
	for _, n := range names {
		if _, ok := vars.Get(n); ok {
			return n
		}
	}
	return ""
}

func (d *deployment) explainOne(h *inventory.Host, vars inventory.Vars, name string, lookUp func(string) (string, bool)) (explained, error) {
	e := explained{Type: "variable", Host: h.Name(), Name: name}
	p, known := d.catalogue.Lookup(name)
	if set := d.setName(vars, name); set != "" {
		v, _ := vars.Get(set)
		e.Name = set
		e.given = d.given(v)
		if written, _ := h.Written(set); !written.Equal(v.Value) {
			e.written = d.catalogue.Masked(set, written)
		}
		for _, o := range v.Overrides {
			e.Overrides = append(e.Overrides, d.given(o))
		}
	} else if known {
		e.Name = p.Name
		e.given = given{From: "default", from: "default", value: d.catalogue.Masked(p.Name, p.Default)}
	} else {
		near := diag.Nearest(name, func(yield func(string) bool) {
			for _, n := range d.variableNames(vars) {
				if !yield(n) {
					return
				}
			}
		})
		return e, status(exitInvalid, "there is no parameter %q, and the inventory sets no variable of that name for %s%s", name, h.Name(), didYouMean(near))
	}
	if expanded := expandPlaceholders(e.value, lookUp); !expanded.Equal(e.value) {
		if e.written.Kind == inventory.Null {
			e.written = e.value
		}
		e.value = expanded
	}
	if e.written.Equal(e.value) {
		e.written = inventory.Value{}
	}
	e.Value, e.Written = e.value.Any(), e.written.Any()
	return e, nil
}

// given describes where the value of v comes from.
func (d *deployment) given(v inventory.Variable) given {
	value := d.catalogue.Masked(v.Name, v.Value)
	kind := map[inventory.OriginKind]string{inventory.OriginGroup: "group", inventory.OriginHost: "host", inventory.OriginExtra: "extra"}[v.Origin.Kind]
	return given{Value: value.Any(), From: kind, Of: v.Origin.Name, Pos: v.NamePos, value: value, from: v.Origin.String()}
}

// placeholders returns what ${name} stands for: the variable of that name.
func (d *deployment) placeholders(vars inventory.Vars) func(string) (string, bool) {
	return func(name string) (string, bool) {
		if v, ok := vars.Get(name); ok {
			value := d.catalogue.Masked(name, v.Value)
			return value.Text, value.Text != ""
		}
		if name == "admin_ip" {
			return module.NewSite(d.inventory, d.catalogue, nil).AdminIP(), true
		}
		p, ok := d.catalogue.Lookup(name)
		if !ok || p.Default.Text == "" {
			return "", false
		}
		return d.catalogue.Masked(name, p.Default).Text, true
	}
}

// expandPlaceholders expands every ${name} in v.
func expandPlaceholders(v inventory.Value, lookUp func(string) (string, bool)) inventory.Value {
	return v.Leaves(func(leaf inventory.Value) inventory.Value {
		if leaf.Kind == inventory.String && strings.Contains(leaf.Text, "${") {
			leaf.Text, _ = inventory.Expand(leaf.Text, lookUp) // what cannot be stays as written
		}
		return leaf
	})
}
