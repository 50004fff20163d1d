package param

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"pigsty/internal/diag"
	"pigsty/internal/inventory"
)

// structured converts v into a structured object.
func (d *decoder) structured(dst reflect.Value, s *shape, v inventory.Value, at *path) bool {
	o := s.object
	dst.Set(o.proto)
	if o.pos >= 0 {
		dst.Field(o.pos).Set(reflect.ValueOf(v.Pos))
	}
	before := d.diags.Count(diag.Error)
	switch {
	case v.Kind == inventory.Map:
		d.pairs(dst, o, v, at)
	case v.Kind == inventory.List && o.tuple:
		d.tuple(dst, o, v, at)
	case v.Kind != inventory.List && o.bare != nil:
		d.field(dst.Field(o.bare.index), o.bare.shape, v, at)
	default:
		d.wrongType(s, v, at, "write its fields as a mapping")
	}
	if d.diags.Count(diag.Error) > before {
		return false
	}
	if c, ok := dst.Addr().Interface().(Checker); ok {
		c.Check(&d.diags)
	}
	return d.diags.Count(diag.Error) == before
}

// pairs fills an object from a mapping.
func (d *decoder) pairs(dst reflect.Value, o *object, v inventory.Value, at *path) {
	for _, p := range v.Pairs {
		f := o.byName[p.Key]
		if f == nil {
			d.unknownField(o, p, at)
			continue
		}
		if p.Key != f.name {
			if _, ok := v.Get(f.name); ok {
				continue // the newer name wins
			}
			d.diags.Add(diag.Diagnostic{
				Severity: diag.Note, Code: "renamed-field", Pos: p.KeyPos,
				Message: fmt.Sprintf("%s.%s is now called %s", at, p.Key, f.name), Advice: "rename it",
			})
		}
		d.diags.Add(f.idleAt(p.KeyPos, fmt.Sprintf("%s.%s", at, p.Key))...)
		d.field(dst.Field(f.index), f.shape, p.Value, &path{up: at, name: p.Key})
	}
	for _, f := range o.fields {
		if !f.required {
			continue
		}
		if given, _ := v.Get(f.name); given.Kind == inventory.Null {
			aka := func(old string) bool { _, ok := v.Get(old); return ok }
			if !slices.ContainsFunc(f.aka, aka) {
				d.diags.Add(diag.Diagnostic{
					Code: "missing-field", Pos: v.Pos, Message: fmt.Sprintf("%s has no %s", at, f.name), Advice: "add " + f.name,
				})
			}
		}
	}
}

func (d *decoder) unknownField(o *object, p inventory.Pair, at *path) {
	near := diag.Nearest(p.Key, func(yield func(string) bool) {
		for _, f := range o.fields {
			if !yield(f.name) {
				return
			}
		}
	})
	advice := "remove it"
	if near != "" {
		advice = "write " + near
	}
	d.diags.Add(diag.Diagnostic{
		Code: "unknown-field", Pos: p.KeyPos, Message: fmt.Sprintf("%s has no field %s", at, p.Key), Advice: advice,
	})
}

// tuple fills an object from a list of its fields in order.
func (d *decoder) tuple(dst reflect.Value, o *object, v inventory.Value, at *path) {
	if len(v.Items) != len(o.fields) {
		names := make([]string, len(o.fields))
		for i, f := range o.fields {
			names[i] = f.name
		}
		d.diags.Add(diag.Diagnostic{
			Code: "wrong-type", Pos: v.Pos,
			Message: fmt.Sprintf("%s must have %d items, not %d", at, len(names), len(v.Items)),
			Advice:  "write " + strings.Join(names, ", ") + ", in this order",
		})
		return
	}
	for i, f := range o.fields {
		d.field(dst.Field(f.index), f.shape, v.Items[i], &path{up: at, name: f.name})
	}
}
