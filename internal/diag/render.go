package diag

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// Widths of what Render prints, in columns.
const (
	tabStop   = 4
	lineLimit = 160 // of a source line; longer ones are cut around the caret
)

// The ANSI colours that Render uses.
const (
	plain  = "\x1b[0m"
	bold   = "\x1b[1m"
	red    = "\x1b[1;31m"
	yellow = "\x1b[1;33m"
	cyan   = "\x1b[1;36m"
	blue   = "\x1b[34m"
)

var severityColor = [...]string{Error: red, Warning: yellow, Note: cyan}

// Render writes the diagnostics for people, ordered by file and place. Where
// sources holds the text of a diagnostic's file, the line is shown with a caret
// under the column:
//
//	pigsty.yml:12:9: error: unknown parameter "pg_sql" [unknown-parameter]
//	   12 |         pg_sql: 1
//	      |         ^
//	      = did you mean pg_seq?
//
// Values that are secrets by the names of their keys are masked in that line.
// Errors of w are not reported.
func (l List) Render(w io.Writer, sources map[string][]byte, color bool) {
	r := renderer{w: w, color: color, lines: map[string][][]byte{}}
	for name, data := range sources {
		r.lines[name] = splitLines(data)
	}
	sorted := l.Sorted()
	for i, d := range sorted {
		if i > 0 && d.Pos.File != sorted[i-1].Pos.File {
			fmt.Fprintln(w)
		}
		r.diagnostic(d)
	}
}

type renderer struct {
	w     io.Writer
	color bool
	lines map[string][][]byte
}

func (r *renderer) paint(color, text string) string {
	if !r.color {
		return text
	}
	return color + text + plain
}

func (r *renderer) diagnostic(d Diagnostic) {
	where := ""
	if !d.Pos.IsZero() {
		where = r.paint(bold, visible(d.Pos.String())+":") + " "
	}
	fmt.Fprintf(r.w, "%s%s %s [%s]\n", where, r.paint(severityColor[d.Severity], d.Severity.String()+":"), visible(d.Message), d.Code)

	gutter := fmt.Sprintf("%5d", d.Pos.Line)
	blank := strings.Repeat(" ", len(gutter))
	if lines := r.lines[d.Pos.File]; d.Pos.Line > 0 && d.Pos.Line <= len(lines) {
		text, caret := excerpt(Hide(lines[d.Pos.Line-1], d.Pos.Col))
		fmt.Fprintf(r.w, "%s %s\n", r.paint(blue, gutter+" |"), text)
		if d.Pos.Col > 0 {
			fmt.Fprintf(r.w, "%s %s%s\n", r.paint(blue, blank+" |"), strings.Repeat(" ", caret), r.paint(severityColor[d.Severity], "^"))
		}
	}
	if d.Advice != "" {
		for i, line := range strings.Split(d.Advice, "\n") {
			mark := "="
			if i > 0 {
				mark = " "
			}
			fmt.Fprintf(r.w, "%s %s %s\n", blank, r.paint(blue, mark), visible(line))
		}
	}
}

// splitLines cuts data where YAML ends a line: at LF, CR LF and CR alone.
func splitLines(data []byte) [][]byte {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	data = bytes.ReplaceAll(data, []byte("\r"), []byte("\n"))
	return bytes.Split(data, []byte("\n"))
}

// excerpt returns line as it is to be printed, and how many columns of that lie
// before the character that col (from 1) names.
func excerpt(line []byte, col int) (text string, caret int) {
	type cell struct {
		text  string
		width int
	}
	var cells []cell
	at := 0
	for _, c := range string(line) {
		next := cell{string(c), columns(c)}
		switch {
		case c == '\t':
			n := tabStop - at%tabStop
			next = cell{strings.Repeat(" ", n), n}
		case !printable(c):
			next = cell{"\ufffd", 1}
		}
		at += next.width
		cells = append(cells, next)
	}
	first, last := 0, len(cells)
	if at > lineLimit {
		first = min(max(0, col-lineLimit/4), len(cells))
		for shown := 0; first > 0 && shown < lineLimit/4; first-- {
			shown += cells[first-1].width
		}
		last = first
		for shown := 0; last < len(cells) && shown < lineLimit; last++ {
			shown += cells[last].width
		}
	}
	var b strings.Builder
	if first > 0 {
		b.WriteString("…")
		caret = 1
	}
	for i, c := range cells[first:last] {
		b.WriteString(c.text)
		if first+i+1 < col {
			caret += c.width
		}
	}
	if last < len(cells) {
		b.WriteString("…")
	}
	return strings.TrimRight(b.String(), " "), caret
}

// columns returns how many columns of a terminal c takes.
func columns(c rune) int {
	if unicode.In(c, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(c).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// printable reports whether c can be sent to a terminal: a file must not be
// able to move the cursor, change colours, or turn the text around.
func printable(c rune) bool {
	return unicode.IsPrint(c) || columns(c) == 0 && !unicode.In(c, unicode.Bidi_Control)
}

// visible returns text with what a terminal would obey taken out.
func visible(text string) string {
	return strings.Map(func(c rune) rune {
		if printable(c) {
			return c
		}
		return '\ufffd'
	}, text)
}
