package resource

import (
	"fmt"
	"strings"
)

// CommandError is a program that failed, with the end of what it printed.
type CommandError struct {
	Args   []string
	Code   int    // exit status; -1 if it did not run or was killed
	Output string // the last lines of stdout and stderr together
	Err    error  // why it did not run
}

// Error names the program, its status and its last line of output.
func (e *CommandError) Error() string {
	what := fmt.Sprintf("%s exited with status %d", e.Args[0], e.Code)
	if e.Err != nil && e.Code < 0 {
		what = fmt.Sprintf("%s: %v", e.Args[0], e.Err)
	}
	if out := strings.TrimSpace(e.Output); out != "" {
		what += ": " + out
	}
	return what
}

// Unwrap returns why the program did not run.
func (e *CommandError) Unwrap() error { return e.Err }
