package param

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"pigsty/internal/diag"
	"pigsty/internal/inventory"
	"pigsty/internal/secret"
)

// Decode returns a host's variables as T, the Params struct of one of the
// catalogue's modules, and what is wrong with them. A variable that is absent,
// null or wrong has its default. Lists and mappings may be shared between the
// results of many calls: treat them as read-only. Names that are no parameter
// of T's module are skipped; see Check for those. It panics when no module
// declares T.
func Decode[T any](c *Catalogue, vars inventory.Vars) (*T, diag.List) {
	o := c.params[reflect.TypeFor[T]()]
	if o == nil {
		panic(fmt.Sprintf("no module declares %v", reflect.TypeFor[T]()))
	}
	out := o.proto.Interface().(T)
	dst := reflect.ValueOf(&out).Elem()
	var d decoder
	for v := range vars.All() {
		f := o.byName[v.Name]
		if f == nil {
			continue
		}
		if v.Name != f.name {
			if _, ok := vars.Get(f.name); ok {
				continue // the newer name wins
			}
		}
		d.field(dst.Field(f.index), f.shape, v.Value, &path{name: v.Name})
	}
	return &out, d.diags
}

// Object returns v, which messages call name, as T, a struct that is declared as
// one in a parameter is, and what is wrong with it. It is for files other than
// inventories.
func Object[T any](name string, v inventory.Value) (*T, diag.List) {
	declared := &declaration{objects: map[reflect.Type]*object{}}
	s := declared.shape(reflect.TypeFor[T](), "", name)
	out := new(T)
	var d decoder
	d.value(reflect.ValueOf(out).Elem(), s, v, &path{name: name})
	return out, d.diags
}

// decoder converts values and collects what is wrong with them.
type decoder struct{ diags diag.List }

// path is where in a parameter a value is, for messages.
type path struct {
	up    *path
	name  string // of a parameter or field
	label string // of an item or mapping key, after a lookup by name
}

// String returns something like pg_users["dbuser_app"].connlimit.
func (p *path) String() string {
	switch {
	case p.up == nil:
		return p.name
	case p.name == "":
		return p.up.String() + "[" + p.label + "]"
	}
	return p.up.String() + "." + p.name
}

// field converts v into a field, which keeps its value when v is null or wrong.
func (d *decoder) field(dst reflect.Value, s *shape, v inventory.Value, at *path) bool {
	if v.Kind == inventory.Null {
		return true
	}
	if !s.pointer {
		return d.value(dst, s, v, at)
	}
	p := reflect.New(s.typ)
	ok := d.value(p.Elem(), s, v, at)
	if ok {
		dst.Set(p)
	}
	return ok
}

// value converts v into dst and reports whether it could.
func (d *decoder) value(dst reflect.Value, s *shape, v inventory.Value, at *path) bool {
	if v.Tag == inventory.TagVault {
		d.diags.Add(inventory.Locked(v.Pos, at.String()))
		return false
	}
	switch s.kind {
	case listKind:
		return d.list(dst, s, v, at)
	case mapKind:
		return d.mapping(dst, s, v, at)
	case objectKind:
		return d.structured(dst, s, v, at)
	case boolKind:
		return d.boolean(dst, s, v, at)
	case intKind, floatKind:
		return d.number(dst, s, v, at)
	}
	if v.Kind == inventory.List || v.Kind == inventory.Map {
		d.wrongType(s, v, at, "")
		return false
	}
	text, f := s.rule.text(v.Text)
	if !d.accept(s, v, at, f) {
		return false
	}
	switch s.kind {
	case secretKind:
		dst.Set(reflect.ValueOf(secret.New(text)))
	case settingKind:
		dst.Set(reflect.ValueOf(Setting{text: text, secret: v.Secret}))
	default:
		dst.SetString(text)
	}
	return true
}

func (d *decoder) boolean(dst reflect.Value, s *shape, v inventory.Value, at *path) bool {
	if v.Kind == inventory.Bool {
		dst.SetBool(v.Bool())
		return true
	}
	advice := "write true or false"
	if v.Kind == inventory.String && !v.Plain && slices.Contains(truths, strings.ToLower(v.Text)) {
		advice = "remove the quotes"
	}
	d.wrongType(s, v, at, advice)
	return false
}

// truths are the words for a boolean when they are not in quotes.
var truths = []string{"true", "false", "yes", "no", "on", "off"}

