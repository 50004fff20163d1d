package pgsql

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
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
		b.WriteString(indent + scalar(e.key) + ":")
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
			items := make([]any, len(v))
			for i, s := range v {
				items[i] = s
			}
			emitList(b, depth, items)
		default:
			b.WriteString(" " + scalar(v) + "\n")
		}
	}
}

func emitList(b *strings.Builder, depth int, items []any) {
	if len(items) == 0 {
		b.WriteString(" []\n")
		return
	}
	b.WriteByte('\n')
	indent := strings.Repeat("  ", depth+1)
	for _, item := range items {
		m, ok := item.(mapping)
		if !ok {
			b.WriteString(indent + "- " + scalar(item) + "\n")
			continue
		}
		var inner strings.Builder
		m.emit(&inner, depth+2)
		b.WriteString(indent + "- " + inner.String()[len(indent)+2:])
	}
}

// bareText are strings that YAML 1.1 and 1.2 both read as text without quotes;
// words such as on, no and null are excluded below.
var bareText = regexp.MustCompile(`^[A-Za-z/_][A-Za-z0-9_./+-]*$`)

// scalar writes one value. Anything that is not evidently plain text is quoted
// as JSON quotes it, which YAML reads the same.
func scalar(v any) string {
	switch v := v.(type) {
	case int:
		return strconv.Itoa(v)
	case bool:
		return strconv.FormatBool(v)
	case string:
		if bareText.MatchString(v) && !reserved(v) {
			return v
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
