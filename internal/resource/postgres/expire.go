package postgres

import (
	"regexp"
	"strings"
	"time"
)

// expiry returns what VALID UNTIL is to become and whether that differs from
// row.
//
// ExpireIn days is counted from the moment of the apply that sets it. For a plan not to
// change every day, an expiry that lies between half of that term and the
// whole term (and a day) ahead is left alone: a password that is declared to
// last 30 days is renewed by the first apply that finds fewer than 15 left, or
// a later expiry than 31, or none.
func (r Role) expiry(row *roleRow) (until string, differs bool) {
	if r.ExpireIn > 0 {
		term := time.Duration(r.ExpireIn) * 24 * time.Hour
		if row.left != nil && *row.left >= term/2 && *row.left <= term+24*time.Hour {
			return "", false
		}
		return time.Now().UTC().Add(term).Format("2006-01-02 15:04:05+00"), true
	}
	if r.ExpireAt == "" || sameTime(r.ExpireAt, row.expires) {
		return "", false
	}
	return r.ExpireAt, true
}

var zone = regexp.MustCompile(`(Z|[+-]\d\d(:?\d\d)?)$`)

// sameTime reports whether a declared time is the one that the server prints as
// have. Without a zone the declared time is in the server's, which is the one
// that have is printed in, so the clock readings are compared.
func sameTime(want, have string) bool {
	want, have = strings.ToLower(strings.TrimSpace(want)), strings.ToLower(have)
	if have == "" {
		return false
	}
	if want == have {
		return true
	}
	if strings.Contains(have, "infinity") || strings.Contains(want, "infinity") {
		return false
	}
	w, zoned, ok := parseTime(want)
	if !ok {
		return false
	}
	h, _, ok := parseTime(have)
	if !ok {
		return false
	}
	if !zoned {
		h = time.Date(h.Year(), h.Month(), h.Day(), h.Hour(), h.Minute(), h.Second(), h.Nanosecond(), time.UTC)
	}
	return w.Equal(h)
}

// parseTime reads ISO 8601 dates and times; a time without a zone is taken as UTC.
func parseTime(s string) (t time.Time, zoned, ok bool) {
	s = strings.Replace(strings.ToUpper(s), "T", " ", 1)
	clock := strings.IndexByte(s, ':')
	zoned = clock > 0 && zone.MatchString(s[clock:])
	layouts := []string{"2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05.999999"}
	if zoned {
		layouts = []string{"2006-01-02 15:04:05.999999Z07", "2006-01-02 15:04:05.999999Z07:00", "2006-01-02 15:04:05.999999Z0700",
			"2006-01-02 15:04Z07", "2006-01-02 15:04Z07:00"}
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t, zoned, true
		}
	}
	return time.Time{}, false, false
}
