package host

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"pigsty/internal/resource"
)

func TestRun(t *testing.T) {
	c := &commands{names: &names{}}
	ctx := context.Background()
	out, err := c.Run(ctx, resource.Command{Args: []string{"sh", "-c", "cat; echo $A $LC_ALL; pwd; echo noise >&2"}, Stdin: []byte("in\n"), Env: []string{"A=b"}, Dir: "/tmp"})
	if err != nil || string(out) != "in\nb C\n/tmp\n" {
		t.Errorf("got %q, %v", out, err)
	}
	_, err = c.Run(ctx, resource.Command{Args: []string{"sh", "-c", "echo why >&2; exit 3"}})
	var failed *resource.CommandError
	if !errors.As(err, &failed) || failed.Code != 3 || failed.Output != "why" {
		t.Errorf("a failing program: %#v", err)
	}
	_, err = c.Run(ctx, resource.Command{Args: []string{"no-such-program"}})
	if !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("an absent program: %v", err)
	}
	var lines []string
	_, _ = c.run(ctx, resource.Command{Args: []string{"printf", "a\\nb\\n\\nc"}}, func(s string) { lines = append(lines, s) })
	if strings.Join(lines, "|") != "a|b|c" {
		t.Errorf("lines %q", lines)
	}
}

// TestRunEnds sees that a program's children are asked to end with it, before
// whatever does not is killed.
func TestRunEnds(t *testing.T) {
	c := &commands{names: &names{}}
	ctx, cancel := context.WithCancelCause(context.Background())
	enough := errors.New("enough")
	out, err := c.run(ctx, resource.Command{Args: []string{"sh", "-c", "(trap 'echo asked; exit' TERM; sleep 60 >/dev/null 2>&1 & echo begun; wait) & sleep 60; true"}}, func(line string) {
		if line == "begun" {
			cancel(enough)
		}
	})
	if !errors.Is(err, enough) || string(out) != "begun\nasked\n" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestRunAsUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	c := &commands{names: &names{}}
	out, err := c.Run(context.Background(), resource.Command{Args: []string{"sh", "-c", "id -un; echo $HOME"}, User: "nobody"})
	if err != nil || string(out) != "nobody\n/nonexistent\n" && !strings.HasPrefix(string(out), "nobody\n/") {
		t.Errorf("got %q, %v", out, err)
	}
	if _, err := c.Run(context.Background(), resource.Command{Args: []string{"true"}, User: "no-such-user"}); err == nil {
		t.Error("a user that is not there: no error")
	}
}

func TestGather(t *testing.T) {
	f, err := Gather()
	if err != nil {
		t.Fatal(err)
	}
	if f.OS == "" || f.CPUs == 0 || f.Memory == 0 || f.Mounts["/"] == 0 || f.MaxFiles == 0 || f.Arch == "" {
		t.Errorf("%+v", f)
	}
}
