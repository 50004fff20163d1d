// Package rpm reads, resolves and writes repositories of RPM packages.
package rpm

import (
	"cmp"
	"strings"
)

// EVR is a version of a package: epoch, version and release. The epoch is a
// number, "" counts as 0; the release may be left out where only versions are compared.
type EVR struct{ Epoch, Version, Release string }

// String writes v as rpm does, without an epoch that is 0.
func (v EVR) String() string {
	text := v.Version
	if v.Release != "" {
		text += "-" + v.Release
	}
	if v.Epoch != "" && v.Epoch != "0" {
		return v.Epoch + ":" + text
	}
	return text
}

// parseEVR reads [epoch:]version[-release].
func parseEVR(text string) EVR {
	var v EVR
	if epoch, rest, ok := strings.Cut(text, ":"); ok {
		v.Epoch, text = epoch, rest
	}
	v.Version = text
	if i := strings.LastIndexByte(text, '-'); i >= 0 {
		v.Version, v.Release = text[:i], text[i+1:]
	}
	return v
}

// Compare orders versions as rpm does: negative if a is older than b, 0 if they
// are equal, positive if a is newer.
func Compare(a, b EVR) int {
	return cmp.Or(compareNumbers(a.Epoch, b.Epoch), comparePart(a.Version, b.Version), comparePart(a.Release, b.Release))
}

// comparePart is rpm's rpmvercmp: runs of digits or of letters are compared one
// by one; "~" is older than the end, "^" newer than the end and older than
// anything else; all other characters only part the runs.
func comparePart(a, b string) int {
	for {
		a, b = strings.TrimLeftFunc(a, parts), strings.TrimLeftFunc(b, parts)
		if c, ok := compareMarks(a, b); ok {
			return c
		}
		if a == "" || b == "" {
			return cmp.Compare(len(a), len(b))
		}
		var runA, runB string
		same := isLetter
		if isDigit(rune(a[0])) {
			same = isDigit
		}
		runA, a = leading(a, same)
		runB, b = leading(b, same)
		switch {
		case runB == "" && isDigit(rune(runA[0])):
			return 1 // numbers are newer than letters
		case runB == "":
			return -1
		}
		compare := strings.Compare
		if isDigit(rune(runA[0])) {
			compare = compareNumbers
		}
		if c := compare(runA, runB); c != 0 {
			return c
		}
	}
}

// compareMarks compares what begins with "~" or "^"; ok is false if neither does.
func compareMarks(a, b string) (c int, ok bool) {
	rank := func(s string) int {
		switch {
		case s == "":
			return 1
		case s[0] == '~':
			return 0
		case s[0] == '^':
			return 2
		}
		return 3
	}
	ra, rb := rank(a), rank(b)
	if ra%2 == 1 && rb%2 == 1 {
		return 0, false
	}
	if ra == rb {
		return comparePart(a[1:], b[1:]), true
	}
	return ra - rb, true
}

// leading splits s after the characters that f accepts.
func leading(s string, f func(rune) bool) (run, rest string) {
	n := strings.IndexFunc(s, func(r rune) bool { return !f(r) })
	if n < 0 {
		n = len(s)
	}
	return s[:n], s[n:]
}

// compareNumbers compares numbers of any length.
func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

func isDigit(r rune) bool  { return r >= '0' && r <= '9' }
func isLetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }
func parts(r rune) bool    { return !isDigit(r) && !isLetter(r) && r != '~' && r != '^' }
