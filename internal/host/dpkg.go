package host

import (
	"bufio"
	"os"
	"strings"
	"sync"
)

const (
	dpkgFile    = "/var/lib/dpkg/status"
	dpkgJournal = "/var/lib/dpkg/updates" // what an interrupted dpkg left to be merged
)

// dpkgStatus is dpkg's list of packages, read again when it changes.
type dpkgStatus struct {
	mu        sync.Mutex
	at        snapshot
	installed map[string]string
	broken    bool
}

// read returns the installed packages with their versions, and whether dpkg
// was interrupted in the middle of something.
func (d *dpkgStatus) read() (installed map[string]string, broken bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, err := take(dpkgFile)
	if err != nil {
		return nil, false, err
	}
	if at != d.at || d.installed == nil {
		f, err := os.Open(dpkgFile)
		if err != nil {
			return nil, false, err
		}
		defer f.Close()
		d.installed, d.broken, err = parseStatus(bufio.NewScanner(f))
		if err != nil {
			return nil, false, err
		}
		d.at = at
	}
	left, err := os.ReadDir(dpkgJournal)
	if err != nil && !os.IsNotExist(err) {
		return nil, false, err
	}
	return d.installed, d.broken || len(left) > 0, nil
}

// parseStatus reads dpkg's status file, whose format is in deb822(5) and the
// package states in dpkg(1). A package of a foreign architecture goes by
// "name:arch" only.
func parseStatus(lines *bufio.Scanner) (installed map[string]string, broken bool, err error) {
	lines.Buffer(make([]byte, 64<<10), 4<<20)
	installed = map[string]string{}
	var name, version, state, arch, multi string
	end := func() {
		switch state {
		case "installed", "triggers-awaited", "triggers-pending":
			installed[name+":"+arch] = version
			if _, taken := installed[name]; !taken || multi != "same" {
				installed[name] = version
			}
		}
		switch state {
		case "half-installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending":
			broken = true
		}
		name, version, state, arch, multi = "", "", "", "", ""
	}
	for lines.Scan() {
		line := lines.Text()
		if line == "" {
			end()
			continue
		}
		key, value, ok := strings.Cut(line, ": ")
		if !ok {
			continue
		}
		switch key {
		case "Package":
			name = value
		case "Version":
			version = value
		case "Architecture":
			arch = value
		case "Multi-Arch":
			multi = value
		case "Status": // "install ok installed": what is wanted, whether it is sound, what it is
			if f := strings.Fields(value); len(f) == 3 {
				state = f[2]
			}
		}
	}
	end()
	return installed, broken, lines.Err()
}
