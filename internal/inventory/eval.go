package inventory

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"pigsty/internal/diag"
)

// undefinedError says that a reference names what does not exist.
type undefinedError struct {
	what   string
	advice func() string
}

func (e *undefinedError) Error() string { return e.what }

// errBroken is a reference to a variable whose own references are wrong.
var errBroken = errors.New("broken")

// elsewhere are the names that Ansible defines while it runs, and that mean
// nothing here.
var elsewhere = []string{"inventory_dir", "inventory_file", "playbook_dir", "role_path", "role_name", "omit", "play_hosts", "item", "lookup", "query", "vars"}

// eval returns what e stands for on h.
func (r *references) eval(h *Host, e *expr) (Value, error) {
	v, err := r.primary(h, e)
	if e.orElse == nil {
		return v, err
	}
	var missing *undefinedError
	if errors.As(err, &missing) || err == nil && e.falsy && isFalsy(v) {
		return r.eval(h, e.orElse)
	}
	return v, err
}

func (r *references) primary(h *Host, e *expr) (Value, error) {
	if e.literal != nil {
		return r.goDown(h, *e.literal, "the literal", e.members)
	}
	switch e.name {
	case "groups":
		if len(e.members) == 0 {
			return Value{}, errNotUnderstood
		}
		name, err := r.memberName(h, e.members[0])
		if err != nil {
			return Value{}, err
		}
		g := r.inv.groupNamed[name]
		if g == nil {
			return Value{}, &undefinedError{fmt.Sprintf("there is no group %q", name), func() string { return suggest(r.inv.nearest(name)) }}
		}
		return r.goDown(h, r.hostNames(g), "groups."+name, e.members[1:])
	case "hostvars":
		if len(e.members) < 2 {
			return Value{}, errNotUnderstood
		}
		name, err := r.memberName(h, e.members[0])
		if err != nil {
			return Value{}, err
		}
		other := r.inv.hostNamed[name]
		if other == nil {
			return Value{}, &undefinedError{fmt.Sprintf("there is no host %q", name), func() string { return suggest(r.inv.nearest(name)) }}
		}
		if name, err = r.memberName(h, e.members[1]); err != nil {
			return Value{}, err
		}
		v, err := r.named(other, name)
		if err != nil {
			return Value{}, err
		}
		return r.goDown(h, v, name, e.members[2:])
	}
	v, err := r.named(h, e.name)
	if err != nil {
		return Value{}, err
	}
	return r.goDown(h, v, e.name, e.members)
}

// named returns the variable of h with that name, expanded, or what Ansible
// itself defines under it.
func (r *references) named(h *Host, name string) (Value, error) {
	switch name {
	case "inventory_hostname":
		return Value{Kind: String, Text: h.name}, nil
	case "inventory_hostname_short":
		short, _, _ := strings.Cut(h.name, ".")
		return Value{Kind: String, Text: short}, nil
	case "group_names":
		var names []string
		for _, g := range r.inv.layer(h).groups {
			if g.name != "all" {
				names = append(names, g.name)
			}
		}
		slices.Sort(names)
		return stringList(names), nil
	}
	raw := r.inv.rawVars(h)
	if v := find(raw, name); v != nil {
		e := r.variable(h, v)
		if e.broken || !e.done {
			return Value{}, errBroken
		}
		return e.value, nil
	}
	if r.inv.defaults != nil {
		if v, ok := r.inv.defaults(name); ok {
			return v, nil
		}
	}
	if strings.HasPrefix(name, "ansible_") || slices.Contains(elsewhere, name) {
		return Value{}, errNotUnderstood
	}
	return Value{}, &undefinedError{fmt.Sprintf("the variable %q is not defined", name), func() string {
		return suggest(diag.Nearest(name, func(yield func(string) bool) {
			for _, v := range raw {
				if !yield(v.Name) {
					return
				}
			}
		}))
	}}
}

// goDown returns what members lead to from v, which is called name.
func (r *references) goDown(h *Host, v Value, name string, members []*expr) (Value, error) {
	for _, m := range members {
		key, err := r.eval(h, m)
		if err != nil {
			return Value{}, err
		}
		var found bool
		next := Value{}
		switch {
		case v.Kind == Map:
			text, _ := key.asText()
			next, found = v.Get(text)
		case v.Kind == List && key.Kind == Int:
			i := int(key.Int())
			if i < 0 {
				i += len(v.Items)
			}
			if found = i >= 0 && i < len(v.Items); found {
				next = v.Items[i]
			}
		case v.Kind != List && v.Kind != Null:
			return Value{}, errNotUnderstood // a method of a string, perhaps
		}
		text, _ := key.asText()
		if !found {
			return Value{}, &undefinedError{fmt.Sprintf("%q has no member %q", name, text), func() string { return suggest("") }}
		}
		v, name = next, name+"."+text
	}
	return v, nil
}

func (r *references) memberName(h *Host, e *expr) (string, error) {
	v, err := r.eval(h, e)
	if err != nil {
		return "", err
	}
	if text, ok := v.asText(); ok {
		return text, nil
	}
	return "", errNotUnderstood
}

func suggest(near string) string {
	if near == "" {
		return "define it, or write | default('…') after it"
	}
	return "did you mean " + near + "?"
}

// hostNames returns what groups[…] stands for.
func (r *references) hostNames(g *Group) Value {
	v, ok := r.members[g]
	if !ok {
		var names []string
		for _, h := range g.Hosts() {
			names = append(names, h.name)
		}
		v = stringList(names)
		r.members[g] = v
	}
	return v
}

func stringList(texts []string) Value {
	v := Value{Kind: List, Items: make([]Value, len(texts))}
	for i, text := range texts {
		v.Items[i] = Value{Kind: String, Text: text}
	}
	return v
}

// isFalsy reports whether Python takes v for false.
func isFalsy(v Value) bool {
	switch v.Kind {
	case Null:
		return true
	case Bool:
		return !v.Bool()
	case Int, Float:
		return v.Float() == 0
	case String:
		return v.Text == ""
	case List:
		return len(v.Items) == 0
	}
	return len(v.Pairs) == 0
}
