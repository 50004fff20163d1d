package inventory

import (
	"fmt"
	"strings"

	"pigsty/internal/diag"
	"pigsty/internal/secret"
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
				diags.Add(diag.Diagnostic{Code: "extra-vars", Pos: diag.Pos{File: extraName}, Message: "extra variables: " + err.Error(), Advice: "name a file that exists; a relative path starts at the current folder"})
				continue
			}
			extra = append(extra, extraMapping(src, &inv.opener, &diags)...)
		case arg[0] == '{' || arg[0] == '[':
			extra = append(extra, extraMapping(Source{Name: extraName, Data: []byte(arg)}, &inv.opener, &diags)...)
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

func extraMapping(src Source, o *opener, diags *diag.List) []Variable {
	v, ok := parseYAML(src, o, diags)
	if !ok {
		return nil
	}
	if v.Kind != Map && v.Kind != Null {
		diags.Add(diag.Diagnostic{Code: "extra-vars", Pos: v.Pos, Message: "extra variables must be a mapping, not " + v.Kind.String(), Advice: `write "name: value"`})
	}
	name := src.Name
	if name == extraName {
		name = ""
	}
	return variables(v.Pairs, Origin{OriginExtra, name})
}

// extraPairs reads "key=value key='other value'".
func extraPairs(arg string, diags *diag.List) []Variable {
	var list []Variable
	words, closed := shellWords(arg)
	if !closed {
		diags.Add(diag.Diagnostic{Code: "extra-vars", Pos: diag.Pos{File: extraName}, Message: "a quote in the value of " + firstName(arg) + " is never closed", Advice: "add the missing quote"})
		return nil
	}
	for i, w := range words {
		key, text, found := strings.Cut(w.text, "=")
		if !found && i > 0 {
			// It is the rest of a value that has a space, and may be a password.
			diags.Add(diag.Diagnostic{
				Code: "extra-vars", Pos: diag.Pos{File: extraName},
				Message: fmt.Sprintf("word %d after -e %s… is not a variable with a value", i+1, firstName(arg)),
				Advice:  `quote a value that has spaces: -e "name='a value'"`,
			})
			continue
		}
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

// firstName returns the name that the text of an -e option begins with. Messages
// show no more of the text, which may be a password.
func firstName(arg string) string {
	name, _, _ := strings.Cut(arg, "=")
	name, _, _ = strings.Cut(name, " ")
	return name
}

// ShownExtra returns args, which are those of SetExtra, as they can be shown:
// with the value of every variable that hide names masked.
func ShownExtra(args []string, hide func(name string) bool) []string {
	var out []string
	for _, arg := range args {
		arg = strings.TrimSpace(arg)
		switch {
		case arg == "":
		case arg[0] == '@':
			out = append(out, arg)
		case arg[0] == '{':
			out = append(out, shownMapping(arg, hide))
		default:
			out = append(out, shownPairs(arg, hide))
		}
	}
	return out
}

// shownMapping is ShownExtra for a mapping.
func shownMapping(arg string, hide func(string) bool) string {
	var ignored diag.List
	v, ok := parseYAML(Source{Name: extraName, Data: []byte(arg)}, &opener{}, &ignored)
	if !ok || v.Kind != Map {
		return secret.Mask
	}
	var names []string
	hidden := false
	for _, p := range v.Pairs {
		hidden = hidden || hide(p.Key)
		names = append(names, p.Key+": "+secret.Mask)
	}
	if !hidden {
		return arg
	}
	return "{" + strings.Join(names, ", ") + "}"
}

// shownPairs is ShownExtra for key=value pairs.
func shownPairs(arg string, hide func(string) bool) string {
	words, closed := shellWords(arg)
	hidden := !closed
	var shown []string
	for _, w := range words {
		name, _, found := strings.Cut(w.text, "=")
		if !found || hide(name) {
			hidden = true
			name += "=" + secret.Mask
		} else {
			name = w.text
		}
		shown = append(shown, name)
	}
	if !hidden {
		return arg
	}
	return strings.Join(shown, " ")
}
