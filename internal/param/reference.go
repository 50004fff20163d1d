package param

import (
	"bufio"
	"fmt"
	"io"
	"reflect"
	"strings"

	"pigsty/internal/inventory"
)

// Reference writes the markdown page of one module: its parameters by group,
// then the structured objects that they take.
func (c *Catalogue) Reference(w io.Writer, module string) error {
	var mod *Module
	for i := range c.modules {
		if strings.EqualFold(c.modules[i].Name, module) {
			mod = &c.modules[i]
		}
	}
	if mod == nil {
		return fmt.Errorf("no module is called %s", module)
	}
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "# %s parameters\n\n%s\n", mod.Name, mod.Doc)
	o := c.params[reflect.TypeOf(mod.Params)]
	var groups []string
	byGroup := map[string][]*field{}
	for _, f := range o.fields {
		if byGroup[f.group] == nil {
			groups = append(groups, f.group)
		}
		byGroup[f.group] = append(byGroup[f.group], f)
	}
	for _, g := range groups {
		fmt.Fprintf(out, "\n## %s\n\n", g)
		if doc := mod.Groups[g]; doc != "" {
			fmt.Fprintf(out, "%s\n\n", doc)
		}
		fmt.Fprint(out, "| Parameter | Type | Level | Default | |\n|---|---|---|---|---|\n")
		for _, f := range byGroup[g] {
			fmt.Fprintf(out, "| `%s` | %s | %s | %s | %s |\n", f.name, f.typeCell(), f.level, f.defaultCell(), cell(f.meaning()))
		}
		for _, f := range byGroup[g] {
			if long(f.value) {
				fmt.Fprintf(out, "\nDefault of `%s`:\n\n```yaml\n%s```\n", f.name, block(f.name, f.value))
			}
		}
	}
	seen := map[*object]bool{}
	for _, f := range o.fields {
		for _, obj := range f.shape.objects() {
			if !seen[obj] {
				seen[obj] = true
				obj.reference(out)
			}
		}
	}
	return out.Flush()
}

// reference writes the section of one structured object.
func (o *object) reference(out io.Writer) {
	fmt.Fprintf(out, "\n## Object `%s`\n\n", o.name)
	if o.doc != "" {
		fmt.Fprintf(out, "%s\n\n", o.doc)
	}
	if o.bare != nil {
		fmt.Fprintf(out, "May be written as its `%s` alone.\n\n", o.bare.name)
	}
	if o.tuple {
		fmt.Fprint(out, "May be written as a list of its fields in this order.\n\n")
	}
	fmt.Fprint(out, "| Field | Type | Default | |\n|---|---|---|---|\n")
	for _, f := range o.fields {
		value := f.defaultCell()
		if f.required {
			value = "required"
		}
		fmt.Fprintf(out, "| `%s` | %s | %s | %s |\n", f.name, f.typeCell(), value, cell(f.meaning()))
	}
}

// typeCell names the type, or lists the values of an enum.
func (f *field) typeCell() string {
	if r := f.shape.innermost().rule; r != nil && r.enum != nil {
		list := "`" + strings.Join(r.enum, "` `") + "`"
		if f.shape.elem != nil {
			return "list of " + list
		}
		return list
	}
	return cell(f.shape.word())
}

func (f *field) defaultCell() string {
	switch {
	case !f.hasDefault():
		return ""
	case long(f.value):
		return "see below"
	}
	return "`" + cell(f.value.Flow()) + "`"
}

// purpose is the doc, with why the field has no effect if it has none.
func (f *field) purpose() string {
	if f.idle == "" {
		return f.doc
	}
	return f.doc + " Has no effect in this version: " + f.idle + "."
}

// meaning is the purpose with what the tags add to it.
func (f *field) meaning() string {
	doc := f.purpose()
	if r := f.shape.innermost().rule; r != nil {
		if r.format == "" && (r.min != nil || r.max != nil) {
			doc += " Must be " + r.limits() + "."
		}
		if r.usual != nil {
			doc += " Usually one of " + strings.Join(r.usual, ", ") + "."
		}
		if r.pattern != nil {
			doc += " Must be " + r.form + "."
		}
	}
	if f.aka != nil {
		doc += " Formerly " + strings.Join(f.aka, ", ") + "."
	}
	return doc
}

// long reports whether a default is better shown below a table than in it.
func long(v inventory.Value) bool { return len(v.Flow()) > 60 }

// block writes a default as YAML over several lines.
func block(name string, v inventory.Value) string {
	var b strings.Builder
	switch v.Kind {
	case inventory.List:
		fmt.Fprintf(&b, "%s:\n", name)
		for _, item := range v.Items {
			fmt.Fprintf(&b, "  - %s\n", item.Flow())
		}
	case inventory.Map:
		fmt.Fprintf(&b, "%s:\n", name)
		for _, p := range v.Pairs {
			fmt.Fprintf(&b, "  %s: %s\n", p.Key, p.Value.Flow())
		}
	default:
		fmt.Fprintf(&b, "%s: %s\n", name, v.Flow())
	}
	return b.String()
}

// cell keeps a text from breaking the table it stands in.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
