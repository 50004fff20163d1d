package list_test

import (
	"testing"

	"pigsty/internal/module/list"
	"pigsty/internal/module/moduletest"
)

// TestCheck checks what is said about mistakes that show across modules.
func TestCheck(t *testing.T) { moduletest.Check(t, list.All()) }
