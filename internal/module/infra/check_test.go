package infra_test

import (
	"testing"

	"pigsty/internal/module/list"
	"pigsty/internal/module/moduletest"
)

// TestCheck checks what is said about mistakes in each inventory of testdata/check.
func TestCheck(t *testing.T) { moduletest.Check(t, list.All()) }
