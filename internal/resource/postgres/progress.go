package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"pigsty/internal/resource"
)

// Progress is how far a Restore is.
type Progress struct {
	Cluster string `json:"cluster"`
	Request string `json:"request"`
	Phase   string `json:"phase"`
	Set     string `json:"set"`
	Whole   bool   `json:"whole"` // whether the repository has all that was committed

	InArchive bool `json:"in_archive,omitempty"` // see Restore
	Timeline  int  `json:"timeline,omitempty"`   // that is followed; 0 for the backup's own
	Aside     bool `json:"aside,omitempty"`      // whether the data directory was moved away

	Foreign bool   `json:"foreign,omitempty"`       // see Restore
	Former  uint64 `json:"former,string,omitempty"` // system identifier that the cluster had before
}

// The phases of a Restore: members are being stopped, the files are there, the
// server runs as a primary.
const (
	PhaseBegun     = "begun"
	PhaseRestored  = "restored"
	PhaseRecovered = "recovered"
)

// ProgressPath is where Progress is kept.
const ProgressPath = "/var/lib/pigsty/recovery.json"

func readProgress(h *resource.Host) (*Progress, error) {
	data, err := h.Files.Read(ProgressPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var p Progress
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("read %s: %w", ProgressPath, err)
	}
	return &p, nil
}

func writeProgress(h *resource.Host, p Progress) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := h.Files.Mkdir(path.Dir(ProgressPath), 0o755, resource.Owner{}); err != nil {
		return err
	}
	return h.Files.Write(ProgressPath, append(data, '\n'), 0o600, resource.Owner{})
}

// RestoreBegun remembers on the host that a Restore is under way.
type RestoreBegun struct {
	Progress Progress
	// Fresh is a Restore that begins now, though one that asked for the same may
	// be remembered: the cluster has outlived that.
	Fresh bool
}

// Key returns "restore begun NAME".
func (b RestoreBegun) Key() string { return "restore begun " + b.Progress.Cluster }

// Diff is a run if nothing, or something else, is remembered.
func (b RestoreBegun) Diff(_ context.Context, h *resource.Host) (resource.Change, error) {
	p, err := readProgress(h)
	if err != nil || p != nil && p.Request == b.Progress.Request && (!b.Fresh || *p == b.Progress) {
		return resource.Change{}, err
	}
	return resource.Change{Action: resource.Create, Reason: "does not exist"}, nil
}

// Apply remembers it.
func (b RestoreBegun) Apply(_ context.Context, h *resource.Host) error {
	return writeProgress(h, b.Progress)
}
