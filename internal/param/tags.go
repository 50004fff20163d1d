package param

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
)

// tagKeys are the keys that a declaration may have, see the package comment.
var tagKeys = []string{
	"param", "default", "doc", "idle", "group", "level", "aka", "required", "bare", "enum", "fold", "usual",
	"min", "max", "pattern", "form", "format", "unique", "key", "secrets",
}

var tagPair = regexp.MustCompile(`^ ?([a-z]+):"(?:[^"\\]|\\.)*"`)

// checkTag panics when a tag has a misspelled or repeated key or can't be read,
// since reflect says nothing about either.
func checkTag(tag reflect.StructTag) {
	var seen []string
	for rest := string(tag); rest != ""; {
		m := tagPair.FindStringSubmatch(rest)
		if m == nil {
			panic(fmt.Sprintf("a tag can't be read from here on: %s", rest))
		}
		if !slices.Contains(tagKeys, m[1]) || slices.Contains(seen, m[1]) {
			panic(fmt.Sprintf("%s has the unknown or repeated tag %s", tag.Get("param"), m[1]))
		}
		seen, rest = append(seen, m[1]), rest[len(m[0]):]
	}
}
