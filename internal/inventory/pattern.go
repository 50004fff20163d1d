package inventory

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pigsty/internal/diag"
)

// PatternError says what is wrong with a host pattern.
type PatternError struct {
	Pattern string // as given to Select
	Name    string // the part of it that is wrong
	Nearest string // the host or group most like Name, if Name is unknown and one is like it
	Reason  string // what is wrong, unless Name is unknown
}

func (e *PatternError) Error() string {
	if e.Reason != "" {
		if e.Name == "" {
			return fmt.Sprintf("%q %s", e.Pattern, e.Reason)
		}
		text := fmt.Sprintf("%q %s", e.Name, e.Reason)
		if e.Name != e.Pattern {
			text += fmt.Sprintf(" (in the pattern %q)", e.Pattern)
		}
		return text
	}
	text := fmt.Sprintf("no host or group is called %q", e.Name)
	if e.Name != e.Pattern {
		text += fmt.Sprintf(" (in the pattern %q)", e.Pattern)
	}
	if e.Nearest != "" {
		text += fmt.Sprintf("; did you mean %q?", e.Nearest)
	}
	return text
}

// Select returns the hosts that an Ansible host pattern (-l) names, in the order
// of the inventory. Terms are joined by "," or ":"; those with "&" in front keep
// only what they name, those with "!" take it away, wherever they stand. A term
// is the name of a group or host, "all", a glob (*, ?, [abc]), a host range
// (10.10.10.[11:13], web[01:20]), or a regular expression after "~" that matches
// from the start of a name. Behind the name of a group or a glob, [0], [-1] and
// [0:2] pick hosts by their place in it, both ends included. An empty pattern is
// "all". A glob may match nothing; an unknown name is a *PatternError.
func (inv *Inventory) Select(pattern string) ([]*Host, error) {
	var union, only, without []string
	for _, term := range splitPattern(pattern) {
		switch {
		case term == "":
		case term[0] == '!':
			without = append(without, term[1:])
		case term[0] == '&':
			only = append(only, term[1:])
		default:
			union = append(union, term)
		}
	}
	if len(union) == 0 {
		union = []string{"all"}
	}
	chosen := map[*Host]bool{}
	apply := func(terms []string, use func(named map[*Host]bool)) error {
		for _, term := range terms {
			named, err := inv.term(strings.TrimSpace(term))
			if err != nil {
				err.Pattern = pattern
				return err
			}
			set := make(map[*Host]bool, len(named))
			for _, h := range named {
				set[h] = true
			}
			use(set)
		}
		return nil
	}
	err := cmp.Or(
		apply(union, func(named map[*Host]bool) {
			for h := range named {
				chosen[h] = true
			}
		}),
		apply(only, func(named map[*Host]bool) {
			for h := range chosen {
				if !named[h] {
					delete(chosen, h)
				}
			}
		}),
		apply(without, func(named map[*Host]bool) {
			for h := range named {
				delete(chosen, h)
			}
		}),
	)
	if err != nil {
		return nil, err
	}
	hosts := make([]*Host, 0, len(chosen))
	for h := range chosen {
		hosts = append(hosts, h)
	}
	slices.SortFunc(hosts, func(a, b *Host) int { return cmp.Compare(a.index, b.index) })
	return hosts, nil
}

// splitPattern cuts a pattern at the "," and ":" that stand outside of brackets
// and, so that regular expressions survive, of parentheses and braces.
func splitPattern(pattern string) []string {
	var terms []string
	depth, start := 0, 0
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '[', '(', '{':
			depth++
		case ']', ')', '}':
			depth = max(0, depth-1)
		case ',', ':':
			if depth == 0 {
				terms = append(terms, strings.TrimSpace(pattern[start:i]))
				start = i + 1
			}
		}
	}
	return append(terms, strings.TrimSpace(pattern[start:]))
}

// subscript is a term that picks hosts by their place: [0], [-1], [0:2], [1:].
var subscript = regexp.MustCompile(`^(.+)\[(?:(-?[0-9]+)|([0-9]+)[:-]([0-9]*))\]$`)

