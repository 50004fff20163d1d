package param

import (
	"fmt"
	"strings"
)

// Describe explains the parameter at length for a terminal: type, default,
// level, meaning, and the fields of its objects. Lines have at most 78 columns,
// but for a long default.
func (p *Parameter) Describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", p.Name)
	line := func(label, text string) {
		if text != "" {
			fmt.Fprintf(&b, "  %-9s%s\n", label, text)
		}
	}
	line("module", p.Module+", group "+p.Group)
	line("type", p.Type)
	line("one of", strings.Join(p.Enum, ", "))
	if p.field.hasDefault() && !long(p.Default) {
		line("default", p.Default.Flow())
	}
	line("level", strings.ReplaceAll(p.Level, "/", ", "))
	fmt.Fprintf(&b, "\n%s\n", Wrap(p.field.meaning(), 78, "  "))
	for _, o := range p.field.shape.objects() {
		o.describe(&b)
	}
	if long(p.Default) {
		b.WriteString("\nDefault:\n")
		for text := range strings.Lines(block(p.Name, p.Default)) {
			b.WriteString("  " + text)
		}
	}
	return b.String()
}

// describe lists the fields of an object.
func (o *object) describe(b *strings.Builder) {
	fmt.Fprintf(b, "\nFields of %s", o.name)
	switch {
	case o.bare != nil:
		fmt.Fprintf(b, ", which may be written as its %s alone", o.bare.name)
	case o.tuple:
		b.WriteString(", which may be written as a list in this order")
	}
	b.WriteString(":\n")
	for _, f := range o.fields {
		notes := []string{f.shape.word()}
		if r := f.shape.innermost().rule; r != nil && r.enum != nil {
			notes[0] = strings.Join(r.enum, ", ")
		}
		if f.required {
			notes = append(notes, "required")
		} else if f.hasDefault() {
			notes = append(notes, "default "+f.value.Flow())
		}
		fmt.Fprintf(b, "  %s (%s)\n%s\n", f.name, strings.Join(notes, "; "), Wrap(f.meaning(), 78, "      "))
	}
}

// Wrap breaks text into indented lines of at most width columns.
func Wrap(text string, width int, indent string) string {
	var b strings.Builder
	col := 0
	for _, word := range strings.Fields(text) {
		switch {
		case col == 0:
			b.WriteString(indent)
			col = len(indent)
		case col+1+len(word) > width:
			b.WriteString("\n" + indent)
			col = len(indent)
		default:
			b.WriteByte(' ')
			col++
		}
		b.WriteString(word)
		col += len(word)
	}
	return b.String()
}
