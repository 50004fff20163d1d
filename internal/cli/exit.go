package cli

import (
	"errors"
	"fmt"
)

// Exit statuses, the same for every command.
const (
	exitDone        = 0
	exitError       = 1
	exitChanges     = 2 // a plan has changes, with --detailed-exitcode
	exitHosts       = 3 // some hosts failed, the others are done
	exitLocked      = 4 // another apply holds a host
	exitInvalid     = 5 // the inventory, or what was asked of it, is wrong
	exitInterrupted = 130
)

// statusError ends a command with an exit status. An empty message means that
// all has been said already.
type statusError struct {
	status int
	text   string
}

func (e *statusError) Error() string { return e.text }

// errInterrupted ends a command that was interrupted before it did anything.
var errInterrupted = status(exitInterrupted, "interrupted before anything was changed")

// status makes a statusError; without format nothing more is printed.
func status(code int, format string, args ...any) error {
	return &statusError{code, fmt.Sprintf(format, args...)}
}

// exitStatus returns the status that err ends the process with.
func exitStatus(err error) int {
	var s *statusError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &s):
		return s.status
	}
	return exitError
}
