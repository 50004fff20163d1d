package cli

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pigsty/internal/sandbox"
)

// runSandbox runs "pigsty sandbox" with arguments and returns what it prints.
func runSandbox(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := newSandboxCommand()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestSandboxHelp(t *testing.T) {
	for _, sub := range newSandboxCommand().Commands() {
		out, err := runSandbox(t, sub.Name(), "--help")
		if err != nil {
			t.Errorf("sandbox %s --help: %v", sub.Name(), err)
		}
		if !strings.Contains(out, "Examples:") || sub.Short == "" {
			t.Errorf("sandbox %s --help has no examples:\n%s", sub.Name(), out)
		}
	}
}

func TestSandboxKey(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(sandbox.DirEnv, dir)
	out, err := runSandbox(t, "key")
	if want := filepath.Join(dir, "ssh", "id_ed25519") + "\n"; err != nil || out != want {
		t.Errorf("sandbox key: %q, %v, want %q", out, err, want)
	}
	if other := t.TempDir(); other != dir {
		if out, _ := runSandbox(t, "key", "--dir", other); !strings.HasPrefix(out, other) {
			t.Errorf("sandbox key --dir %s: %q", other, out)
		}
	}
}

func TestSandboxListEmpty(t *testing.T) {
	dir := t.TempDir()
	out, err := runSandbox(t, "list", "--dir", dir, "--json")
	if err != nil || out != "[]\n" {
		t.Errorf("sandbox list --json: %q, %v", out, err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("listing made %v", left)
	}
}

func TestSandboxRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"up banana":                      `"banana": want a number of hosts or their addresses`,
		"up 0":                           "want at least 1",
		"up 400":                         "has room for 245",
		"up 4 5":                         `"4"`,
		"up --os plan9":                  "plan9",
		"up 10.10.10.10 --subnet 10.1":   "want a network such as",
		"up 10.10.11.10":                 "not in the sandbox's subnet",
		"stop":                           "requires at least 1 arg",
		"partition":                      "requires at least 1 arg",
		"ssh":                            "requires at least 1 arg",
		"ssh node-10":                    "no such sandbox host: node-10",
		"fetch":                          "requires at least 1 arg",
		"fetch -- --reinstall":           "options of apt",
		"list too many":                  "unknown command",
		"list --bridge a-very-long-name": "bridge",
	} {
		words := append(strings.Fields(args), "--dir", t.TempDir())
		if strings.Contains(args, "--") && strings.Fields(args)[1] == "--" || strings.HasPrefix(args, "ssh node") {
			words = slices.Concat([]string{"--dir", t.TempDir()}, strings.Fields(args))
		}
		if _, err := runSandbox(t, words...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("sandbox %s: %v, want %q", args, err, want)
		}
	}
}

func TestSandboxAddrs(t *testing.T) {
	s, err := sandbox.Open(sandbox.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"":                        "10.10.10.10 10.10.10.11 10.10.10.12 10.10.10.13",
		"1":                       "10.10.10.10",
		"10.10.10.42 10.10.10.41": "10.10.10.42 10.10.10.41",
	} {
		got, err := sandboxAddrs(s, strings.Fields(args))
		var wanted []netip.Addr
		for w := range strings.FieldsSeq(want) {
			wanted = append(wanted, netip.MustParseAddr(w))
		}
		if err != nil || !slices.Equal(got, wanted) {
			t.Errorf("up %s: %v, %v, want %v", args, got, err, wanted)
		}
	}
}
