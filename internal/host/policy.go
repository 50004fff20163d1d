package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

const (
	// policyFile is asked by Debian's maintainer scripts before they start a
	// service; exit status 101 forbids it. See invoke-rc.d(8).
	policyFile = "/usr/sbin/policy-rc.d"
	// policyMark is the second line of ours.
	policyMark = "# Written by pigsty for the time of one package transaction."
	// policyKept is where somebody else's stays meanwhile.
	policyKept = ".kept-by-pigsty"
)

// forbidStarts keeps package installation from starting services until restore
// is called. A crash in between does no harm: our policy forbids nothing once
// the process that wrote it is gone, and the next transaction removes it.
func forbidStarts(file string) (restore func() error, err error) {
	old, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && strings.Contains(string(old), policyMark):
		// Nothing there, or ours from a transaction that was cut off.
	case err != nil:
		return nil, err
	default:
		if err := os.Rename(file, file+policyKept); err != nil {
			return nil, fmt.Errorf("set %s aside: %w", file, err)
		}
	}
	script := fmt.Sprintf("#!/bin/sh\n%s\n[ -d /proc/%d ] && exit 101\n[ -x %[3]s ] && exec %[3]s \"$@\"\nexit 0\n",
		policyMark, os.Getpid(), file+policyKept)
	tmp := file + ".pigsty"
	if err := os.WriteFile(tmp, []byte(script), 0o755); err != nil {
		return nil, err
	}
	if err := os.Chmod(tmp, 0o755); err != nil { // whatever the umask
		return nil, err
	}
	if err := os.Rename(tmp, file); err != nil {
		return nil, err
	}
	return func() error {
		err := os.Rename(file+policyKept, file)
		if errors.Is(err, fs.ErrNotExist) {
			return os.Remove(file)
		}
		return err
	}, nil
}
