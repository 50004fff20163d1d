package secret

import (
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"
)

// shortest is the length, in bytes, below which a text is not looked for in what
// is written: masking shorter ones would hide ordinary words.
const shortest = 4

// Writer writes with Mask in place of every one of some secrets, each also as
// JSON and Go write it within quotes and, if it has several lines, line by line.
// A secret that is written in two parts, or has fewer than four bytes, is not
// found: it is a second line of defence, for secrets that were given to
// something which is not kept as a Value.
type Writer struct {
	w        io.Writer
	replacer *strings.Replacer
}

// NewWriter returns a Writer to w that masks secrets.
func NewWriter(w io.Writer, secrets []Value) *Writer {
	var forms []string
	for _, s := range secrets {
		for _, part := range append(strings.Split(s.text, "\n"), s.text) {
			part = strings.TrimSpace(part)
			if len(part) >= shortest {
				forms = append(forms, part, within(strconv.Quote(part)), jsonForm(part, true), jsonForm(part, false))
			}
		}
	}
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) }) // whichever is first in the list wins
	var pairs []string
	for _, form := range forms {
		pairs = append(pairs, form, Mask)
	}
	return &Writer{w, strings.NewReplacer(pairs...)}
}

// jsonForm returns text as encoding/json writes it within quotes.
func jsonForm(text string, html bool) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(html)
	_ = enc.Encode(text) // a string always can be
	return within(strings.TrimSpace(b.String()))
}

// within takes the quotes off.
func within(quoted string) string { return quoted[1 : len(quoted)-1] }

// Write writes p, masked. Its result counts the bytes of p.
func (w *Writer) Write(p []byte) (int, error) {
	if _, err := w.replacer.WriteString(w.w, string(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Unwrap returns what w writes to.
func (w *Writer) Unwrap() io.Writer { return w.w }
