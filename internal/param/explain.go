package param

import (
	"fmt"
	gopath "path"
	"slices"
	"strings"

	"pigsty/internal/diag"
	"pigsty/internal/inventory"
)

// accept records what a rule has against v and reports whether v can be used.
func (d *decoder) accept(s *shape, v inventory.Value, at *path, f *fault) bool {
	if f == nil {
		return true
	}
	d.diags.Add(diag.Diagnostic{
		Severity: f.severity, Code: f.code, Pos: v.Pos, Advice: f.advice,
		Message: fmt.Sprintf("%s %s, not %s", at, f.must, shown(s, v)),
	})
	return f.severity != diag.Error
}

// wrongType records that v is not what s wants.
func (d *decoder) wrongType(s *shape, v inventory.Value, at *path, advice string) {
	if strings.Contains(v.Text, "{{") {
		return // an unresolved reference, which the inventory reports
	}
	if advice == "" && (s.kind == intKind || s.kind == floatKind) {
		advice = "write a number"
	}
	d.diags.Add(diag.Diagnostic{
		Code: "wrong-type", Pos: v.Pos, Advice: advice,
		Message: fmt.Sprintf("%s must be %s, not %s", at, s.noun(), described(s, v)),
	})
}

// noun is what a shape is called after "must be".
func (s *shape) noun() string {
	switch s.kind {
	case boolKind:
		return "a boolean"
	case intKind:
		return "an integer"
	case floatKind:
		return "a number"
	case listKind:
		return "a list"
	case mapKind:
		return "a mapping"
	case objectKind:
		switch {
		case s.object.tuple:
			return "a list or a mapping"
		case s.object.bare != nil:
			return "a mapping or a " + s.object.bare.name
		}
		return "a mapping"
	}
	return "a string"
}

// shown is v as a message quotes it. Secrets are never quoted.
func shown(s *shape, v inventory.Value) string {
	switch {
	case s.kind == secretKind || s.kind == settingKind || v.Secret:
		return "what is written"
	case v.Kind == inventory.String:
		return fmt.Sprintf("%q", v.Text)
	}
	return v.Text
}

// described is v with its kind: the string "one", a list.
func described(s *shape, v inventory.Value) string {
	if s.kind == settingKind || s.holdsSecrets() || v.Secret {
		return v.Kind.String()
	}
	switch v.Kind {
	case inventory.Null, inventory.List, inventory.Map:
		return v.Kind.String()
	case inventory.String:
		return fmt.Sprintf("the string %q", v.Text)
	}
	noun := strings.TrimPrefix(strings.TrimPrefix(v.Kind.String(), "an "), "a ")
	return "the " + noun + " " + v.Text
}

// matchesAny reports whether key matches one of the patterns, as in file names.
func matchesAny(patterns []string, key string) bool {
	key = strings.ToLower(key)
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, _ := gopath.Match(p, key)
		return ok
	})
}
