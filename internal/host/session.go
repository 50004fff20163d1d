package host

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"pigsty/internal/resource"
)

// session returns the SSH connection that this process was started over, nil
// if there is none. sudo keeps SSH_CONNECTION from its children, so the
// processes above are asked too.
func session() *resource.Session {
	pid := os.Getpid()
	for range 32 { // deeper than any chain of shells, and no loop
		if pid <= 1 {
			return nil
		}
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil {
			return nil
		}
		for _, v := range strings.Split(string(environ), "\x00") {
			if text, ok := strings.CutPrefix(v, "SSH_CONNECTION="); ok {
				return parseSession(text)
			}
		}
		var name string
		if pid, name, err = parent(pid); err != nil {
			return nil
		}
		if strings.HasPrefix(name, "sshd") {
			return &resource.Session{} // over SSH, and nobody says from where
		}
	}
	return nil
}

// parseSession reads the value of SSH_CONNECTION: the peer's address and port,
// then those of this host.
func parseSession(text string) *resource.Session {
	f := strings.Fields(text)
	if len(f) != 4 {
		return &resource.Session{}
	}
	s := &resource.Session{}
	peer, err := netip.ParseAddr(f[0])
	port, err2 := strconv.Atoi(f[3])
	if err == nil && err2 == nil {
		s.Peer, s.Port = peer.Unmap().WithZone(""), port
	}
	return s
}

// parent returns the process that started pid, and its name.
func parent(pid int) (int, string, error) {
	up, _, err := status(pid)
	if err != nil {
		return 0, "", err
	}
	_, name, err := status(up)
	return up, name, err
}

// status returns the parent and the name of a process, as proc(5) has them.
func status(pid int) (parent int, name string, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, "", err
	}
	for line := range strings.Lines(string(data)) {
		key, value, _ := strings.Cut(line, ":")
		switch key {
		case "Name":
			name = strings.TrimSpace(value)
		case "PPid":
			parent, err = strconv.Atoi(strings.TrimSpace(value))
		}
	}
	return parent, name, err
}
