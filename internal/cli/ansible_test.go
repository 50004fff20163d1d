package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAnsibleOnTerminal checks that a terminal gets secrets only when asked for.
func TestAnsibleOnTerminal(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	defer terminal.Close()
	file := filepath.Join(t.TempDir(), "pigsty.yml")
	if err := os.WriteFile(file, []byte("all: { hosts: { 10.10.10.10: { pg_admin_password: CANARY } } }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		flags  []string
		status int
		said   string
	}{
		{nil, exitError, "this would show passwords on the terminal"},
		{[]string{"--show-secrets"}, exitDone, ""},
	} {
		var said bytes.Buffer
		args := append([]string{"pigsty", "list", "--ansible", "--host", "10.10.10.10", "-i", file}, test.flags...)
		if got := Main(args, strings.NewReader(""), terminal, &said); got != test.status || !strings.Contains(said.String(), test.said) {
			t.Errorf("%q ends with %d: %s", test.flags, got, said.String())
		}
	}
}
