package rpm

import "testing"

// A condition that is read is written as it was.
func TestParseNeed(t *testing.T) {
	for _, text := range []string{
		"libc.so.6(GLIBC_2.34)(64bit)",
		"(glibc-gconv-extra(x86-64) = 2.34-60.el9 if redhat-rpm-config)",
		"(a >= 1:2 and b and c)",
		"((a if b else c) or (d and e < 3))",
		"(python3dist(jinja2) >= 2.8 with python3dist(jinja2) < 4~~)",
		"(a without b(x))",
		"(a unless b else c)",
	} {
		n, err := parseNeed(text)
		if err != nil || n.String() != text {
			t.Errorf("%s is read as %s, error %v", text, n, err)
		}
	}
	for _, text := range []string{"(", "()", "(a", "(a b)", "(a and)", "(a and b or c)", "(a if b if c)", "(a else b)", "(a >=)", "(a and b))", "(a if b else c else d)"} {
		if n, err := parseNeed(text); err == nil {
			t.Errorf("%s is read as %s", text, n)
		}
	}
}

func FuzzParseNeed(f *testing.F) {
	f.Add("((a if b else c) or (d(x) and e < 3))")
	f.Fuzz(func(t *testing.T, text string) {
		n, err := parseNeed(text)
		if err != nil || n.op == "" {
			return
		}
		if again, err := parseNeed(n.String()); err != nil || again.String() != n.String() {
			t.Errorf("%q is read as %s, that as %s, error %v", text, n, again, err)
		}
	})
}
