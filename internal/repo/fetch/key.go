package fetch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"pigsty/internal/repo/pgp"
)

// Keys adds to ring the keys that names stand for: files of the host below root,
// or https URLs.
func Keys(ctx context.Context, c *Client, ring *pgp.Keyring, root string, names []string) error {
	for _, name := range names {
		text, err := key(ctx, c, root, name)
		if err == nil {
			err = ring.Add(text)
		}
		if err != nil {
			return fmt.Errorf("its key %s: %w", Shown(name), err)
		}
	}
	return nil
}

func key(ctx context.Context, c *Client, root, name string) ([]byte, error) {
	file := strings.TrimPrefix(name, "file://")
	switch {
	case strings.HasPrefix(name, "https://"):
		return c.Get(ctx, name)
	case strings.HasPrefix(file, "/"):
		return os.ReadFile(filepath.Join(root, file))
	}
	return nil, errors.New("neither a file, nor an https URL, nor a key in armor")
}
