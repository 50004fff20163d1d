package inventory

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"pigsty/internal/diag"
)

// spot is a line and a column, both from 1.
type spot struct{ line, col int }

// text is a source by lines.
type text []string

func newText(data []byte) text {
	s := strings.TrimPrefix(string(data), "\ufeff")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Split(strings.ReplaceAll(s, "\r", "\n"), "\n")
}

// line returns the line with number n, "" beyond the end.
func (t text) line(n int) string {
	if n < 1 || n > len(t) {
		return ""
	}
	return t[n-1]
}

// from returns the rest of the line from s on.
func (t text) from(s spot) string {
	line := t.line(s.line)
	return line[len(prefix(line, s.col-1)):]
}

// contentAbove returns the nearest line above n that is neither blank nor a
// comment, and its number.
func (t text) contentAbove(n int) (string, int) {
	for n--; n > 0; n-- {
		if line := t.line(n); isContent(line) {
			return line, n
		}
	}
	return "", 0
}

// firstContent returns the first such line, and its number.
func (t text) firstContent() (string, int) {
	for i, line := range t {
		if isContent(line) {
			return line, i + 1
		}
	}
	return "", 0
}

func isContent(line string) bool {
	line = strings.TrimSpace(line)
	return line != "" && line[0] != '#'
}

// indent returns how many bytes of white space line starts with.
func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " \t")) }

// prefix returns the first n characters of s.
func prefix(s string, n int) string {
	for i := range s {
		if n <= 0 {
			return s[:i]
		}
		n--
	}
	return s
}

func firstRune(s string) string { return prefix(s, 1) }

// flow explains why the parser found neither "," nor the bracket that closes
// what was opened.
func (s syntaxError) flow(found string) diag.Diagnostic {
	opener, closer := "{", "}"
	if strings.HasSuffix(s.message, "']'") {
		opener, closer = "[", "]"
	}
	opened := fmt.Sprintf("%q of line %d, column %d", opener, s.opened.line, s.opened.col)
	line := s.text.line(s.at.line)
	ended := strings.TrimSpace(line) == ""
	switch c := firstRune(found); {
	case !ended && (c == "}" || c == "]"):
		return s.say(s.at, "unbalanced-bracket", fmt.Sprintf("%q cannot close the %s", c, opened), fmt.Sprintf("write %q before it, or change it", closer))
	case !ended && (s.at.line == s.opened.line || indent(line) > indent(s.text.line(s.opened.line))):
		return s.say(s.at, "yaml-syntax", fmt.Sprintf(`"," or %q is missing before %q, inside the %s`, closer, prefix(found, 12), opened), `separate the entries with ","`)
	}
	if stray, ok := s.strayed(); ok {
		return s.say(stray.opened, "unbalanced-bracket",
			fmt.Sprintf(`"{" after hosts is not closed on line %d: %q has ended up among the hosts`, stray.at.line, stray.key),
			fmt.Sprintf(`add "}" before %q on line %d, column %d`, stray.key, stray.at.line, stray.at.col))
	}
	_, last := s.text.contentAbove(s.at.line)
	advice := fmt.Sprintf("add %q, at the end of line %d if everything up to there belongs to it", closer, last)
	if ended {
		return s.say(s.opened, "unbalanced-bracket", fmt.Sprintf("%q is never closed: the file ends before its %q", opener, closer), advice)
	}
	return s.say(s.opened, "unbalanced-bracket", fmt.Sprintf("%q is not closed: line %d goes on before its %q", opener, s.at.line, closer), advice)
}

// stray is a section of a group that stands among the hosts because their
// bracket is not closed before it.
type stray struct {
	opened spot   // the bracket after hosts
	key    string // vars or children
	at     spot   // where key stands
}

// strayed looks for a stray section between the bracket that is not closed and
// the place where the parser gave up.
func (s syntaxError) strayed() (stray, bool) {
	type frame struct {
		key    string // that the bracket is the value of
		opened spot
	}
	var open []frame
	var word strings.Builder // the scalar being read
	// key is the last one that ":" followed; here the one of the first bracket.
	key := strings.TrimSuffix(strings.TrimSpace(prefix(s.text.line(s.opened.line), s.opened.col-1)), ":")
	key = key[strings.LastIndexAny(key, " \t{,")+1:]
	var start spot // where word begins
	var quote rune
	for n := s.opened.line; n <= s.at.line; n++ {
		col, skip := 0, 0
		if n == s.opened.line {
			skip = s.opened.col - 1
		}
		previous := ' '
		for _, c := range s.text.line(n) {
			if col++; col <= skip {
				continue
			}
			switch {
			case quote != 0:
				if c == quote && previous != '\\' {
					quote = 0
				}
			case (c == '"' || c == '\'') && word.Len() == 0:
				quote = c
			case c == '#' && previous == ' ':
				skip = utf8.RuneCountInString(s.text.line(n))
			case c == '{' || c == '[':
				open = append(open, frame{key, spot{n, col}})
				key = ""
				word.Reset()
			case c == '}' || c == ']':
				if len(open) > 0 {
					open = open[:len(open)-1]
				}
				key = ""
				word.Reset()
			case c == ',':
				key = ""
				word.Reset()
			case c == ':':
				key = strings.TrimSpace(word.String())
				word.Reset()
				if in := len(open) - 1; in >= 0 && open[in].key == "hosts" && (key == "vars" || key == "children") {
					return stray{open[in].opened, key, start}, true
				}
			case c != ' ' || word.Len() > 0:
				if word.Len() == 0 {
					start = spot{n, col}
				}
				word.WriteRune(c)
			}
			previous = c
		}
	}
	return stray{}, false
}
