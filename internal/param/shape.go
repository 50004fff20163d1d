package param

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"

	"pigsty/internal/diag"
	"pigsty/internal/inventory"
	"pigsty/internal/secret"
)

// kind is what a value is made of.
type kind int

const (
	textKind kind = iota
	boolKind
	intKind
	floatKind
	secretKind
	settingKind
	listKind
	mapKind
	objectKind
)

// shape says how a value is written and which Go type receives it.
type shape struct {
	kind    kind
	typ     reflect.Type
	pointer bool     // the field is a *typ
	elem    *shape   // of a list or mapping
	key     *rule    // of a mapping, nil when any key will do
	object  *object  // of a structured object
	rule    *rule    // of a scalar, nil when any will do
	unique  string   // of a list of objects
	secrets []string // of a mapping to settings
}

// object is a structured object, or the Params struct of a module.
type object struct {
	name   string
	typ    reflect.Type
	doc    string
	fields []*field
	byName map[string]*field // older names too
	bare   *field
	tuple  bool
	pos    int           // index of the field that holds the position, -1 if none
	proto  reflect.Value // an object of which nothing is written
}

// field is one field of an object, or one parameter of a module.
type field struct {
	name     string
	aka      []string
	index    int
	shape    *shape
	required bool
	doc      string
	idle     string // why it has no effect; empty where it has
	group    string
	level    string
	value    inventory.Value // the default; Null when there is none
}

// hasDefault reports whether an absent field has a value.
func (f *field) hasDefault() bool { return f.value.Kind != inventory.Null }

var (
	posType     = reflect.TypeFor[diag.Pos]()
	secretType  = reflect.TypeFor[secret.Value]()
	settingType = reflect.TypeFor[Setting]()
)

// declaration reads the structs of one module. Its errors are mistakes of the
// programmer.
type declaration struct {
	defaults map[string]inventory.Value // of the "@" file
	used     map[string]bool
	objects  map[reflect.Type]*object
}

// object reads a struct type.
func (d *declaration) object(t reflect.Type) *object {
	if o, ok := d.objects[t]; ok {
		return o
	}
	o := &object{name: snake(t.Name()), typ: t, byName: map[string]*field{}, pos: -1}
	d.objects[t] = o
	for i := range t.NumField() {
		sf := t.Field(i)
		switch {
		case sf.Name == "_":
			o.doc = sf.Tag.Get("doc")
			o.name = cmp.Or(sf.Tag.Get("param"), o.name)
			o.tuple = sf.Tag.Get("object") == "tuple"
			continue
		case sf.Type == posType:
			o.pos = i
			continue
		case sf.Tag.Get("param") == "":
			continue
		}
		f := d.field(sf, i)
		o.fields = append(o.fields, f)
		for _, name := range append([]string{f.name}, f.aka...) {
			if o.byName[name] != nil {
				panic(fmt.Sprintf("%s: %s is declared twice", t, name))
			}
			o.byName[name] = f
		}
		if sf.Tag.Get("bare") == "true" {
			o.bare = f
		}
	}
	if len(o.fields) == 0 {
		panic(fmt.Sprintf("%s has no fields with a param tag", t))
	}
	o.proto = d.prototype(o)
	return o
}

// prototype decodes the defaults of an object's fields.
func (d *declaration) prototype(o *object) reflect.Value {
	proto := reflect.New(o.typ).Elem()
	for _, f := range o.fields {
		if !f.hasDefault() {
			continue
		}
		var dec decoder
		dec.field(proto.Field(f.index), f.shape, f.value, &path{name: f.name})
		for _, d := range dec.diags {
			if d.Severity != diag.Note { // what has no effect is worth a note to who writes it
				panic(fmt.Sprintf("%s: default of %s: %s", o.typ, f.name, d.Message))
			}
		}
	}
	return proto
}

// field reads one tagged field.
func (d *declaration) field(sf reflect.StructField, index int) *field {
	checkTag(sf.Tag)
	f := &field{
		name:     sf.Tag.Get("param"),
		aka:      words(sf.Tag.Get("aka")),
		index:    index,
		required: sf.Tag.Get("required") == "true",
		doc:      sf.Tag.Get("doc"),
		idle:     sf.Tag.Get("idle"),
		group:    sf.Tag.Get("group"),
		level:    sf.Tag.Get("level"),
	}
	if f.doc == "" {
		panic(f.name + " has no doc")
	}
	f.shape = d.shape(sf.Type, sf.Tag, f.name)
	text, ok := sf.Tag.Lookup("default")
	switch {
	case !ok:
	case strings.HasPrefix(text, "@"):
		f.value, ok = d.defaults[text[1:]]
		if !ok {
			panic(fmt.Sprintf("%s: the defaults file has no %s", f.name, text[1:]))
		}
		d.used[text[1:]] = true
	case f.shape.kind == textKind || f.shape.kind == secretKind:
		f.value = inventory.Value{Kind: inventory.String, Text: text}
	default:
		v, err := parseYAML([]byte(text))
		if err != nil {
			panic(fmt.Sprintf("default of %s: %v", f.name, err))
		}
		f.value = v
	}
	return f
}

// shape reads the type of a field called name.
func (d *declaration) shape(t reflect.Type, tag reflect.StructTag, name string) *shape {
	s := &shape{typ: t}
	if t.Kind() == reflect.Pointer {
		s.pointer, s.typ = true, t.Elem()
		t = t.Elem()
	}
	switch {
	case t == secretType:
		s.kind = secretKind
	case t == settingType:
		s.kind = settingKind
	case t.Kind() == reflect.String:
		s.kind = textKind
	case t.Kind() == reflect.Bool:
		s.kind = boolKind
	case t.Kind() == reflect.Int:
		s.kind = intKind
	case t.Kind() == reflect.Float64:
		s.kind = floatKind
	case t.Kind() == reflect.Slice:
		s.kind, s.elem, s.unique = listKind, d.shape(t.Elem(), tag, name), tag.Get("unique")
		return s
	case t.Kind() == reflect.Map:
		s.kind, s.elem, s.secrets = mapKind, d.shape(t.Elem(), tag, name), words(tag.Get("secrets"))
		if key := tag.Get("key"); key != "" {
			s.key = newRule(reflect.StructTag(fmt.Sprintf("format:%q", key)), name)
		}
		return s
	case t.Kind() == reflect.Struct:
		s.kind, s.object = objectKind, d.object(t)
		return s
	default:
		panic(fmt.Sprintf("%s has the unsupported type %s", name, t))
	}
	s.rule = newRule(tag, name)
	return s
}

// words splits a comma separated list.
func words(s string) []string {
	if s == "" {
		return nil
	}
	list := strings.Split(s, ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

// snake turns the name of a Go type into the word that messages and reference
// pages use: HBARule becomes hba_rule.
func snake(name string) string {
	var b strings.Builder
	upper := func(i int) bool { return i < len(name) && name[i] >= 'A' && name[i] <= 'Z' }
	for i := range len(name) {
		startsWord := upper(i) && i > 0 && (!upper(i-1) || i+1 < len(name) && !upper(i+1))
		if startsWord {
			b.WriteByte('_')
		}
		b.WriteByte(name[i])
	}
	return strings.ToLower(b.String())
}
