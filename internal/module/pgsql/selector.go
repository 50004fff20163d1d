package pgsql

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/jmespath-community/go-jmespath/pkg/api"

	"pigsty/internal/memo"
)

// memberIndex is the key under which a member's place in the cluster is kept
// among its variables while a selector runs.
const memberIndex = "__member"

// candidates makes the members of a cluster, of each of which vars holds the
// variables, what selectMembers takes.
func candidates(vars []map[string]any) []any {
	out := make([]any, len(vars))
	for i, v := range vars {
		v[memberIndex] = float64(i)
		out[i] = v
	}
	return out
}

// selector is a compiled expression, or why it cannot be compiled.
type selector struct {
	api.JMESPath
	err error
}

// selectors are the expressions of services, which most clusters have alike.
var selectors memo.Table[string, selector]

func compileSelector(expression string) selector {
	compiled, err := api.Compile(quoteLiterals(expression))
	return selector{compiled, err}
}

// selectMembers returns the positions of the members that the JMESPath
// expression selects, in the order it returns them.
func selectMembers(expression string, members []any) ([]int, error) {
	compiled := selectors.Of(expression, compileSelector)
	if compiled.err != nil {
		return nil, compiled.err
	}
	result, err := compiled.Search(members)
	if err != nil {
		return nil, err
	}
	if result == nil {
		return nil, nil
	}
	list, ok := result.([]any)
	if !ok {
		return nil, fmt.Errorf("it selects %s instead of a list of members", kindOf(result))
	}
	out := make([]int, 0, len(list))
	for _, item := range list {
		member, _ := item.(map[string]any)
		i, ok := member[memberIndex].(float64)
		if !ok {
			return nil, fmt.Errorf("it selects values instead of members; leave out what follows the filter")
		}
		out = append(out, int(i))
	}
	return out, nil
}

// kindOf names the JSON type of v.
func kindOf(v any) string {
	switch v.(type) {
	case map[string]any:
		return "an object"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	}
	return "a number"
}

// quoteLiterals makes the JSON literals of older JMESPath strict: between
// backticks, what is not JSON means the string, so `primary` becomes
// `"primary"`. Backticks inside quoted identifiers and raw strings stay.
func quoteLiterals(expression string) string {
	var b strings.Builder
	for i := 0; i < len(expression); {
		c := expression[i]
		if c != '`' && c != '\'' && c != '"' {
			b.WriteByte(c)
			i++
			continue
		}
		end := closing(expression, i)
		if end < 0 {
			b.WriteString(expression[i:])
			break
		}
		inner := expression[i+1 : end]
		if c == '`' && !json.Valid([]byte(strings.ReplaceAll(inner, "\\`", "`"))) {
			quoted, _ := json.Marshal(strings.TrimSpace(strings.ReplaceAll(inner, "\\`", "`")))
			inner = strings.ReplaceAll(string(quoted), "`", "\\`")
		}
		b.WriteByte(c)
		b.WriteString(inner)
		b.WriteByte(c)
		i = end + 1
	}
	return b.String()
}

// closing returns the index of the delimiter that ends what begins at start,
// -1 if it does not end.
func closing(s string, start int) int {
	for i := start + 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[start]:
			return i
		}
	}
	return -1
}

// numbers makes every integer in v the float64 that JMESPath compares with.
func numbers(v any) any {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = numbers(v[k])
		}
	}
	return v
}