func (d *decoder) number(dst reflect.Value, s *shape, v inventory.Value, at *path) bool {
	if v.Kind != inventory.Int && v.Kind != inventory.String && (v.Kind != inventory.Float || s.kind == intKind) {
		d.wrongType(s, v, at, "")
		return false
	}
	n, float := v.Int(), v.Float()
	if v.Kind == inventory.String {
		var err error
		n, err = strconv.ParseInt(v.Text, 10, 0)
		float = float64(n)
		if err != nil && s.kind == floatKind {
			float, err = strconv.ParseFloat(v.Text, 64)
		}
		if err != nil {
			d.wrongType(s, v, at, "")
			return false
		}
	}
	if !d.accept(s, v, at, s.rule.number(float)) {
		return false
	}
	if s.kind == intKind {
		dst.SetInt(n)
	} else {
		dst.SetFloat(float)
	}
	return true
}

func (d *decoder) list(dst reflect.Value, s *shape, v inventory.Value, at *path) bool {
	if v.Kind != inventory.List {
		advice := "write it as a list"
		if v.Kind == inventory.String && s.elem.kind == textKind {
			advice = "write it as a list, in brackets"
		}
		d.wrongType(s, v, at, advice)
		return false
	}
	out := reflect.MakeSlice(s.typ, len(v.Items), len(v.Items))
	good := true
	for i, item := range v.Items {
		here := &path{up: at, label: labelOf(s, item, i)}
		if item.Kind == inventory.Null {
			d.diags.Add(diag.Diagnostic{Code: "wrong-type", Pos: item.Pos, Message: here.String() + " is empty", Advice: "write a value or remove the item"})
			good = false
			continue
		}
		good = d.value(out.Index(i), s.elem, item, here) && good
	}
	if s.unique != "" {
		d.unique(s, v, at)
	}
	if good {
		dst.Set(out)
	}
	return good
}

// labelOf names an item of a list: by its name where it has one, else by its number.
func labelOf(s *shape, item inventory.Value, i int) string {
	if s.elem.kind == objectKind {
		if name, ok := item.Get("name"); ok && name.Text != "" {
			return strconv.Quote(name.Text)
		}
	}
	return strconv.Itoa(i)
}

// unique reports items that repeat the field which tells them apart.
func (d *decoder) unique(s *shape, v inventory.Value, at *path) {
	first := map[string]diag.Pos{}
	for _, item := range v.Items {
		id, ok := item.Get(s.unique)
		if !ok {
			id = item // an object written as its name
		}
		if id.Text == "" {
			continue
		}
		if pos, seen := first[id.Text]; seen {
			d.diags.Add(diag.Diagnostic{
				Code: "duplicate-item", Pos: id.Pos,
				Message: fmt.Sprintf("%s has the %s %q twice, first at %s", at, s.unique, id.Text, pos),
				Advice:  "remove or rename one of them",
			})
			continue
		}
		first[id.Text] = id.Pos
	}
}

func (d *decoder) mapping(dst reflect.Value, s *shape, v inventory.Value, at *path) bool {
	if v.Kind != inventory.Map {
		d.wrongType(s, v, at, "write it as a mapping of names to values")
		return false
	}
	out := reflect.MakeMapWithSize(s.typ, len(v.Pairs))
	good := true
	for _, p := range v.Pairs {
		here := &path{up: at, label: p.Key}
		key := reflect.New(s.typ.Key()).Elem()
		good = d.key(key, s, p, at) && good
		item := reflect.New(s.typ.Elem()).Elem()
		switch {
		case p.Value.Kind != inventory.Null:
			good = d.value(item, s.elem, p.Value, here) && good
		case s.elem.kind == objectKind:
			item.Set(s.elem.object.proto)
		}
		if s.elem.kind == settingKind && matchesAny(s.secrets, p.Key) {
			item.Set(reflect.ValueOf(Setting{text: p.Value.Text, secret: true}))
		}
		out.SetMapIndex(key, item)
	}
	if good {
		dst.Set(out)
	}
	return good
}

// key converts the key of a mapping.
func (d *decoder) key(dst reflect.Value, s *shape, p inventory.Pair, at *path) bool {
	ks := &shape{rule: s.key}
	switch {
	case dst.Kind() == reflect.Int:
		ks.kind = intKind
	case s.key == nil:
		dst.SetString(p.Key)
		return true
	}
	written := inventory.Value{Kind: inventory.String, Text: p.Key, Pos: p.KeyPos, Plain: true}
	return d.value(dst, ks, written, &path{name: "a key of " + at.String()})
}
