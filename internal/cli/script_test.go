package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"pigsty/internal/module/moduletest"
)

var update = moduletest.Update

func TestMain(m *testing.M) {
	commands := map[string]func(){}
	// The names of links are those of programs of their own here: this binary is the tests, too.
	for _, name := range []string{"pigsty", "deploy.yml", "pgsql.yml", "cert.yml", "cache.yml", "pgsql-user", "pgsql-db", "pgsql-rm"} {
		commands[name] = func() { os.Exit(Main(os.Args, os.Stdin, os.Stdout, os.Stderr)) }
	}
	testscript.Main(m, commands)
}

// TestScript runs the command lines of testdata/script, each file a scenario
// with its inventory and what is expected of it.
func TestScript(t *testing.T) {
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("EXAMPLES", examples)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"latin1": latin1,
			"mode":   fileMode,
			"status": exitsWith,
		},
	})
}

// exitsWith is the script command "status N COMMAND…": it fails unless COMMAND
// ends with status N.
func exitsWith(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// latin1 is the script command "latin1 FROM TO": it writes the file FROM anew
// in ISO 8859-1.
func latin1(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: latin1 FROM TO")
	}
	var out []byte
	for _, c := range ts.ReadFile(args[0]) {
		out = append(out, byte(c))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), out, 0o600))
}

// fileMode is the script command "mode MODE FILE…": it fails unless each FILE
// has the permissions MODE.
func fileMode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: mode MODE FILE…")
	}
	for _, name := range args[1:] {
		info, err := os.Stat(ts.MkAbs(name))
		ts.Check(err)
		if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
			ts.Fatalf("%s has the mode %s, want %s", name, got, args[0])
		}
	}
}
