package agent

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// LockPath is the file whose lock an apply holds on a host.
const LockPath = "/var/lib/pigsty/lock"

// acquire takes the host's lock for holder. The lock belongs to the open file
// and so dies with the agent, whatever happens to it. When somebody else has
// it, acquire returns who that is and no release.
func acquire(path, holder string) (release func(), other string, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, "", err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, "", err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer func() { _ = f.Close() }()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, "", fmt.Errorf("lock %s: %w", path, err)
		}
		text, _ := io.ReadAll(f)
		if other = strings.TrimSpace(string(text)); other == "" {
			other = "somebody who has just begun"
		}
		return nil, other, nil
	}
	if err := f.Truncate(0); err == nil {
		_, err = f.WriteAt([]byte(holder+"\n"), 0)
		if err != nil {
			_ = f.Close()
			return nil, "", fmt.Errorf("write %s: %w", path, err)
		}
	}
	return func() {
		_ = f.Truncate(0)
		_ = f.Close()
	}, "", nil
}
