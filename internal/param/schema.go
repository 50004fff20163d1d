package param

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// reference is what a text must contain to stand for a value of any type: a
// reference to another variable, which only the inventory can resolve.
const reference = `\{\{`

// Schema returns a JSON Schema (draft-07) of a whole inventory, for editors.
// It is a little laxer than Decode: formats that a regular expression can't say
// are left out, and variables of the user's own are allowed.
func (c *Catalogue) Schema() ([]byte, error) {
	defs := map[string]any{
		"group": map[string]any{
			"type": []string{"object", "null"},
			"properties": map[string]any{
				"hosts": map[string]any{
					"description":          "The hosts of the group by address or name, each with its own variables.",
					"type":                 []string{"object", "null"},
					"additionalProperties": ref("vars"),
				},
				"vars": ref("vars"),
				"children": map[string]any{
					"description":          "The groups within this group.",
					"type":                 []string{"object", "null"},
					"additionalProperties": ref("group"),
				},
			},
			"additionalProperties": false,
		},
	}
	vars := map[string]any{}
	for _, p := range c.list {
		name := strings.ToLower(p.Module) + "." + p.Name
		s := annotated(p.field, c.shapeSchema(p.Module, p.field.shape, defs))
		defs[name] = s
		vars[p.Name] = ref(name)
		for _, old := range p.Aka {
			vars[old] = ref(name)
		}
	}
	defs["vars"] = map[string]any{"type": []string{"object", "null"}, "properties": vars}
	return json.MarshalIndent(map[string]any{
		"$schema":              "http://json-schema.org/draft-07/schema#",
		"title":                "pigsty inventory",
		"type":                 "object",
		"properties":           map[string]any{"all": ref("group")},
		"additionalProperties": ref("group"),
		"definitions":          defs,
	}, "", " ")
}

func ref(name string) map[string]any {
	return map[string]any{"$ref": "#/definitions/" + name}
}

// annotated adds what editors show to the schema of a field.
func annotated(f *field, s map[string]any) map[string]any {
	if _, isRef := s["$ref"]; isRef { // draft-07 ignores what stands beside $ref
		s = map[string]any{"anyOf": []any{s}}
	}
	s["description"] = f.purpose()
	if f.hasDefault() && f.shape.innermost().kind != secretKind {
		s["default"] = f.value.Any()
	}
	return s
}

// shapeSchema returns the schema of a shape; objects go to defs.
func (c *Catalogue) shapeSchema(module string, s *shape, defs map[string]any) map[string]any {
	switch s.kind {
	case boolKind:
		return map[string]any{"type": []string{"boolean", "string", "null"}, "pattern": reference}
	case intKind, floatKind:
		return numberSchema(s)
	case listKind:
		return map[string]any{
			"type": []string{"array", "string", "null"}, "pattern": reference,
			"items": c.shapeSchema(module, s.elem, defs),
		}
	case mapKind:
		out := map[string]any{
			"type": []string{"object", "string", "null"}, "pattern": reference,
			"additionalProperties": c.shapeSchema(module, s.elem, defs),
		}
		if s.typ.Key().Kind() == reflect.Int {
			out["propertyNames"] = map[string]any{"pattern": "^[0-9]+$"}
		}
		return out
	case objectKind:
		name := strings.ToLower(module) + "/" + s.object.name
		if defs[name] == nil {
			defs[name] = true // stands in while its own fields are read
			defs[name] = c.objectSchema(module, s.object, defs)
		}
		// A slash in a definition's name is written ~1 in a reference to it.
		return ref(strings.ReplaceAll(name, "/", "~1"))
	}
	return textSchema(s.rule)
}

func numberSchema(s *shape) map[string]any {
	word, digits := "integer", `^-?[0-9]+$|`+reference
	if s.kind == floatKind {
		word, digits = "number", `^-?[0-9.]+$|`+reference
	}
	out := map[string]any{"type": []string{word, "string", "null"}, "pattern": digits}
	r := s.rule
	switch {
	case r == nil:
	case r.enum != nil:
		both := []any{nil}
		for _, e := range r.enum {
			n, _ := strconv.Atoi(e)
			both = append(both, n, e)
		}
		return map[string]any{"anyOf": []any{
			map[string]any{"enum": both},
			map[string]any{"type": "string", "pattern": reference},
		}}
	default:
		if r.min != nil {
			out["minimum"] = *r.min
		}
		if r.max != nil {
			out["maximum"] = *r.max
		}
	}
	return out
}

func textSchema(r *rule) map[string]any {
	out := map[string]any{"type": []string{"string", "number", "boolean", "null"}}
	switch {
	case r == nil:
	case r.enum != nil:
		values := []any{nil}
		for _, e := range r.enum {
			values = append(values, e)
			if up, low := strings.ToUpper(e), strings.ToLower(e); r.fold && up != low {
				values = append(values, other(e, up, low)...)
			}
			if e == "off" { // as YAML 1.1 reads it
				values = append(values, false)
			}
		}
		return map[string]any{"anyOf": []any{
			map[string]any{"enum": values},
			map[string]any{"type": "string", "pattern": reference},
		}}
	case r.pattern != nil:
		out["pattern"] = "^$|" + reference + `|\$\{|` + r.pattern.String()
	case formats[r.format].pattern != "":
		out["pattern"] = "^$|" + reference + `|\$\{|` + formats[r.format].pattern
	}
	if r != nil && r.usual != nil {
		out["examples"] = r.usual
	}
	return out
}

// other returns those of spellings that differ from e.
func other(e string, spellings ...string) []any {
	var out []any
	for _, s := range spellings {
		if s != e {
			out = append(out, s)
		}
	}
	return out
}

func (c *Catalogue) objectSchema(module string, o *object, defs map[string]any) map[string]any {
	properties, required := map[string]any{}, []string{}
	var inOrder []any
	for _, f := range o.fields {
		s := annotated(f, c.shapeSchema(module, f.shape, defs))
		for _, name := range append([]string{f.name}, f.aka...) {
			properties[name] = s
		}
		if f.required && f.aka == nil {
			required = append(required, f.name)
		}
		inOrder = append(inOrder, s)
	}
	mapping := map[string]any{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
	forms := []any{mapping, map[string]any{"type": "null"}, map[string]any{"type": "string", "pattern": reference}}
	if o.bare != nil {
		forms = append(forms, c.shapeSchema(module, o.bare.shape, defs))
	}
	if o.tuple {
		forms = append(forms, map[string]any{"type": "array", "items": inOrder, "minItems": len(inOrder), "maxItems": len(inOrder)})
	}
	out := map[string]any{"anyOf": forms}
	if o.doc != "" {
		out["description"] = o.doc
	}
	return out
}
