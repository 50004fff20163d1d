package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"pigsty/internal/resource"
	"pigsty/internal/secret"
)

// Format is the version of the records that JSON and Save write. Additions
// raise its minor number, breaking changes its major one.
const Format = "1.0"

// Header is the first record of every stream of records.
type Header struct {
	Type    string  `json:"type"` // "version"
	Format  string  `json:"format"`
	Command string  `json:"command"` // "plan", "apply"
	Request Request `json:"request,omitzero"`
}

type hostRecord struct {
	Type string `json:"type"` // "host"
	HostState
}

type itemRecord struct {
	Type    string           `json:"type"` // "step"
	Host    string           `json:"host"`
	Cluster string           `json:"cluster,omitempty"`
	Step    string           `json:"step"`
	Module  string           `json:"module"`
	Tags    []string         `json:"tags,omitempty"`
	Change  *resource.Change `json:"change,omitempty"`
	Error   string           `json:"error,omitempty"`
}

type totalRecord struct {
	Type string `json:"type"` // "total"
	Counts
	Impact resource.Impact `json:"impact"`
}

// JSON writes p as records, one a line, a Header first and a total last. Steps
// that change nothing are left out.
func (p *Plan) JSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	records := []any{Header{Type: "version", Format: Format, Command: "plan", Request: p.Request}}
	for _, h := range p.Hosts {
		records = append(records, hostRecord{"host", h})
	}
	for _, it := range p.Items {
		if r, ok := it.record(); ok {
			records = append(records, r)
		}
	}
	records = append(records, totalRecord{"total", p.Count(), p.Impact()})
	for _, r := range records {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

func (it Item) record() (itemRecord, bool) {
	s := it.Step
	r := itemRecord{Type: "step", Host: s.Host, Cluster: s.Cluster, Step: s.Resource.Key(), Module: s.Module, Tags: s.Tags, Error: it.Error}
	if !it.Change.Empty() || it.Change.Skipped != "" {
		r.Change = &it.Change
	}
	return r, r.Change != nil || r.Error != ""
}

// Saved is a plan kept in a file: what was asked for and a fingerprint of what
// each step would change. Unlike records it has the extra variables as they were
// given, which may be secrets, since applying it needs them.
type Saved struct {
	Type    string            `json:"type"` // "saved-plan"
	Format  string            `json:"format"`
	Created time.Time         `json:"created"`
	Request Request           `json:"request"`
	Extra   []string          `json:"extra_vars,omitempty"`
	Steps   map[string]string `json:"steps"` // step ID → fingerprint of its change
	Total   string            `json:"total"`
}

// Save writes p to path, readable by its owner only.
func (p *Plan) Save(path string) error {
	s := Saved{Type: "saved-plan", Format: Format, Created: p.Created, Request: p.Request, Steps: p.fingerprints(), Total: p.Total()}
	for _, e := range p.Request.Extra {
		s.Extra = append(s.Extra, e.Reveal())
	}
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Chmod(0o600); err != nil { // it may have been there with another mode
		return err
	}
	if _, err := f.Write(append(data, '\n')); err != nil {
		return err
	}
	return f.Close()
}

// ReadSaved reads what Save wrote. The error of a file that is something else
// does not name it.
func ReadSaved(path string) (*Saved, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var s Saved
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&s); err != nil || s.Type != "saved-plan" {
		return nil, errors.New("the file is something else; `pigsty plan --out FILE` saves a plan")
	}
	if major(s.Format) != major(Format) {
		return nil, fmt.Errorf("it was saved in format %s by another version of pigsty, this one reads %s; plan again", s.Format, Format)
	}
	for _, e := range s.Extra {
		s.Request.Extra = append(s.Request.Extra, secret.New(e))
	}
	return &s, nil
}

// major returns the part of a format's version that breaking changes raise.
func major(format string) string {
	m, _, _ := strings.Cut(format, ".")
	return m
}

// Differences lists the steps that p and the saved plan do not agree on, nil if
// p is exactly what was saved.
func (s *Saved) Differences(p *Plan) []string {
	now := p.fingerprints()
	var out []string
	for _, it := range p.Items {
		id := it.Step.ID()
		old, planned := s.Steps[id]
		switch is, needed := now[id]; {
		case needed && !planned:
			out = append(out, id+": was not to change when the plan was saved")
		case needed && is != old:
			out = append(out, id+": would change differently now")
		case planned && it.Error != "":
			out = append(out, id+": cannot be looked at: "+it.Error)
		case planned && !needed:
			out = append(out, id+": has nothing to change any more")
		}
	}
	known := map[string]bool{}
	for _, it := range p.Items {
		known[it.Step.ID()] = true
	}
	for _, id := range slices.Sorted(maps.Keys(s.Steps)) {
		if !known[id] {
			out = append(out, id+": is no longer part of the plan")
		}
	}
	return out
}

func (p *Plan) fingerprints() map[string]string {
	out := map[string]string{}
	for _, it := range p.Items {
		if it.Change.Empty() || it.Change.Action == resource.Wait {
			continue
		}
		sum := sha256.New()
		_ = json.NewEncoder(sum).Encode(it.Change)
		out[it.Step.ID()] = hex.EncodeToString(sum.Sum(nil))[:16]
	}
	return out
}
