package postgres

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// infoAnswer is what "pgbackrest --output=json info" prints, one of these a stanza.
// https://pgbackrest.org/command.html#command-info
type infoAnswer struct {
	Name string `json:"name"`
	DB   []struct {
		ID      int    `json:"id"`
		System  uint64 `json:"system-id"`
		Version string `json:"version"`
	} `json:"db"`
	Archive []struct {
		Database struct {
			ID int `json:"id"`
		} `json:"database"`
		ID  string `json:"id"` // its directory, such as 17-1
		Min string `json:"min"`
		Max string `json:"max"`
	} `json:"archive"`
	Backup []struct {
		Label    string `json:"label"`
		Type     string `json:"type"`
		Error    bool   `json:"error"`
		Database struct {
			ID int `json:"id"`
		} `json:"database"`
		Archive struct {
			Start string `json:"start"`
		} `json:"archive"`
		LSN struct {
			Stop string `json:"stop"`
		} `json:"lsn"`
		Timestamp struct {
			Start int64 `json:"start"`
			Stop  int64 `json:"stop"`
		} `json:"timestamp"`
		Info struct {
			Size int64 `json:"size"`
		} `json:"info"`
	} `json:"backup"`
	Status struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Lock    struct {
			Backup struct {
				Held bool  `json:"held"`
				Size int64 `json:"size"`
				Done int64 `json:"size-cplt"`
			} `json:"backup"`
		} `json:"lock"`
	} `json:"status"`
}

// Codes of a stanza's status.
const (
	statusCut   = 3  // there are files of it, but none that says whose they are
	statusOther = 99 // pgBackRest could not look at it
)

// parseAnswers reads what "pgbackrest --output=json info" printed of the stanza
// called name; ok is whether there is one.
func parseAnswers(out []byte, name string) (answer infoAnswer, ok bool, err error) {
	var stanzas []infoAnswer
	if err := json.Unmarshal(out, &stanzas); err != nil {
		return answer, false, fmt.Errorf("pgbackrest info: %w", err)
	}
	for _, st := range stanzas {
		if st.Name != name {
			continue
		}
		if st.Status.Code == statusOther {
			return answer, false, errors.New(st.Status.Message)
		}
		return st, true, nil
	}
	return answer, false, nil
}

// current returns the number by which the stanza knows the database cluster that
// it is of now, 0 if it is of none yet.
func (a infoAnswer) current() int {
	last := 0
	for _, db := range a.DB {
		last = max(last, db.ID)
	}
	return last
}

// system returns the system identifier of the database cluster that the stanza
// knows by a number, 0 if it knows none.
func (a infoAnswer) system(id int) uint64 {
	for _, db := range a.DB {
		if db.ID == id {
			return db.System
		}
	}
	return 0
}

// timelineOf returns the timeline that a segment of WAL is of, 0 if name is none.
func timelineOf(name string) int {
	id, err := strconv.ParseUint(name[:min(8, len(name))], 16, 32)
	if err != nil {
		return 0
	}
	return int(id)
}

// read takes pgBackRest's answer. It returns the directory of the archive, "" if
// there is none yet.
func (s *BackupsSeen) read(out []byte, name string) (archive string, err error) {
	answer, _, err := parseAnswers(out, name)
	if err != nil {
		return "", err
	}
	now := answer.current()
	for _, db := range answer.DB {
		if db.ID == now {
			s.System, s.Version = db.System, db.Version
		}
	}
	for _, a := range answer.Archive {
		if a.Database.ID == now {
			archive, s.WALMin, s.WALMax = a.ID, a.Min, a.Max
		}
	}
	for _, b := range answer.Backup {
		if b.Database.ID != now {
			continue
		}
		s.Sets = append(s.Sets, BackupSet{
			Label: b.Label, Type: b.Type, Start: time.Unix(b.Timestamp.Start, 0), Stop: time.Unix(b.Timestamp.Stop, 0),
			StopLSN: b.LSN.Stop, StartWAL: b.Archive.Start, Size: b.Info.Size, Failed: b.Error,
		})
	}
	slices.SortStableFunc(s.Sets, func(a, b BackupSet) int { return a.Stop.Compare(b.Stop) })
	return archive, nil
}
