package inventory

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"pigsty/internal/diag"
)

// checkText finds what no YAML text may hold, which the parser reports without
// a place.
func checkText(src Source) (diag.Diagnostic, bool) {
	d := diag.Diagnostic{Pos: diag.Pos{File: src.Name, Line: 1, Col: 1}}
	switch {
	case bytes.HasPrefix(src.Data, []byte("\xff\xfe")) || bytes.HasPrefix(src.Data, []byte("\xfe\xff")):
		d.Code, d.Message, d.Advice = "not-utf8", "the file is UTF-16", "save it as UTF-8"
		return d, true
	case bytes.HasPrefix(src.Data, elf):
		d.Code, d.Message, d.Advice = "not-yaml", "the file is a program", "name an inventory in YAML"
		return d, true
	}
	for rest := src.Data; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case r == utf8.RuneError && size == 1:
			d.Code, d.Message, d.Advice = "not-utf8", fmt.Sprintf("the byte 0x%02x is not UTF-8 text", rest[0]), "save the file as UTF-8"
			return d, true
		case r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff:
			d.Code, d.Message, d.Advice = "control-character", fmt.Sprintf("the control character %U stands here", r), `remove it, or write "\x…" inside double quotes`
			return d, true
		case r == '\ufeff' && len(rest) == len(src.Data): // a byte order mark takes no column
		case r == '\n' || r == '\r' && !bytes.HasPrefix(rest[1:], []byte("\n")):
			d.Pos.Line, d.Pos.Col = d.Pos.Line+1, 1
		default:
			d.Pos.Col++
		}
		rest = rest[size:]
	}
	return d, false
}

// explainSyntax turns an error of the YAML parser into a plain sentence about
// the text.
func explainSyntax(src Source, err error) diag.Diagnostic {
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		return diag.Diagnostic{Code: "yaml-syntax", Pos: diag.Pos{File: src.Name}, Message: err.Error()}
	}
	s := syntaxError{
		file: src.Name, text: newText(src.Data), message: load.Message, context: load.ContextMsg,
		at: spot{load.Mark.Line, load.Mark.Column}, opened: spot{load.ContextMark.Line, load.ContextMark.Column},
	}
	if first, line := s.text.firstContent(); iniSection.MatchString(first) {
		return s.say(spot{line, 1}, "yaml-syntax", "this looks like an inventory in INI form", `write it as YAML: "all:", "children:", then the groups`)
	}
	return s.explain()
}

var iniSection = regexp.MustCompile(`^\[[\w:-]+\]\s*$`)

// syntaxError is what the parser stumbled over.
type syntaxError struct {
	file             string
	text             text
	message, context string // in the parser's words
	at, opened       spot   // where it gave up, where the construct it was in begins
}

func (s syntaxError) say(at spot, code, message, advice string) diag.Diagnostic {
	return diag.Diagnostic{Code: code, Pos: diag.Pos{File: s.file, Line: at.line, Col: at.col}, Message: message, Advice: advice}
}

