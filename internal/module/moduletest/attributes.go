package moduletest

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"

	"pigsty/internal/resource"
)

// Attributes shows what r sets: a line with its plain fields, then a line for
// each element of its lists of structs. Fields that are zero are left out, so
// that a new field shows only where it is used.
func Attributes(r resource.Resource) string {
	v := reflect.Indirect(reflect.ValueOf(r))
	if v.Kind() != reflect.Struct {
		return brief(v) + "\n"
	}
	var plain []string
	var lists strings.Builder
	for name, f := range fields(v) {
		if f.Kind() != reflect.Slice || f.Type().Elem().Kind() != reflect.Struct {
			plain = append(plain, name+":"+brief(f))
			continue
		}
		for i := range f.Len() {
			fmt.Fprintf(&lists, "%s %s\n", name, brief(f.Index(i)))
		}
	}
	text := lists.String()
	if len(plain) > 0 {
		text = strings.Join(plain, " ") + "\n" + text
	}
	return text
}

// fields iterates over the exported fields of v that are not zero.
func fields(v reflect.Value) iter.Seq2[string, reflect.Value] {
	return func(yield func(string, reflect.Value) bool) {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() || v.Field(i).IsZero() {
				continue
			}
			if !yield(f.Name, v.Field(i)) {
				return
			}
		}
	}
}

// brief shows a value in one line; what knows how to print itself does.
func brief(v reflect.Value) string {
	if s, ok := v.Interface().(fmt.Stringer); ok {
		return s.String()
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return "nil"
		}
		return brief(v.Elem())
	case reflect.Struct:
		if set := v.FieldByName("Set"); v.NumField() == 2 && set.IsValid() && set.Kind() == reflect.Bool {
			return brief(v.FieldByName("Value")) // false, say, as opposed to left as it is
		}
		var parts []string
		for name, f := range fields(v) {
			parts = append(parts, name+":"+brief(f))
		}
		return "{" + strings.Join(parts, " ") + "}"
	case reflect.Slice:
		if text, ok := v.Interface().([]byte); ok {
			return fmt.Sprintf("%q", text)
		}
		var parts []string
		for i := range v.Len() {
			parts = append(parts, brief(v.Index(i)))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case reflect.Map:
		var parts []string
		for _, key := range v.MapKeys() {
			parts = append(parts, brief(key)+":"+brief(v.MapIndex(key)))
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, " ") + "}"
	case reflect.String:
		if text := v.String(); strings.ContainsAny(text, "\n\t") {
			return fmt.Sprintf("%q", text)
		}
	}
	return fmt.Sprint(v)
}
