package resourcetest

import (
	"testing"

	"pigsty/internal/resource"
)

func TestFakeKeepsContract(t *testing.T) {
	RunContract(t, func(*testing.T) *resource.Host { return New().Host })
}
