package inventory

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"pigsty/internal/diag"
	"pigsty/internal/secret"
)

// Kind is the shape of a Value.
type Kind int

// The shapes that YAML 1.1, as Ansible reads it, gives a value.
const (
	Null Kind = iota
	Bool
	Int
	Float
	String
	List
	Map
)

// String returns the words that messages use for k, such as "a list".
func (k Kind) String() string {
	return [...]string{"nothing", "a boolean", "an integer", "a number", "a string", "a list", "a mapping"}[k]
}

// The tags that a Value keeps. Each goes with the Kind String.
const (
	TagVault  = "!vault"  // Text is an Ansible Vault envelope that was not opened
	TagUnsafe = "!unsafe" // references in Text are not expanded
)

// Value is one node of an inventory with the place it was written at. Anchors,
// aliases and merge keys are resolved; an alias keeps the position of what it
// points at. Values share their Items and Pairs, which must not be changed.
type Value struct {
	Kind   Kind
	Pos    diag.Pos
	Text   string  // the scalar as written, without quotes; references expanded in effective variables
	Plain  bool    // a scalar written without quotes
	Secret bool    // Text was encrypted, or comes from outside of the inventory: it must not be shown
	Tag    string  // TagVault, TagUnsafe or ""
	Items  []Value // of a List
	Pairs  []Pair  // of a Map, in source order, keys unique
}

// Pair is one entry of a Map. Keys are always text: an integer key such as a
// port is kept as written.
type Pair struct {
	Key    string
	KeyPos diag.Pos
	Value  Value
}

// Get returns the value under key of a Map.
func (v Value) Get(key string) (Value, bool) {
	for _, p := range v.Pairs {
		if p.Key == key {
			return p.Value, true
		}
	}
	return Value{}, false
}

// Bool returns the truth of a Bool, false for other kinds.
func (v Value) Bool() bool {
	return v.Kind == Bool && booleans[v.Text]
}

// Int returns the number that an Int stands for, 0 for other kinds.
func (v Value) Int() int64 {
	if v.Kind != Int {
		return 0
	}
	n, _ := parseInt(v.Text)
	return n
}

// Float returns the number that a Float or an Int stands for, 0 for other kinds.
func (v Value) Float() float64 {
	switch v.Kind {
	case Int:
		return float64(v.Int())
	case Float:
		return parseFloat(v.Text)
	}
	return 0
}

// Any converts v to the plain Go values of encoding/json: nil, bool, int64,
// float64, string, []any, map[string]any. JMESPath selectors and JSON output use it.
func (v Value) Any() any {
	switch v.Kind {
	case Null:
		return nil
	case Bool:
		return v.Bool()
	case Int:
		return v.Int()
	case Float:
		return v.Float()
	case String:
		return v.Text
	case List:
		items := make([]any, len(v.Items))
		for i, item := range v.Items {
			items[i] = item.Any()
		}
		return items
	case Map:
		pairs := make(map[string]any, len(v.Pairs))
		for _, p := range v.Pairs {
			pairs[p.Key] = p.Value.Any()
		}
		return pairs
	}
	panic(fmt.Sprintf("inventory: value of unknown kind %d", int(v.Kind)))
}

// Equal reports whether v and other mean the same: the way they are written
// (0x10 or 16, yes or true, quotes), their places and the order of mappings
// do not matter.
func (v Value) Equal(other Value) bool {
	if v.Kind != other.Kind || v.Tag != other.Tag {
		return false
	}
	switch v.Kind {
	case Bool:
		return v.Bool() == other.Bool()
	case Int:
		return v.Int() == other.Int()
	case Float:
		return v.Float() == other.Float()
	case String:
		return v.Text == other.Text
	case List:
		return equalItems(v.Items, other.Items)
	case Map:
		return maps.EqualFunc(byKey(v.Pairs), byKey(other.Pairs), Value.Equal)
	}
	return true
}

func equalItems(a, b []Value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Equal(b[i]) {
			return false
		}
	}
	return true
}

func byKey(pairs []Pair) map[string]Value {
	m := make(map[string]Value, len(pairs))
	for _, p := range pairs {
		m[p.Key] = p.Value
	}
	return m
}

// asText returns what a scalar becomes inside a longer text, as Jinja writes it
// for Ansible. It reports false for lists and mappings.
func (v Value) asText() (string, bool) {
	switch v.Kind {
	case Null:
		return "", true
	case Bool:
		if v.Bool() {
			return "True", true
		}
		return "False", true
	case Int:
		return strconv.FormatInt(v.Int(), 10), true
	case Float, String:
		return v.Text, true
	}
	return "", false
}

// Leaves returns v with every scalar in it replaced by what f makes of it.
func (v Value) Leaves(f func(Value) Value) Value {
	switch v.Kind {
	case List:
		v.Items = slices.Clone(v.Items)
		for i := range v.Items {
			v.Items[i] = v.Items[i].Leaves(f)
		}
	case Map:
		v.Pairs = slices.Clone(v.Pairs)
		for i := range v.Pairs {
			v.Pairs[i].Value = v.Pairs[i].Value.Leaves(f)
		}
	default:
		return f(v)
	}
	return v
}

// Flow writes v on one line as YAML. The empty value is written as nothing.
func (v Value) Flow() string {
	switch v.Kind {
	case Null:
		return ""
	case List:
		items := make([]string, len(v.Items))
		for i, item := range v.Items {
			items[i] = item.Flow()
		}
		return "[" + strings.Join(items, ", ") + "]"
	case Map:
		items := make([]string, len(v.Pairs))
		for i, p := range v.Pairs {
			items[i] = p.Key + ": " + p.Value.Flow()
		}
		if len(items) == 0 {
			return "{}"
		}
		return "{ " + strings.Join(items, ", ") + " }"
	case String:
		if v.Text != secret.Mask && (v.Text == "" || strings.ContainsAny(v.Text, ",:{}[]#&*!|>'\"%@`")) {
			return "'" + strings.ReplaceAll(v.Text, "'", "''") + "'"
		}
	}
	return v.Text
}
