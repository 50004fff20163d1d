package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pigsty/internal/engine"
	"pigsty/internal/plan"
)

// record is the file that an apply leaves beside the inventory: what was
// planned and everything that happened, one JSON record a line.
type record struct {
	path string
	file *os.File
	enc  *json.Encoder
	tee  *json.Encoder // standard output, with --json
}

func (r *run) newRecord() (*record, error) {
	dir := filepath.Join(r.stateDir(), "runs")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("keep a record of this run: %w", err)
	}
	name := time.Now().Format("20060102-150405") + "-" + strings.Join(r.req.Plays, "+")
	path := filepath.Join(dir, fmt.Sprintf("%s-%d.ndjson", name, os.Getpid()))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("keep a record of this run: %w", err)
	}
	rec := &record{path: path, file: f, enc: json.NewEncoder(r.app.masked(f))}
	if r.app.json {
		rec.tee = json.NewEncoder(r.app.out)
	}
	rec.write(plan.Header{Type: "version", Format: plan.Format, Command: "apply", Request: r.req})
	return rec, nil
}

func (r *record) event(e engine.Event) { r.write(e) }

func (r *record) end(s *engine.Summary) {
	r.write(struct {
		Type    string            `json:"type"`
		Applied int               `json:"applied"`
		Failed  int               `json:"failed"`
		Blocked int               `json:"blocked"`
		Left    int               `json:"not_begun"`
		Hosts   map[string]string `json:"failed_hosts,omitempty"`
		Elapsed float64           `json:"seconds"`
	}{"summary", s.Count(engine.Applied), s.Count(engine.Failed), s.Count(engine.Blocked), s.Count(engine.NotBegun), s.Hosts, s.Elapsed.Seconds()})
}

// write keeps v; a full disk must not stop an apply half-way.
func (r *record) write(v any) {
	_ = r.enc.Encode(v)
	if r.tee != nil {
		_ = r.tee.Encode(v)
	}
}

func (r *record) close() { _ = r.file.Close() }
