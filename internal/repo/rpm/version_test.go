package rpm

import "testing"

// From the rules of rpm-version(7).
func TestCompare(t *testing.T) {
	for _, c := range []struct{ a, op, b string }{
		{"1.0", "=", "1.0"}, {"1.0", "<", "2.0"}, {"2.0.1", ">", "2.0"}, {"2.0.1a", ">", "2.0.1"}, {"5.5p1", "<", "5.5p2"}, {"5.5p10", ">", "5.5p2"},
		{"10xyz", "<", "10.1xyz"}, {"xyz10", "<", "xyz10.1"}, {"xyz.4", "<", "8"}, {"8", ">", "xyz.4"}, {"xyz.4", "<", "2"}, {"5.5p2", "<", "5.6p1"},
		{"5.6p1", "<", "6.5p1"}, {"6.0.rc1", ">", "6.0"}, {"10b2", ">", "10a1"}, {"1.0aa", ">", "1.0a"}, {"10.0001", "=", "10.1"}, {"10.0001", "<", "10.0039"},
		{"4.999.9", "<", "5.0"}, {"20101121", "<", "20101122"}, {"2_0", "=", "2.0"}, {"a+", "=", "a_"}, {"+_", "=", "_+"}, {"1.0.", "=", "1.0"},
		{"1.0~rc1", "<", "1.0"}, {"1.0~rc1", "<", "1.0~rc2"}, {"1.0~rc1~git123", "<", "1.0~rc1"}, {"1.0~~", "<", "1.0~"},
		{"1.0^", ">", "1.0"}, {"1.0^git1", ">", "1.0"}, {"1.0^git1", "<", "1.0^git2"}, {"1.0^git1", "<", "1.01"}, {"1.0^git1~pre", "<", "1.0^git1"},
		{"1.0^20160101", "<", "1.0.1"}, {"1.0~rc1^git1", ">", "1.0~rc1"}, {"1.0^git1~pre", ">", "1.0"}, {"1.0~rc", "<", "1.0^"},
		{"123456789012345678901234567890", ">", "9"}, {"", "<", "1"}, {"", ">", "~"}, {"", "<", "^"},
		{"1:1-1", ">", "2-9"}, {"0:1-1", "=", "1-1"}, {"17.6-1PGDG.rhel9", ">", "17.6-1"}, {"17.6-2.el9", ">", "17.6-1PGDG.rhel9"},
	} {
		a, b := parseEVR(c.a), parseEVR(c.b)
		got, back := Compare(a, b), Compare(b, a)
		if want := map[string]bool{"<": got < 0, "=": got == 0, ">": got > 0}[c.op]; !want || (got < 0) != (back > 0) {
			t.Errorf("Compare(%q, %q) = %d and back %d, want %s", c.a, c.b, got, back, c.op)
		}
	}
}

func TestOverlaps(t *testing.T) {
	relation := func(op, evr string) Relation { return Relation{Name: "x", Op: op, EVR: parseEVR(evr)} }
	for _, c := range []struct {
		need, has Relation
		want      bool
	}{
		{relation("", ""), relation("=", "1-1"), true},
		{relation(">=", "2"), relation("", ""), true}, // as rpm has it: what says no version has any
		{relation(">=", "1.0"), relation("=", "1.0-3"), true},
		{relation("=", "1.0"), relation("=", "1.0-3"), true},
		{relation("=", "1.0-2"), relation("=", "1.0-3"), false},
		{relation(">", "1.0"), relation("=", "1.0-3"), false},
		{relation("<", "1.0"), relation("=", "1.0~rc1-1"), true},
		{relation("<=", "1:1.0"), relation("=", "2.0-1"), true},
		{relation(">=", "1.0"), relation("=", "1:0.1-1"), true},
		{relation(">=", "3"), relation("<", "2"), false},
		{relation(">", "1"), relation("<", "2"), true},
	} {
		if got := c.need.overlaps(c.has); got != c.want || c.has.overlaps(c.need) != c.want {
			t.Errorf("%s and %s overlap %v, want %v", c.need, c.has, got, c.want)
		}
	}
}