// term returns the hosts that one term names.
func (inv *Inventory) term(term string) ([]*Host, *PatternError) {
	switch {
	case term == "":
		return nil, &PatternError{Name: term, Reason: `lacks a name after "!" or "&"`}
	case term[0] == '~':
		re, err := regexp.Compile("^(?:" + term[1:] + ")")
		if err != nil {
			return nil, &PatternError{Name: term, Reason: "is not a regular expression: " + err.Error()}
		}
		return inv.matching(re), nil
	}
	if g := inv.named(term); g != nil {
		hosts := g.Hosts()
		if h := inv.hostNamed[term]; h != nil && strings.Contains(term, ".") {
			hosts = append(hosts, h) // a name with a dot is looked for among the hosts too
		}
		return hosts, nil
	}
	if h := inv.hostNamed[term]; h != nil {
		return []*Host{h}, nil
	}
	if strings.Count(term, "[") != strings.Count(term, "]") {
		return nil, &PatternError{Name: term, Reason: "has a bracket without its partner"}
	}
	inRange := inv.inRange(term)
	if m := subscript.FindStringSubmatch(term); m != nil && !(len(inRange) > 0 && zeroPadded.MatchString(term)) {
		if g := inv.named(m[1]); g != nil {
			return pick(term, g.Hosts(), m[2], m[3], m[4])
		}
		if strings.ContainsAny(m[1], "*?") {
			return pick(term, inv.matching(glob(m[1])), m[2], m[3], m[4])
		}
	}
	if len(inRange) > 0 {
		return inRange, nil
	}
	if _, err := expandRange(term); err != nil || strings.ContainsAny(term, "*?") {
		return inv.matching(glob(term)), nil
	}
	return nil, &PatternError{Name: term, Nearest: inv.nearest(term)}
}

// zeroPadded is a host range such as web[01:20]: no index is written so. It
// means the hosts even where a group is called web.
var zeroPadded = regexp.MustCompile(`\[0[0-9]+:`)

// inRange returns the hosts that term names if it is a host range.
func (inv *Inventory) inRange(term string) (hosts []*Host) {
	if !strings.Contains(term, "[") {
		return nil
	}
	names, _ := expandRange(term)
	for _, name := range names {
		if h := inv.hostNamed[name]; h != nil {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

// named returns the group called name, where "*" is another word for "all".
func (inv *Inventory) named(name string) *Group {
	if name == "*" {
		name = "all"
	}
	return inv.groupNamed[name]
}

func (inv *Inventory) nearest(name string) string {
	return diag.Nearest(name, func(yield func(string) bool) {
		for _, g := range inv.groups {
			if !yield(g.name) {
				return
			}
		}
		for _, h := range inv.hosts {
			if !yield(h.name) {
				return
			}
		}
	})
}

// matching returns the hosts of the groups, and the hosts, whose names match.
func (inv *Inventory) matching(re *regexp.Regexp) []*Host {
	var hosts []*Host
	seen := map[*Host]bool{}
	add := func(list ...*Host) {
		for _, h := range list {
			if !seen[h] {
				seen[h] = true
				hosts = append(hosts, h)
			}
		}
	}
	for _, g := range inv.groups {
		if re.MatchString(g.name) {
			add(g.Hosts()...)
		}
	}
	for _, h := range inv.hosts {
		if re.MatchString(h.name) {
			add(h)
		}
	}
	return hosts
}

// pick returns the hosts at an index, or from one index to another ("" is the
// last one).
func pick(term string, hosts []*Host, index, from, to string) ([]*Host, *PatternError) {
	if index != "" {
		i, err := strconv.Atoi(index)
		if i < 0 {
			i += len(hosts)
		}
		if err != nil || i < 0 || i >= len(hosts) {
			return nil, &PatternError{Name: term, Reason: fmt.Sprintf("is out of range: there are %d hosts, counted from 0", len(hosts))}
		}
		return hosts[i : i+1], nil
	}
	first, last := len(hosts), len(hosts)-1
	if n, err := strconv.Atoi(from); err == nil {
		first = min(n, len(hosts))
	}
	if n, err := strconv.Atoi(to); err == nil {
		last = min(n, last)
	}
	return hosts[first:max(first, last+1)], nil
}

// glob turns a shell glob into a regular expression for whole names.
func glob(pattern string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString("^")
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteString(".")
		case '[':
			set, size := globSet(pattern[i:])
			b.WriteString(set)
			i += size - 1
		default:
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		}
	}
	re, err := regexp.Compile(b.String() + "$")
	if err != nil { // such as a set [z-a], which matches nothing
		return regexp.MustCompile(`$x`)
	}
	return re
}

// globSet turns the set [abc], [a-c] or [!a] that pattern starts with into a
// regular expression, and returns its length. A "[" that nothing closes is a
// plain character.
func globSet(pattern string) (string, int) {
	end := strings.IndexByte(pattern[min(2, len(pattern)):], ']') + 2
	if end < 2 {
		return `\[`, 1
	}
	set := pattern[1:end]
	not := ""
	if set[0] == '!' {
		not, set = "^", set[1:]
	}
	set = strings.NewReplacer(`\`, `\\`, `[`, `\[`, `]`, `\]`, `^`, `\^`).Replace(set)
	return "[" + not + set + "]", end + 1
}
