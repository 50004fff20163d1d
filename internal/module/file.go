package module

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// File returns the content of a file that the inventory names: an SQL script, a
// template. It is part of the inventory as much as what is written there. A
// relative name starts where the inventory lies, or in its directory files.
func (s *Site) File(name string) ([]byte, error) {
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, err
		}
		name = filepath.Join(home, rest)
	}
	if filepath.IsAbs(name) {
		return os.ReadFile(name)
	}
	data, err := os.ReadFile(filepath.Join(s.Dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		if data, again := os.ReadFile(filepath.Join(s.Dir, "files", name)); again == nil {
			return data, nil
		}
		return nil, fmt.Errorf("there is no file %s beside the inventory, nor in its directory files: %w", name, fs.ErrNotExist)
	}
	return data, err
}
