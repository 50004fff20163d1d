package postgres

import (
	"context"
	"errors"
	"io/fs"
	"path"

	"pigsty/internal/resource"
)

// DataFile is a file in a data directory that was made already: one that is
// there before would keep initdb and clones from making it.
type DataFile struct {
	Data string // the directory
	resource.File
}

var (
	_ resource.Requirer = (*DataFile)(nil)
	_ resource.Carrier  = (*DataFile)(nil)
)

// NewDataFile returns the file called name in data.
func NewDataFile(data, name string, content []byte, owner resource.Owner) *DataFile {
	return &DataFile{data, *resource.NewFile(path.Join(data, name), content,
		resource.Mode(0o600), resource.OwnedBy(owner.User, owner.Group), resource.Hidden())}
}

// Key returns "pg_file " and the path: unlike other files below /pg it comes
// after the server, not before.
func (f *DataFile) Key() string { return "pg_file " + f.Path }

// Diff compares with the file once there is a data directory.
func (f *DataFile) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	_, err := h.Files.Stat(path.Join(f.Data, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return resource.Change{Unknown: "after there is a data directory"}, nil
	}
	if err != nil {
		return resource.Change{}, err
	}
	return f.File.Diff(ctx, h)
}
