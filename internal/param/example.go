package param

import (
	"maps"
	"reflect"
	"slices"
	"strconv"

	"pigsty/internal/diag"
	"pigsty/internal/inventory"
)

// Example returns a value that p takes and that is not its default, made from
// the type, the limits and the default of p: what a reader may write to try it.
// It is valid by itself; whether it fits the rest of an inventory is not known.
func (c *Catalogue) Example(p *Parameter) inventory.Value {
	e := exampler{catalogue: c, parameter: p, key: "example"}
	return e.value(p.field.shape, p.Default)
}

// Write returns name and v as an inventory has them, over several lines where v
// is a list or a mapping.
func Write(name string, v inventory.Value) string { return block(name, v) }

// exampler makes the example of one parameter.
type exampler struct {
	catalogue *Catalogue
	parameter *Parameter
	key       string // of mappings
}

// value returns a value of s other than not, which is Null if there is none.
func (e exampler) value(s *shape, not inventory.Value) inventory.Value {
	switch s.kind {
	case boolKind:
		text := "true"
		if not.Bool() {
			text = "false"
		}
		return inventory.Value{Kind: inventory.Bool, Text: text, Plain: true}
	case intKind, floatKind:
		return e.number(s, not)
	case listKind:
		v := inventory.Value{Kind: inventory.List}
		if len(not.Items) > 1 {
			v.Items = not.Items[:1]
			return v
		}
		v.Items = []inventory.Value{e.value(s.elem, first(not.Items))}
		return v
	case mapKind:
		return e.mapping(s, not)
	case objectKind:
		return e.object(s)
	}
	return e.text(s, not)
}

// first returns the first of list, the zero value if there is none.
func first[T any](list []T) (v T) {
	if len(list) > 0 {
		v = list[0]
	}
	return v
}

// mapping returns the first of several entries, or one whose value differs.
func (e exampler) mapping(s *shape, not inventory.Value) inventory.Value {
	v := inventory.Value{Kind: inventory.Map}
	switch len(not.Pairs) {
	case 0:
		key := e.key
		if s.key != nil && s.key.format == "port" || s.typ.Key().Kind() == reflect.Int {
			key = "8080"
		}
		v.Pairs = []inventory.Pair{{Key: key, Value: e.value(s.elem, inventory.Value{})}}
	case 1:
		p := not.Pairs[0]
		if s.elem.kind == objectKind {
			p.Key = e.key
		}
		v.Pairs = []inventory.Pair{{Key: p.Key, Value: e.value(s.elem, p.Value)}}
	default:
		v.Pairs = not.Pairs[:1]
	}
	return v
}

// number returns twice the number, or one near it, within the limits.
func (e exampler) number(s *shape, not inventory.Value) inventory.Value {
	n, r := not.Float(), s.rule
	if r != nil && r.enum != nil {
		return plain(neighbour(r.enum, not.Text))
	}
	candidates := []float64{2 * n, n + 1, n / 2, n - 1}
	switch isPort := r != nil && r.format == "port"; {
	case not.Kind == inventory.Null && isPort:
		candidates = []float64{8080}
	case not.Kind == inventory.Null:
		candidates = []float64{3}
	case isPort:
		candidates = []float64{n + 10000, n - 10000}
	}
	if r != nil && r.min != nil {
		candidates = append(candidates, *r.min+1)
		if r.max != nil {
			candidates = append(candidates, (*r.min+*r.max)/2)
		}
	}
	for _, try := range candidates {
		whole := s.kind == floatKind || try == float64(int64(try))
		if whole && (not.Kind == inventory.Null || try != n) && r.number(try) == nil {
			return plain(strconv.FormatFloat(try, 'f', -1, 64))
		}
	}
	return inventory.Value{}
}

// object returns the required fields of s, and one more if its check asks for
// it. Where none is required it has those with a default, and the first that
// has a format: what makes such an object what it is.
func (e exampler) object(s *shape) inventory.Value {
	chosen := map[*field]bool{}
	for _, f := range s.object.fields {
		chosen[f] = f.required
	}
	if !slices.ContainsFunc(s.object.fields, func(f *field) bool { return f.required }) {
		formatted := slices.IndexFunc(s.object.fields, func(f *field) bool {
			return !f.hasDefault() && f.shape.rule != nil && f.shape.rule.format != ""
		})
		for i, f := range s.object.fields {
			chosen[f] = f.hasDefault() || i == max(formatted, 0)
		}
	}
	v := e.fields(s.object, chosen)
	if decodes(s, v) {
		return v
	}
	for _, key := range []string{e.key, "default"} {
		e.key = key
		for _, f := range s.object.fields {
			more := maps.Clone(chosen)
			more[f] = true
			if try := e.fields(s.object, more); decodes(s, try) {
				return try
			}
		}
	}
	return v
}

// fields returns an object with the chosen fields of o.
func (e exampler) fields(o *object, chosen map[*field]bool) inventory.Value {
	v := inventory.Value{Kind: inventory.Map}
	for _, f := range o.fields {
		switch {
		case !chosen[f]:
		case f.hasDefault():
			v.Pairs = append(v.Pairs, inventory.Pair{Key: f.name, Value: f.value})
		default:
			v.Pairs = append(v.Pairs, inventory.Pair{Key: f.name, Value: e.value(f.shape, inventory.Value{})})
		}
	}
	return v
}

// decodes reports whether v is a value of s.
func decodes(s *shape, v inventory.Value) bool {
	var d decoder
	return d.value(reflect.New(s.typ).Elem(), s, v, &path{name: s.object.name}) && d.diags.Count(diag.Error) == 0
}
