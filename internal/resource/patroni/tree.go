package patroni

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Tree is a JSON object, such as the dynamic configuration. It travels as JSON,
// so it may hold whatever JSON can.
type Tree map[string]any

// GobEncode returns the JSON.
func (t Tree) GobEncode() ([]byte, error) { return json.Marshal(t) }

// GobDecode reads the JSON.
func (t *Tree) GobDecode(data []byte) error { return json.Unmarshal(data, t) }

// difference is a leaf of the tree that differs. Keys may have dots in them, so
// the path is a list.
type difference struct {
	path     []string
	old, new any // nil: absent
}

func (d difference) name() string { return strings.Join(d.path, ".") }

// object returns v as an object.
func object(v any) (map[string]any, bool) {
	switch t := v.(type) {
	case Tree:
		return t, true
	case map[string]any:
		return t, true
	}
	return nil, false
}

// compare returns what of want differs from have, sorted. Null in want means
// absent; keys that want does not have are left alone.
func compare(have, want map[string]any, path ...string) []difference {
	var out []difference
	for _, key := range slices.Sorted(maps.Keys(want)) {
		at := append(slices.Clone(path), key)
		old, new := have[key], want[key]
		wantTree, ok := object(new)
		haveTree, isTree := object(old)
		switch {
		case ok && (isTree || old == nil):
			if len(wantTree) == 0 && old == nil {
				out = append(out, difference{at, nil, new})
				continue
			}
			out = append(out, compare(haveTree, wantTree, at...)...)
		case old == nil && new == nil:
		case old == nil || new == nil || !same(old, new):
			out = append(out, difference{at, old, new})
		}
	}
	return out
}

// patch returns the object that makes the differences so.
func patch(differences []difference) Tree {
	root := Tree{}
	for _, d := range differences {
		at := map[string]any(root)
		for _, key := range d.path[:len(d.path)-1] {
			next, ok := at[key].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[key] = next
			}
			at = next
		}
		at[d.path[len(d.path)-1]] = d.new
	}
	return root
}

// same reports whether two values mean the same to PostgreSQL and Patroni: 100
// and "100", true and "on", "1GB" and "1024MB".
func same(a, b any) bool {
	ta, tb := text(a), text(b)
	if ta == tb {
		return true
	}
	if x, ok := truth(ta); ok {
		if y, ok := truth(tb); ok {
			return x == y
		}
	}
	if x, err := strconv.ParseFloat(ta, 64); err == nil {
		if y, err := strconv.ParseFloat(tb, 64); err == nil {
			return x == y
		}
	}
	x, kind, ok := quantity(ta)
	y, kind2, ok2 := quantity(tb)
	return ok && ok2 && kind == kind2 && x == y
}

func truth(s string) (value, ok bool) {
	switch strings.ToLower(s) {
	case "on", "true", "yes":
		return true, true
	case "off", "false", "no":
		return false, true
	}
	return false, false
}

var number = regexp.MustCompile(`^(-?[0-9.]+)\s*(B|kB|MB|GB|TB|us|ms|s|min|h|d)$`)

// units are those of PostgreSQL's settings (guc.c), in bytes and microseconds.
var units = map[string]float64{
	"B": 1, "kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40,
	"us": 1, "ms": 1e3, "s": 1e6, "min": 60e6, "h": 3600e6, "d": 86400e6,
}

// quantity reads a number with a unit.
func quantity(s string) (value float64, kind string, ok bool) {
	m := number.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return 0, "", false
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, "", false
	}
	kind = "time"
	if strings.HasSuffix(m[2], "B") {
		kind = "memory"
	}
	return n * units[m[2]], kind, true
}

// text shows a value as a plan does.
func text(v any) string {
	switch t := v.(type) {
	case nil:
		return ""
	case string:
		return t
	case float64:
		return strconv.FormatFloat(t, 'f', -1, 64)
	case bool, int, int64:
		return fmt.Sprint(t)
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}
