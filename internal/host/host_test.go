package host

import (
	"os"
	"testing"

	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

// TestContract runs the table that the fake host passes on this one. Users and
// groups are touched only where the environment says that the host is for tests.
func TestContract(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	n := &names{}
	c := &commands{names: n}
	resourcetest.RunContract(t, func(t *testing.T) *resource.Host {
		h := &resource.Host{Files: &files{names: n}, Commands: c}
		if os.Getenv("PIGSTY_TEST_HOST") != "" {
			h.Accounts = &accounts{names: n, commands: c}
		}
		return h
	})
}
