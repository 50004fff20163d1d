package inventory

import (
	"fmt"
	"strings"

	"pigsty/internal/diag"
)

// extraName stands for a file in the positions of extra variables that were
// written on the command line.
const extraName = "-e"

// SetExtra sets the extra variables, which win over all others, from the
// arguments of -e options: "key=value [key=value…]" with values that may be
// quoted as for a shell, a mapping "{…}" in YAML or JSON, or "@file" with such
// a mapping. Later ones win. Values without quotes mean what they would in
// YAML: 5 is an Int, yes a Bool. It replaces what an earlier call has set.
func (inv *Inventory) SetExtra(args []string) diag.List {
	var diags diag.List
	var extra []Variable
	for _, arg := range args {
		arg = strings.TrimSpace(arg)
		switch {
		case arg == "":
		case arg[0] == '@':
			src, err := ReadFile(arg[1:])
			if err != nil {
				diags.Add(diag.Diagnostic{Code: "extra-vars", Pos: diag.Pos{File: extraName}, Message: "extra variables: " + err.Error()})
				continue
			}
			extra = append(extra, extraMapping(src, src.Name, &diags)...)
		case arg[0] == '{' || arg[0] == '[':
			extra = append(extra, extraMapping(Source{extraName, []byte(arg)}, "", &diags)...)
		default:
			extra = append(extra, extraPairs(arg, &diags)...)
		}
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.extra = settle(extra)
	inv.reset()
	return diags
}

// SetDefaults says what a reference gives to a variable that nothing in the
// inventory sets: what Ansible would find among the defaults of its roles.
func (inv *Inventory) SetDefaults(lookup func(name string) (Value, bool)) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.defaults = lookup
	inv.reset()
}

func extraMapping(src Source, name string, diags *diag.List) []Variable {
	v, ok := parseYAML(src, diags)
	if !ok {
		return nil
	}
	if v.Kind != Map && v.Kind != Null {
		diags.Add(diag.Diagnostic{Code: "extra-vars", Pos: v.Pos, Message: "extra variables must be a mapping, not " + v.Kind.String(), Advice: `write "name: value"`})
	}
	return variables(v.Pairs, Origin{OriginExtra, name})
}

// extraPairs reads "key=value key='other value'".
func extraPairs(arg string, diags *diag.List) []Variable {
	var list []Variable
	words, closed := shellWords(arg)
	if !closed {
		diags.Add(diag.Diagnostic{Code: "extra-vars", Pos: diag.Pos{File: extraName}, Message: fmt.Sprintf("a quote in %q is never closed", arg), Advice: "add the missing quote"})
		return nil
	}
	for _, w := range words {
		key, text, found := strings.Cut(w.text, "=")
		if !found || key == "" {
			diags.Add(diag.Diagnostic{
				Code: "extra-vars", Pos: diag.Pos{File: extraName},
				Message: fmt.Sprintf("%q is not a variable with a value", w.text), Advice: `write name=value, {"name": "value"} or @file.yml`,
			})
			continue
		}
		v := Value{Kind: String, Pos: diag.Pos{File: extraName}, Text: text, Plain: !w.quoted}
		if v.Plain {
			v.Kind = scalarKind(text)
		}
		list = append(list, variables([]Pair{{key, v.Pos, v}}, Origin{Kind: OriginExtra})...)
	}
	return list
}

type shellWord struct {
	text   string
	quoted bool // in part at least
}

// shellWords splits text at white space outside of quotes and braces (those of
// a reference), takes the quotes off, and reports whether every quote is closed.
func shellWords(text string) (words []shellWord, closed bool) {
	var word shellWord
	var quote rune
	started, braces := false, 0
	for _, c := range text {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && braces == 0 && (c == '\'' || c == '"'):
			quote, started, word.quoted = c, true, true
		case quote == 0 && braces == 0 && (c == ' ' || c == '\t' || c == '\n'):
			if started {
				words = append(words, word)
			}
			word, started = shellWord{}, false
		default:
			if quote == 0 && c == '{' {
				braces++
			} else if quote == 0 && c == '}' {
				braces = max(0, braces-1)
			}
			word.text += string(c)
			started = true
		}
	}
	if started {
		words = append(words, word)
	}
	return words, quote == 0
}
