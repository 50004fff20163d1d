package inventory

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Expand replaces the placeholders ${name} in text, such as ${admin_ip}, by
// what lookup returns for name. Names that lookup does not know, and anything
// after "${" that is not a name, are left as they are; what is put in is not
// expanded again. The error is a name that no "}" ends.
func Expand(text string, lookup func(name string) (string, bool)) (string, error) {
	var b strings.Builder
	for rest := text; ; {
		before, after, found := strings.Cut(rest, "${")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		n := 0
		for n < len(after) && isWord(after[n], n == 0) {
			n++
		}
		name := after[:n]
		switch {
		case n > 0 && n == len(after):
			column := utf8.RuneCountInString(text[:len(text)-len(after)]) - 1
			return text, fmt.Errorf("the placeholder ${%s in column %d of %q lacks its \"}\"", name, column, text)
		case n > 0 && after[n] == '}':
			if value, ok := lookup(name); ok {
				b.WriteString(value)
			} else {
				b.WriteString("${" + name + "}")
			}
			rest = after[n+1:]
		default:
			b.WriteString("${")
			rest = after
		}
	}
}
