package resource

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/pmezard/go-difflib/difflib"

	"pigsty/internal/secret"
)

// maxText is the largest file, in bytes, whose difference is shown line by line.
const maxText = 64 << 10

// textual reports whether data is worth showing to people.
func textual(data []byte) bool {
	return len(data) <= maxText && utf8.Valid(data) && bytes.IndexByte(data, 0) < 0
}

// unified returns the unified diff of two texts, without the file header. The
// rest of a line that begins with one of mask, after blanks, is not shown.
func unified(old, new []byte, mask []string) string {
	a, b := splitLines(old), splitLines(new)
	var out strings.Builder
	for _, group := range difflib.NewMatcher(a, b).GetGroupedOpCodes(3) {
		first, last := group[0], group[len(group)-1]
		fmt.Fprintf(&out, "@@ -%s +%s @@\n", span(first.I1, last.I2), span(first.J1, last.J2))
		for _, op := range group {
			if op.Tag == 'e' {
				showLines(&out, " ", a[op.I1:op.I2], mask)
				continue
			}
			showLines(&out, "-", a[op.I1:op.I2], mask)
			showLines(&out, "+", b[op.J1:op.J2], mask)
		}
	}
	return out.String()
}

// splitLines keeps the line ends, so that a missing last one is a difference.
func splitLines(data []byte) []string {
	lines := strings.SplitAfter(string(data), "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// span is a range of lines as unified diffs write it: first line and count.
func span(from, to int) string {
	switch to - from {
	case 0:
		return fmt.Sprintf("%d,0", from)
	case 1:
		return fmt.Sprint(from + 1)
	}
	return fmt.Sprintf("%d,%d", from+1, to-from)
}

func showLines(out *strings.Builder, sign string, lines, mask []string) {
	for _, line := range lines {
		text, ended := strings.CutSuffix(line, "\n")
		out.WriteString(sign + masked(text, mask) + "\n")
		if !ended {
			out.WriteString("\\ No newline at end of file\n")
		}
	}
}

// masked hides what follows a prefix of mask.
func masked(line string, mask []string) string {
	body := strings.TrimLeft(line, " \t")
	for _, prefix := range mask {
		if rest, ok := strings.CutPrefix(body, prefix); ok {
			hidden := strings.TrimLeft(rest, " \t")
			return line[:len(line)-len(hidden)] + secret.Mask
		}
	}
	return line
}
