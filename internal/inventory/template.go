package inventory

import (
	"errors"
	"strings"
)

// template is a text with Jinja references, cut up.
type template []piece

// piece is plain text, or a reference.
type piece struct {
	text string // as written
	ref  *expr  // nil for plain text
}

// expr is the part of Jinja's expressions that inventories are found to use: a
// literal or variable, its members, and the filter default.
type expr struct {
	literal *Value
	name    string // of the variable, if there is no literal
	members []*expr
	orElse  *expr // of default(…)
	falsy   bool  // default(…, true): also instead of an empty value
}

// errNotUnderstood is what a reference is that only Jinja understands.
var errNotUnderstood = errors.New("not understood")

// hasReference reports whether v holds anything that Jinja would look at.
func hasReference(v Value) bool {
	switch v.Kind {
	case String:
		return v.Tag == "" && (strings.Contains(v.Text, "{{") || strings.Contains(v.Text, "{%"))
	case List:
		for _, item := range v.Items {
			if hasReference(item) {
				return true
			}
		}
	case Map:
		for _, p := range v.Pairs {
			if hasReference(p.Value) {
				return true
			}
		}
	}
	return false
}

// parseTemplate cuts text into pieces.
func parseTemplate(text string) (template, error) {
	if strings.Contains(text, "{%") {
		return nil, errNotUnderstood
	}
	var t template
	for text != "" {
		start := strings.Index(text, "{{")
		if start < 0 {
			return append(t, piece{text: text}), nil
		}
		if start > 0 {
			t = append(t, piece{text: text[:start]})
		}
		p := exprParser{rest: text[start+2:]}
		e := p.expr()
		if !p.take("}}") || p.failed {
			return nil, errNotUnderstood
		}
		end := len(text) - len(p.rest)
		t = append(t, piece{text: text[start:end], ref: e})
		text = text[end:]
	}
	return t, nil
}

// exprParser reads one expression. Once failed, what it returns means nothing.
type exprParser struct {
	rest   string
	depth  int
	failed bool
}

// take skips white space, and token if it follows.
func (p *exprParser) take(token string) bool {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	rest, ok := strings.CutPrefix(p.rest, token)
	p.rest = rest
	return ok
}

func (p *exprParser) fail() *expr {
	p.failed = true
	return &expr{}
}

// expr reads primary { "." name | "[" expr "]" } { "|" default }.
func (p *exprParser) expr() *expr {
	if p.depth++; p.depth > 20 {
		return p.fail()
	}
	defer func() { p.depth-- }()
	e := p.primary()
	for !p.failed {
		switch {
		case p.take("."):
			name := p.word()
			if name == "" {
				return p.fail()
			}
			e.members = append(e.members, stringExpr(name))
		case p.take("["):
			e.members = append(e.members, p.expr())
			if !p.take("]") {
				return p.fail()
			}
		case p.take("|"):
			if filter := p.word(); filter != "default" && filter != "d" || e.orElse != nil {
				return p.fail()
			}
			p.defaultArguments(e)
		default:
			return e
		}
	}
	return e
}

func (p *exprParser) defaultArguments(e *expr) {
	e.orElse = stringExpr("")
	if !p.take("(") || p.take(")") {
		return
	}
	e.orElse = p.expr()
	if p.take(",") {
		p.take("boolean=")
		switch p.word() {
		case "true", "True":
			e.falsy = true
		case "false", "False":
		default:
			p.failed = true
		}
	}
	if !p.take(")") {
		p.failed = true
	}
}

func (p *exprParser) primary() *expr {
	switch p.take(""); {
	case p.take("'"):
		return p.quoted("'")
	case p.take(`"`):
		return p.quoted(`"`)
	case p.take("["):
		if !p.take("]") {
			return p.fail()
		}
		return &expr{literal: &Value{Kind: List}}
	case p.take("{"):
		if !p.take("}") {
			return p.fail()
		}
		return &expr{literal: &Value{Kind: Map}}
	}
	switch word := p.word(); word {
	case "":
		return p.number()
	case "true", "True", "false", "False":
		return &expr{literal: &Value{Kind: Bool, Text: strings.ToLower(word), Plain: true}}
	case "none", "None", "null":
		return &expr{literal: &Value{}}
	case "not", "if", "else", "and", "or", "in", "is":
		return p.fail()
	default:
		return &expr{name: word}
	}
}

func (p *exprParser) quoted(quote string) *expr {
	text, rest, closed := strings.Cut(p.rest, quote)
	if !closed || strings.Contains(text, `\`) {
		return p.fail()
	}
	p.rest = rest
	return stringExpr(text)
}

func (p *exprParser) number() *expr {
	n := 0
	for n < len(p.rest) && (p.rest[n] >= '0' && p.rest[n] <= '9' || p.rest[n] == '.' || n == 0 && p.rest[n] == '-') {
		n++
	}
	v := Value{Kind: scalarKind(p.rest[:n]), Text: p.rest[:n], Plain: true}
	if v.Kind != Int && v.Kind != Float {
		return p.fail()
	}
	p.rest = p.rest[n:]
	return &expr{literal: &v}
}

// word takes a name: letters, digits and "_", not a digit first.
func (p *exprParser) word() string {
	p.take("")
	n := 0
	for n < len(p.rest) && isWord(p.rest[n], n == 0) {
		n++
	}
	word := p.rest[:n]
	p.rest = p.rest[n:]
	return word
}

func isWord(c byte, first bool) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || !first && c >= '0' && c <= '9'
}

func stringExpr(text string) *expr { return &expr{literal: &Value{Kind: String, Text: text}} }