func (s syntaxError) explain() diag.Diagnostic {
	const code = "yaml-syntax"
	line := s.text.line(s.at.line)
	if tab := strings.IndexByte(line[:indent(line)], '\t'); tab >= 0 {
		return s.say(spot{s.at.line, tab + 1}, "yaml-tab", "a tab is used for indentation", "indent with spaces")
	}
	found := s.text.from(s.at)
	switch s.message {
	case "did not find expected ',' or '}'", "did not find expected ',' or ']'":
		return s.flow(found)
	case "found unexpected end of stream":
		return s.say(s.opened, "unclosed-quote", "the quote that opens here is never closed", "add the missing quote, or remove this one")
	case "found character that cannot start any token":
		return s.say(s.at, code, fmt.Sprintf("a value cannot start with %q", firstRune(found)), "put the value into quotes")
	case "did not find expected alphabetic or numeric character":
		return s.say(s.opened, code, `"*" and "&" name an anchor, and no name follows`, `put the value into quotes: "*"`)
	case "did not find expected node content":
		if found == "" {
			return s.say(s.at, "unbalanced-bracket", "the file ends where a value is expected", "check that every bracket is closed")
		}
		return s.say(s.at, "unbalanced-bracket", fmt.Sprintf("%q stands where a value is expected", firstRune(found)), "remove it, or write the value before it")
	case "mapping values are not allowed in this context":
		return s.colon(line)
	case "did not find expected key", "did not find expected '-' indicator", "did not find expected <document start>":
		return s.misplaced(line, found)
	case "could not find expected ':'":
		return s.say(s.opened, code, "this line is neither \"name: value\" nor a list item", `write ":" and a space after the name`)
	case "block sequence entries are not allowed in this context":
		return s.say(s.at, code, "a list cannot begin on the line of its name", `start a new line before "- ", or write [a, b]`)
	case "found unknown escape character":
		return s.say(s.at, code, fmt.Sprintf(`%q is no escape that double quotes know`, prefix(found, 2)), `use single quotes, or write "\\" for a backslash`)
	}
	if name, ok := strings.CutPrefix(s.message, "unknown anchor '"); ok {
		name = strings.TrimSuffix(name, "' referenced")
		return s.say(s.at, "unknown-anchor", "*"+name+" names an anchor that nothing above has", "write &"+name+" before the value that it stands for")
	}
	if strings.HasPrefix(s.message, "exceeded max depth") {
		return s.say(s.at, code, fmt.Sprintf("lists and mappings are nested more than %d deep", maxDepth), "check the brackets and the indentation")
	}
	message := s.message
	if s.context != "" {
		message = s.context + ": " + message
	}
	return s.say(s.at, code, message, "")
}

// colon explains a ":" where the parser takes none.
func (s syntaxError) colon(line string) diag.Diagnostic {
	const code, message = "yaml-syntax", `":" is not allowed here`
	above, aboveLine := s.text.contentAbove(s.at.line)
	before := prefix(line, s.at.col-1)
	switch {
	case strings.Contains(before, ": "):
		return s.say(s.at, code, message, `put the value into quotes: it holds ": "`)
	case missingSpace.MatchString(above) && indent(above) == indent(line):
		return s.say(spot{aboveLine, indent(above) + 1}, code, "this line is not \"name: value\"", `write a space after ":"`)
	case indent(line) > indent(above):
		return s.say(spot{s.at.line, indent(line) + 1}, code, fmt.Sprintf("this line is indented further than line %d, which has a value already", aboveLine), "line it up with the names it belongs to")
	}
	return s.say(s.at, code, message, "put the value into quotes, or check the indentation")
}

var missingSpace = regexp.MustCompile(`^\s*[\w.-]+:\S`)

// misplaced explains a line whose indentation fits nothing above it, or text
// that follows a complete value.
func (s syntaxError) misplaced(line, found string) diag.Diagnostic {
	const code = "yaml-syntax"
	if indent(line) < s.at.col-1 {
		switch c := firstRune(found); {
		case strings.Contains(prefix(line, s.at.col-1), "{{"):
			return s.say(s.at, "unquoted-reference", fmt.Sprintf("%q follows a value that is already complete", prefix(found, 12)), `quote the whole value: "{{ … }}…"`)
		case c == "}" || c == "]":
			return s.say(s.at, "unbalanced-bracket", fmt.Sprintf("%q closes nothing", c), "remove it, or add the bracket it is to close")
		}
		return s.say(s.at, code, fmt.Sprintf("%q follows a value that is already complete", prefix(found, 12)), "check quotes and brackets before it, or start a new line")
	}
	advice := fmt.Sprintf("line it up with the line it belongs to; line %d starts in column %d", s.opened.line, s.opened.col)
	switch {
	case s.message == "did not find expected <document start>":
		advice = "line it up with the first line of the file"
	case strings.HasPrefix(found, "- ") && s.context == "while parsing a block mapping":
		return s.say(s.at, code, `a list item stands among the "name: value" lines`, advice)
	}
	return s.say(s.at, code, "the indentation of this line fits no line above", advice)
}
