package cli

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"pigsty/internal/module/list"
	"pigsty/internal/plan"
)

// checklist is the table that says what of the documents is covered by what.
const checklist = "CHECKLIST.md"

// rows returns the rows of the table of the checklist below heading, by column.
func rows(t *testing.T, heading string) [][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", documents, checklist))
	if err != nil {
		t.Fatal(err)
	}
	_, part, found := strings.Cut(string(text), "\n## "+heading+"\n")
	part, _, _ = strings.Cut(part, "\n## ")
	var out [][]string
	for line := range strings.Lines(part) {
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
		}
		out = append(out, cells)
	}
	if !found || len(out) < 2 {
		t.Fatalf("%s has no table %q", checklist, heading)
	}
	return out[1:] // without the names of the columns
}

// TestChecklist checks that the checklist names every example, nothing that is
// not there, and only tests that exist.
func TestChecklist(t *testing.T) {
	var tests []byte
	for _, file := range []string{"documents_test.go", "documents_effect_test.go", "documents_command_test.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tests = append(tests, text...)
	}
	listed := map[string]bool{}
	for _, row := range rows(t, "Examples") {
		for _, name := range strings.Fields(row[1]) {
			listed[name] = true
			if _, err := os.Stat(filepath.Join("testdata", documents, name)); err != nil {
				t.Errorf("%s: %v", row[0], err)
			}
		}
		if !bytes.Contains(tests, []byte("func "+row[2]+"(")) {
			t.Errorf("%s: there is no test %s", row[0], row[2])
		}
	}
	for _, name := range inventoriesBelow(t) {
		if !listed[name] {
			t.Errorf("%s does not list %s", checklist, name)
		}
	}
	for _, e := range examples {
		if !listed[e.name+".yml"] {
			t.Errorf("%s does not list %s.yml", checklist, e.name)
		}
	}
	for _, row := range rows(t, "Parameters") {
		about, inventory := row[0], row[1]
		text, err := os.ReadFile(filepath.Join("testdata", documents, inventory))
		if err != nil {
			t.Errorf("%s: %v", about, err)
		}
		if !bytes.Contains(text, []byte(about)) {
			t.Errorf("%s does not have %s", inventory, about)
		}
		if row[2] != "" && !bytes.Contains(tests, []byte(row[2])) {
			t.Errorf("%s: no test speaks of %q", about, row[2])
		}
	}
}

// TestDocumentCommands takes every command line of the documents as far as it
// goes without a host: the name that is called, its flags, the play, its tags
// and the hosts.
func TestDocumentCommands(t *testing.T) {
	for _, row := range rows(t, "Command lines") {
		line, inventory, state := row[0], row[1], row[2]
		t.Run(line, func(t *testing.T) {
			hosts, err := understood(t, line, filepath.Join("testdata", documents, inventory))
			refusal, refused := strings.CutPrefix(state, "refused: ")
			reason, later := strings.CutPrefix(state, "later: ")
			switch {
			case refused && (err == nil || !strings.Contains(err.Error(), refusal)):
				t.Errorf("it ends with %v, want %s", err, refusal)
			case later && err != nil:
				t.Skipf("%s: %v", reason, err)
			case later:
				t.Logf("it works now: say so in %s", checklist)
			case !refused && state != "works":
				t.Errorf("%q is no state", state)
			case !refused && err != nil:
				t.Error(err)
			case !refused && len(hosts) == 0:
				t.Error("it concerns no host")
			}
		})
	}
}

// understood returns the hosts that a command line is for, with the inventory at path.
func understood(t *testing.T, line, path string) ([]string, error) {
	t.Helper()
	line, _, _ = strings.Cut(line, "#")
	words := strings.Fields(line)
	a := &app{in: strings.NewReader(""), out: io.Discard, err: io.Discard, modules: list.All()}
	words = calledAs(words, a.modules)
	c, rest, err := a.root(words).Find(words)
	if err != nil {
		return nil, err
	}
	if !c.HasParent() {
		return nil, errors.New("there is no play of that name")
	}
	a.inventories = []string{path}
	if err := c.ParseFlags(rest); err != nil {
		return nil, err
	}
	if err := c.ValidateArgs(c.Flags().Args()); err != nil {
		return nil, err
	}
	req := plan.Request{Plays: []string{c.Name()}}
	if c.Name() == "deploy" {
		req.Plays = a.chosenPlays(nil)
	}
	req.Limit, _ = positional(c.Name(), c.Flags().Args())
	if limit, _ := c.Flags().GetString("limit"); limit != "" {
		req.Limit = limit
	}
	req.Tags, _ = c.Flags().GetStringSlice("tags")
	_, hosts, err := a.prepare(req)
	var names []string
	for _, h := range hosts {
		names = append(names, h.Name())
	}
	return names, err
}

// TestPrintedCommands has commands that would reach hosts stop at inventories
// that are printed with a fault: with status 5, before they reach one.
func TestPrintedCommands(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	door := listen(t)
	for i, path := range printed(t) {
		commands := [][]string{{"plan"}}
		if i == 0 {
			commands = append(commands, []string{"deploy", "-y"}, []string{"status"}, []string{"pgsql"}, []string{"etcd", "--check"}, []string{"pgsql-rm", "--yes", "pg-meta"})
		}
		for _, command := range commands {
			args, dir := door.leads(t, command, path)
			var out bytes.Buffer
			if status := Main(args, strings.NewReader(""), &out, &out); status != exitInvalid {
				t.Errorf("%s with %s ends with status %d:\n%s", command[0], path, status, out.String())
			}
			if !strings.Contains(out.String(), "no host was contacted") {
				t.Errorf("%s with %s does not say that no host was contacted:\n%s", command[0], path, out.String())
			}
			if left, _ := os.ReadDir(dir); len(left) != 2 {
				t.Errorf("%s with %s leaves %d files beside its two inventories", command[0], path, len(left)-2)
			}
		}
	}
	if n := door.opened.Load(); n > 0 {
		t.Fatalf("hosts were contacted %d times", n)
	}

	// A command does knock where there is nothing to find fault with.
	args, _ := door.leads(t, []string{"status"}, filepath.Join("testdata", documents, "iac", "modules.yml"))
	var out bytes.Buffer
	if status := Main(args, strings.NewReader(""), &out, &out); status != exitHosts || door.opened.Load() == 0 {
		t.Errorf("a good inventory: status %d after %d connections:\n%s", status, door.opened.Load(), out.String())
	}
}

// door is where every host of an inventory is made to be: it counts who
// connects, and closes again.
type door struct {
	net.Listener
	opened atomic.Int32
}

func listen(t *testing.T) *door {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	d := &door{Listener: l}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			d.opened.Add(1)
			conn.Close()
		}
	}()
	return d
}

// leads returns the command line for command with a copy of the inventory at
// path, whose hosts are all behind d, and the directory of the copy.
func (d *door) leads(t *testing.T, command []string, path string) (args []string, dir string) {
	t.Helper()
	dir = t.TempDir()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(d.Addr().String())
	for name, data := range map[string][]byte{
		"pigsty.yml": text,
		"where.yml":  []byte("all: { vars: { ansible_host: 127.0.0.1, ansible_port: " + port + ", ansible_user: nobody } }\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return slices.Concat([]string{"pigsty"}, command, []string{"-i", filepath.Join(dir, "pigsty.yml"), "-i", filepath.Join(dir, "where.yml")}), dir
}
