// Package diag holds what is said about an input that a person wrote: where it
// is, what is wrong with it, and what to do about it.
package diag

import (
	"cmp"
	"fmt"
	"slices"
)

// Pos is a place in an input file. Line and Col count from 1; a zero Line means
// that only the file is known, a zero Pos that the value has no source (a
// built-in default). Col counts characters, not bytes.
type Pos struct {
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	Col  int    `json:"column,omitempty"`
}

// String formats p as file:line:column, leaving out what is not known.
func (p Pos) String() string {
	switch {
	case p.File == "" && p.Line == 0:
		return "-"
	case p.Line == 0:
		return p.File
	case p.Col == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// IsZero reports whether p says nothing.
func (p Pos) IsZero() bool { return p == Pos{} }

// Severity ranks a Diagnostic.
type Severity int

// An Error makes the input unusable; a Warning is likely a mistake; a Note is
// worth knowing.
const (
	Error Severity = iota
	Warning
	Note
)

// String returns "error", "warning" or "note".
func (s Severity) String() string { return [...]string{"error", "warning", "note"}[s] }

// MarshalText writes the severity's name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Diagnostic is one thing to say about an input.
type Diagnostic struct {
	Severity Severity `json:"severity"`
	Code     string   `json:"code"` // stable kebab-case name, such as "unknown-parameter"
	Pos      Pos      `json:"pos"`
	Message  string   `json:"message"`          // what is wrong
	Advice   string   `json:"advice,omitempty"` // what to do, in the imperative
}

// List collects diagnostics.
type List []Diagnostic

// Errorf adds an Error with a formatted message and no advice.
func (l *List) Errorf(pos Pos, code, format string, args ...any) {
	l.Add(Diagnostic{Severity: Error, Code: code, Pos: pos, Message: fmt.Sprintf(format, args...)})
}

// Fail adds an Error: what is wrong, and what to do about it.
func (l *List) Fail(pos Pos, code, message, advice string) {
	l.Add(Diagnostic{Severity: Error, Code: code, Pos: pos, Message: message, Advice: advice})
}

// Warn adds a Warning.
func (l *List) Warn(pos Pos, code, message, advice string) {
	l.Add(Diagnostic{Severity: Warning, Code: code, Pos: pos, Message: message, Advice: advice})
}

// Note adds a Note.
func (l *List) Note(pos Pos, code, message, advice string) {
	l.Add(Diagnostic{Severity: Note, Code: code, Pos: pos, Message: message, Advice: advice})
}

// Add appends d.
func (l *List) Add(d ...Diagnostic) { *l = append(*l, d...) }

// HasErrors reports whether any diagnostic is an Error.
func (l List) HasErrors() bool { return l.Count(Error) > 0 }

// Count returns how many diagnostics have severity s.
func (l List) Count(s Severity) int {
	n := 0
	for _, d := range l {
		if d.Severity == s {
			n++
		}
	}
	return n
}

// Once returns l with only the first of those that have code and the same message.
func (l List) Once(code string) List {
	said := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(l), func(d Diagnostic) bool {
		again := d.Code == code && said[d.Message]
		said[d.Message] = said[d.Message] || d.Code == code
		return again
	})
}

// Sorted returns the diagnostics by file, line and column, each said once.
func (l List) Sorted() List {
	out := slices.Clone(l)
	slices.SortStableFunc(out, func(a, b Diagnostic) int {
		return cmp.Or(
			cmp.Compare(a.Pos.File, b.Pos.File),
			cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Col, b.Pos.Col),
			cmp.Compare(a.Severity, b.Severity),
			cmp.Compare(a.Message, b.Message),
		)
	})
	return slices.Compact(out)
}
