package diag

import (
	"regexp"
	"unicode/utf8"
)

// hidden stands for the values that an excerpt does not show.
const hidden = "******"

// What finds the values of a line that are secrets by the names of their keys.
// The value of a line's first key ends with the line, others at the next comma
// or brace. Among the keys are those of URLs that have a password in them.
var (
	sensitiveKey = `["']?(?:[\w.-]*(?:pass(?:wd|word|phrase)?|secret|token|credential|private_key|s3_key|azure_key|pwd)[\w.-]*` +
		`|https?_proxy|all_proxy|[\w-]*(?:pgurl|exporter_url)|pgsodium_key|dst_pg|src_pg|sub_conn|minio_extra_vars|nginx_users)["']?`
	quotedValue  = `"(?:[^"\\]|\\.)*"?|'(?:[^']|'')*'?`
	blockValue   = regexp.MustCompile(`(?i)^\s*(?:-\s+)?` + sensitiveKey + `\s*:\s+(` + quotedValue + `|[^\s{\["'].*)`)
	flowValue    = regexp.MustCompile(`(?i)` + sensitiveKey + `\s*[:=]\s*(` + quotedValue + `|\{[^{}]*\}?|\[[^\[\]]*\]?|[^\s{}\[\]"',][^{}\[\],]*)`)
)

// Hide returns line with what looks like a secret masked, and where the
// character that col (from 1) names is in it.
func Hide(line []byte, col int) ([]byte, int) {
	out := make([]byte, 0, len(line))
	spans := flowValue.FindAllSubmatchIndex(line, -1)
	if m := blockValue.FindSubmatchIndex(line); m != nil {
		spans = [][]int{m}
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
