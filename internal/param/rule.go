package param

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pigsty/internal/diag"
)

// rule restricts a scalar.
type rule struct {
	enum     []string
	fold     bool
	usual    []string
	min, max *float64
	pattern  *regexp.Regexp
	form     string // what the pattern stands for, after "must be"
	format   string
}

// newRule reads the tags about a scalar; nil when there are none.
func newRule(tag reflect.StructTag, name string) *rule {
	r := &rule{
		enum:   words(tag.Get("enum")),
		fold:   tag.Get("fold") == "true",
		usual:  words(tag.Get("usual")),
		min:    bound(tag.Get("min"), name),
		max:    bound(tag.Get("max"), name),
		form:   tag.Get("form"),
		format: tag.Get("format"),
	}
	if p := tag.Get("pattern"); p != "" {
		r.pattern = regexp.MustCompile(p)
		if r.form == "" {
			panic(name + " has a pattern without a form")
		}
	}
	if r.format != "" {
		f, ok := formats[r.format]
		if !ok {
			panic(fmt.Sprintf("%s has the unknown format %s", name, r.format))
		}
		if f.min != nil {
			r.min, r.max = f.min, f.max
		}
	}
	if reflect.DeepEqual(*r, rule{}) {
		return nil
	}
	return r
}

// bound reads a limit.
func bound(text, name string) *float64 {
	if text == "" {
		return nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic(fmt.Sprintf("%s: bound %q is not a number", name, text))
	}
	return &n
}

// fault is what a rule has against a value.
type fault struct {
	severity diag.Severity
	code     string
	must     string // "must be an IP address"
	advice   string
}

// text checks a text and returns it as the declaration spells it.
func (r *rule) text(s string) (string, *fault) {
	if r == nil || strings.Contains(s, "{{") {
		return s, nil
	}
	if r.enum != nil {
		return r.choice(s)
	}
	if s == "" || strings.Contains(s, "${") {
		return s, nil
	}
	if r.pattern != nil && !r.pattern.MatchString(s) {
		return s, &fault{code: "invalid-format", must: "must be " + r.form}
	}
	if f, ok := formats[r.format]; ok {
		if fault := f.check(s); fault != nil {
			return s, fault
		}
	}
	if r.usual != nil && !slices.Contains(r.usual, s) {
		// A name of the user's own may be that of a usual value with something added.
		near := diag.Nearest(s, slices.Values(r.usual))
		if more := len(s) - len(near); near != "" && more >= -1 && more <= 1 {
			return s, &fault{
				severity: diag.Warning, code: "unusual-value",
				must: "is usually one of " + strings.Join(r.usual, ", "), advice: "write " + near + " if that was meant",
			}
		}
	}
	return s, nil
}

// choice checks a text against the enum.
func (r *rule) choice(s string) (string, *fault) {
	if slices.Contains(r.enum, s) {
		return s, nil
	}
	lower := strings.ToLower(s)
	for _, e := range r.enum {
		if r.fold && strings.ToLower(e) == lower {
			return e, nil
		}
	}
	// YAML reads a plain off, no or false as the same boolean.
	if (lower == "no" || lower == "false") && slices.Contains(r.enum, "off") {
		return "off", nil
	}
	f := &fault{code: "invalid-value", must: "must be one of " + strings.Join(r.enum, ", ")}
	if near := diag.Nearest(lower, slices.Values(r.enum)); near != "" {
		f.advice = "write " + near
	}
	return s, f
}

// number checks a number.
func (r *rule) number(n float64) *fault {
	if r == nil {
		return nil
	}
	if r.enum != nil {
		_, f := r.choice(strconv.FormatFloat(n, 'f', -1, 64))
		return f
	}
	low, high := r.min != nil && n < *r.min, r.max != nil && n > *r.max
	if !low && !high {
		return nil
	}
	return &fault{code: "out-of-range", must: "must be " + r.limits()}
}

// limits names the bounds: "between 1 and 65535", "at least 0".
func (r *rule) limits() string {
	num := func(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }
	switch {
	case r.min != nil && r.max != nil:
		return "between " + num(*r.min) + " and " + num(*r.max)
	case r.min != nil:
		return "at least " + num(*r.min)
	}
	return "at most " + num(*r.max)
}
