package pgsql

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// mapping is a YAML mapping that keeps the order it was written in, which is
// the order that people read patroni.yml in. Values are string, int, bool,
// mapping, []any and []string.
type mapping []entry

type entry struct {
	key   string
	value any
}

// set appends a key.
func (m *mapping) set(key string, value any) { *m = append(*m, entry{key, value}) }

// put replaces the value under key, appending it if there is none.
func (m *mapping) put(key string, value any) {
	for i, e := range *m {
		if e.key == key {
			(*m)[i].value = value
			return
		}
	}
	m.set(key, value)
}

// number returns the whole number under key, 0 if there is none.
func (m mapping) number(key string) int {
	for _, e := range m {
		if e.key == key {
			n, _ := strconv.Atoi(fmt.Sprint(e.value))
			return n
		}
	}
	return 0
}

// plain returns m as the plain values of encoding/json.
func (m mapping) plain() map[string]any {
	out := make(map[string]any, len(m))
	for _, e := range m {
		if inner, ok := e.value.(mapping); ok {
			out[e.key] = inner.plain()
			continue
		}
		out[e.key] = e.value
	}
	return out
}

// emit writes m as a YAML block, indented by depth levels of two spaces.
func (m mapping) emit(b *strings.Builder, depth int) {
	indent := strings.Repeat("  ", depth)
	for _, e := range m {
		b.WriteString(indent)
		b.WriteString(scalar(e.key))
		b.WriteByte(':')
		switch v := e.value.(type) {
		case mapping:
			if len(v) == 0 {
				b.WriteString(" {}\n")
				continue
			}
			b.WriteByte('\n')
			v.emit(b, depth+1)
		case []any:
			emitList(b, depth, v)
		case []string:
			emitList(b, depth, v)
		default:
			b.WriteByte(' ')
			b.WriteString(scalar(v))
			b.WriteByte('\n')
		}
	}
}

func emitList[T any](b *strings.Builder, depth int, items []T) {
	if len(items) == 0 {
		b.WriteString(" []\n")
		return
	}
	b.WriteByte('\n')
	indent := strings.Repeat("  ", depth+1)
	for _, item := range items {
		m, ok := any(item).(mapping)
		if !ok {
			b.WriteString(indent)
			b.WriteString("- ")
			b.WriteString(scalar(item))
			b.WriteByte('\n')
			continue
		}
		var inner strings.Builder
		m.emit(&inner, depth+2)
		b.WriteString(indent + "- " + inner.String()[len(indent)+2:])
	}
}

// bare reports whether YAML 1.1 and 1.2 both read s as text without quotes. This
// runs for every word of every member's configuration.
func bare(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '/' || c == '_'
		if !letter && (i == 0 || !('0' <= c && c <= '9' || c == '.' || c == '+' || c == '-')) {
			return false
		}
	}
	return s != "" && !reserved(s)
}

// printable reports whether s holds nothing that JSON escapes.
func printable(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// scalar writes one value. Anything that is not evidently plain text is quoted
// as JSON quotes it, which YAML reads the same.
func scalar(v any) string {
	switch v := v.(type) {
	case int:
		return strconv.Itoa(v)
	case bool:
		return strconv.FormatBool(v)
	case string:
		switch {
		case bare(v):
			return v
		case printable(v):
			return `"` + v + `"`
		}
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		_ = e.Encode(v) // a string never fails
		return strings.TrimSuffix(b.String(), "\n")
	}
	panic(fmt.Sprintf("pgsql: cannot write %T as YAML", v))
}

// reserved reports whether a bare word is something else than text to YAML 1.1.
func reserved(word string) bool {
	switch strings.ToLower(word) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return true
	}
	return false
}
