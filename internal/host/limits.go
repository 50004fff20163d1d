package host

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// limits returns the most open files that a unit may ask for, and whether
// units may lower their OOM score. Both take CAP_SYS_RESOURCE of PID 1, which
// some containers lack; a unit that asks for more does not start at all.
func limits() (maxFiles int, oomAdjust bool) {
	status, err := os.ReadFile("/proc/1/status")
	if err != nil {
		return 0, false
	}
	maxFiles, _ = readInt("/proc/sys/fs/nr_open")
	if capable(string(status), unix.CAP_SYS_RESOURCE) {
		return maxFiles, true
	}
	if data, err := os.ReadFile("/proc/1/limits"); err == nil {
		if hard, ok := hardLimit(string(data), "Max open files"); ok {
			maxFiles = hard
		}
	}
	return maxFiles, false
}

// capable reports whether a process with this /proc/PID/status has the
// capability and may pass it on.
func capable(status string, capability uint) bool {
	has := func(field string) bool {
		for line := range strings.Lines(status) {
			if value, ok := strings.CutPrefix(line, field+":"); ok {
				bits, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
				return err == nil && bits&(1<<capability) != 0
			}
		}
		return false
	}
	return has("CapEff") && has("CapBnd")
}

// hardLimit reads /proc/PID/limits, whose columns are name, soft, hard, unit.
func hardLimit(limits, name string) (int, bool) {
	for line := range strings.Lines(limits) {
		rest, ok := strings.CutPrefix(line, name)
		if f := strings.Fields(rest); ok && len(f) >= 2 {
			n, err := strconv.Atoi(f[1])
			return n, err == nil
		}
	}
	return 0, false
}

func readInt(file string) (int, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(data)))
}
