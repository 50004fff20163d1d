package rpm

import (
	"fmt"
	"strings"
)

// Relation is a name that a package has, provides or needs, in some version.
type Relation struct {
	Name string
	Op   string // <, <=, =, >=, >; empty where any version will do
	EVR  EVR
}

// String writes r as spec files do.
func (r Relation) String() string {
	if r.Op == "" {
		return r.Name
	}
	return r.Name + " " + r.Op + " " + r.EVR.String()
}

// overlaps reports whether some version satisfies r and o, which have one name.
// A side without a version stands for all; releases count if both have one.
func (r Relation) overlaps(o Relation) bool {
	if r.Op == "" || o.Op == "" {
		return true
	}
	a, b := r.EVR, o.EVR
	if a.Release == "" || b.Release == "" {
		a.Release, b.Release = "", ""
	}
	has := func(x Relation, sign string) bool { return strings.Contains(x.Op, sign) }
	switch c := Compare(a, b); {
	case c < 0:
		return has(r, ">") || has(o, "<")
	case c > 0:
		return has(r, "<") || has(o, ">")
	}
	return has(r, "=") && has(o, "=") || has(r, "<") && has(o, "<") || has(r, ">") && has(o, ">")
}

// need is what a package requires: a relation, or a condition over several
// (rpm's boolean dependencies).
type need struct {
	op       string // "" for a relation, else and, or, if, unless, with, without
	relation Relation
	args     []need // of if and unless: what is needed, the condition, and what is needed otherwise
}

// String writes n as spec files do.
func (n need) String() string {
	switch {
	case n.op == "":
		return n.relation.String()
	case len(n.args) == 3 && (n.op == "if" || n.op == "unless"):
		return fmt.Sprintf("(%s %s %s else %s)", n.args[0], n.op, n.args[1], n.args[2])
	}
	words := make([]string, len(n.args))
	for i, a := range n.args {
		words[i] = a.String()
	}
	return "(" + strings.Join(words, " "+n.op+" ") + ")"
}

// each calls use with every relation in n.
func (n need) each(use func(Relation)) {
	if n.op == "" {
		use(n.relation)
	}
	for _, a := range n.args {
		a.each(use)
	}
}

// parseNeed reads the name of a requirement: a plain name, or a condition in
// brackets.
func parseNeed(text string) (need, error) {
	if !strings.HasPrefix(text, "(") {
		return need{relation: Relation{Name: text}}, nil
	}
	p := richParser{tokens: richTokens(text)}
	n, err := p.group()
	if err != nil || len(p.tokens) > 0 {
		return need{}, fmt.Errorf("the requirement %q cannot be read", text)
	}
	return n, nil
}

// richTokens splits a condition at blanks and at the brackets that group it.
// Those within a name, such as libc.so.6(GLIBC_2.34), stay.
func richTokens(text string) []string {
	var out []string
	for word := range strings.FieldsSeq(text) {
		for strings.HasPrefix(word, "(") {
			out, word = append(out, "("), word[1:]
		}
		closing := 0
		for strings.HasSuffix(word, ")") && strings.Count(word, ")") > strings.Count(word, "(") {
			word = word[:len(word)-1]
			closing++
		}
		if word != "" {
			out = append(out, word)
		}
		for range closing {
			out = append(out, ")")
		}
	}
	return out
}

type richParser struct{ tokens []string }

var errRich = fmt.Errorf("not a boolean dependency")

func (p *richParser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *richParser) take(token string) bool {
	if p.peek() != token {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

// group reads "(" operand {operator operand} ")".
func (p *richParser) group() (need, error) {
	if !p.take("(") {
		return need{}, errRich
	}
	first, err := p.operand()
	if err != nil {
		return need{}, err
	}
	n := need{args: []need{first}}
	for !p.take(")") {
		switch op := p.peek(); op {
		case "and", "or", "with", "without", "if", "unless":
			if n.op != "" && (n.op != op || op == "if" || op == "unless") {
				return need{}, errRich
			}
			n.op = op
		case "else":
			if (n.op != "if" && n.op != "unless") || len(n.args) != 2 {
				return need{}, errRich
			}
		default:
			return need{}, errRich
		}
		p.tokens = p.tokens[1:]
		next, err := p.operand()
		if err != nil {
			return need{}, err
		}
		n.args = append(n.args, next)
	}
	if n.op == "" {
		return first, nil
	}
	return n, nil
}

// operand reads a group, or a name with or without a version.
func (p *richParser) operand() (need, error) {
	switch p.peek() {
	case "(":
		return p.group()
	case "", ")":
		return need{}, errRich
	}
	r := Relation{Name: p.tokens[0]}
	p.tokens = p.tokens[1:]
	switch p.peek() {
	case "<", "<=", "=", ">=", ">":
		if len(p.tokens) < 2 {
			return need{}, errRich
		}
		r.Op, r.EVR = p.tokens[0], parseEVR(p.tokens[1])
		p.tokens = p.tokens[2:]
	}
	return need{relation: r}, nil
}
