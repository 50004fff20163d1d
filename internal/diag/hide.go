package diag

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// hidden stands for the values that an excerpt does not show.
const hidden = "******"

// What finds the values of a line that are secrets by the names of their keys.
// The value of a line's first key ends with the line, others at the next comma
// or brace. Among the keys are misspelt ones, and those of URLs that have a
// password in them.
var (
	sensitiveKey = `["']?(?:[\w.-]*(?:pass|pa?s*w[ord]+|secret|token|credential|private_key|s3_key|azure_key)[\w.-]*` +
		`|https?_proxy|all_proxy|[\w-]*(?:pgurl|exporter_url|api_url|webhook_url)|(?:routing|service|api|user)_key|pgsodium_key|dst_pg|src_pg|sub_conn|minio_extra_vars|nginx_users)["']?`

	// maybeSensitive is a part of every sensitiveKey, and quick to look for.
	maybeSensitive = regexp.MustCompile(`(?i)pas|pa?s*w|secret|token|credential|private_key|s3_key|azure_key|pgsodium_key|_proxy|pgurl|exporter_url|api_url|webhook_url|(?:routing|service|api|user)_key|(?:dst|src)_pg|sub_conn|extra_vars|nginx_users`)

	quotedValue = `"(?:[^"\\]|\\.)*"?|'(?:[^']|'')*'?`
	blockValue  = regexp.MustCompile(`(?i)^\s*(?:-\s+)?` + sensitiveKey + `\s*:\s+(?:(` + quotedValue + `)\s*(?:#.*)?$|(\S.*))`)
	flowValue   = regexp.MustCompile(`(?i)` + sensitiveKey + `\s*[:=]\s*((?:` + quotedValue + `|\{[^{}]*\}?|\[[^\[\]]*\]?)[^{}\[\],]*|[^\s{}\[\]"',][^{}\[\],]*)`)
)

// Hide returns line with what looks like a secret masked, and where the
// character that col (from 1) names is in it.
func Hide(line []byte, col int) ([]byte, int) {
	if !maybeSensitive.Match(line) {
		return line, col
	}
	out := make([]byte, 0, len(line))
	spans := flowValue.FindAllSubmatchIndex(line, -1)
	if m := blockValue.FindSubmatchIndex(line); m != nil {
		spans = [][]int{{0, 0, max(m[2], m[4]), max(m[3], m[5])}}
	}
	at, shift := 0, 0
	for _, m := range spans {
		from, to := m[2], m[3]
		out = append(append(out, line[at:from]...), hidden...)
		first := utf8.RuneCount(line[:from]) + 1
		after := utf8.RuneCount(line[:to]) + 1
		switch {
		case col >= after:
			shift += len(hidden) - (after - first)
		case col > first:
			shift += first - col
		}
		at = to
	}
	return append(out, line[at:]...), col + shift
}

// quoted finds what a message may have taken from the input.
var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|[*&][^\s,]+`)

// Masked returns l with what messages quote from a part of the input that Hide
// masks masked as well.
func (l List) Masked(sources map[string][]byte) List {
	lines := map[string][][]byte{}
	for name, data := range sources {
		lines[name] = splitLines(data)
	}
	out := slices.Clone(l)
	masked := map[Pos][]byte{} // by line: many messages may be about one
	for i, d := range out {
		source := lines[d.Pos.File]
		if d.Pos.Line < 1 || d.Pos.Line > len(source) {
			continue
		}
		line := source[d.Pos.Line-1]
		at := Pos{File: d.Pos.File, Line: d.Pos.Line}
		shown, ok := masked[at]
		if !ok {
			shown, _ = Hide(line, 0)
			masked[at] = shown
		}
		mask := func(part string) string {
			raw := []byte(strings.Trim(part, `"*&`))
			if bytes.Contains(line, raw) && !bytes.Contains(shown, raw) {
				return hidden
			}
			return part
		}
		out[i].Message = quoted.ReplaceAllStringFunc(d.Message, mask)
		out[i].Advice = quoted.ReplaceAllStringFunc(d.Advice, mask)
	}
	return out
}
