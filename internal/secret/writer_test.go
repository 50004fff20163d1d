package secret

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestWriter(t *testing.T) {
	secrets := []Value{New("DBUser.Viewer"), New("DBUser"), New(`a"b<c\`), New("-----BEGIN KEY-----\nMIIB+/=\nabc\n-----END KEY-----\n"), New("on"), New("  spaced  ")}
	for _, test := range []struct{ text, want string }{
		{"password DBUser.Viewer, DBUser and DBUse", "password ******, ****** and DBUse"},
		{`{"new":"a\"b\u003cc\\"} {"new":"a\"b<c\\"} ` + fmt.Sprintf("%q", `a"b<c\`), `{"new":"******"} {"new":"******"} "******"`},
		{"+  MIIB+/=\n+  abc\n", "+  ******\n+  abc\n"},
		{"only on", "only on"},
		{"x spaced y", "x ****** y"},
		{"", ""},
	} {
		var out strings.Builder
		n, err := NewWriter(&out, secrets).Write([]byte(test.text))
		if out.String() != test.want || n != len(test.text) || err != nil {
			t.Errorf("%q: got %q, %d, %v; want %q", test.text, out.String(), n, err, test.want)
		}
	}
	var out strings.Builder
	if err := json.NewEncoder(NewWriter(&out, secrets)).Encode(map[string]string{"x": secrets[3].Reveal()}); err != nil || strings.Contains(out.String(), "MIIB") {
		t.Errorf("got %q, %v", out.String(), err)
	}
	if _, err := NewWriter(full{}, secrets).Write([]byte("x")); err == nil {
		t.Error("the error of writing is lost")
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }
