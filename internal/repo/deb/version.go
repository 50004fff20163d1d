package deb

import "strings"

// Compare orders versions as dpkg does (Debian Policy 5.6.12): negative if a is
// older than b, 0 if they are equal, positive if a is newer.
func Compare(a, b string) int {
	ea, ua, ra := split(a)
	eb, ub, rb := split(b)
	if c := compareNumbers(ea, eb); c != 0 {
		return c
	}
	if c := comparePart(ua, ub); c != 0 {
		return c
	}
	return comparePart(ra, rb)
}

// split returns the epoch, the upstream version and the revision.
func split(v string) (epoch, upstream, revision string) {
	epoch, upstream = "0", v
	if e, rest, ok := strings.Cut(v, ":"); ok {
		epoch, upstream = e, rest
	}
	if i := strings.LastIndexByte(upstream, '-'); i >= 0 {
		upstream, revision = upstream[:i], upstream[i+1:]
	}
	return epoch, upstream, revision
}

// comparePart compares alternately what are no digits, by character, and what
// are, as numbers.
func comparePart(a, b string) int {
	for a != "" || b != "" {
		na, nb := strings.IndexFunc(a+"0", isDigit), strings.IndexFunc(b+"0", isDigit)
		if c := compareText(a[:na], b[:nb]); c != 0 {
			return c
		}
		a, b = a[na:], b[nb:]
		na, nb = strings.IndexFunc(a+".", notDigit), strings.IndexFunc(b+".", notDigit)
		if c := compareNumbers(a[:na], b[:nb]); c != 0 {
			return c
		}
		a, b = a[na:], b[nb:]
	}
	return 0
}

func compareText(a, b string) int {
	for i := range max(len(a), len(b)) {
		if c := weight(a, i) - weight(b, i); c != 0 {
			return c
		}
	}
	return 0
}

// weight orders "~" before the end, the end before letters, letters before all others.
func weight(s string, i int) int {
	switch {
	case i >= len(s):
		return 0
	case s[i] == '~':
		return -1
	case s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z':
		return int(s[i])
	}
	return int(s[i]) + 256
}

// compareNumbers compares numbers of any length.
func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

func isDigit(r rune) bool  { return r >= '0' && r <= '9' }
func notDigit(r rune) bool { return !isDigit(r) }
