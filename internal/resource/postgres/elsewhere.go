package postgres

import (
	"context"
	"crypto/rand"
	"path"

	"pigsty/internal/resource"
	"pigsty/internal/secret"
)

// Elsewhere is where backups are that are not in the cluster's own place: the
// stanza of another cluster, or one in another repository.
type Elsewhere struct {
	Stanza string
	Config secret.Value // what pgBackRest's configuration says of it
	Dir    string       // existing directory, in which the configuration is while pgBackRest reads it
	Group  string       // of the superuser's files
}

// open returns how pgBackRest looks there, and what ends that. pgBackRest takes
// secrets from a file alone, or where other users could see them: the file is the
// superuser's, and goes when the look is over.
func (e Elsewhere) open(h *resource.Host, s Stanza) (Stanza, func(), error) {
	s.Name, s.Config, s.Repository = e.Stanza, path.Join(e.Dir, "look-"+rand.Text()+".conf"), ""
	owner := resource.Owner{User: s.withDefaults().User, Group: e.Group}
	err := h.Files.Write(s.Config, []byte(e.Config.Reveal()), 0o600, owner)
	return s, func() { _ = h.Files.Remove(s.Config) }, err
}

// OwnSeen is what Backups finds in the cluster's own place when it looks elsewhere.
type OwnSeen struct {
	Problem  string `json:"problem,omitempty"` // why it could not be read
	System   uint64 `json:"system,string"`     // system identifier that the stanza is of, 0 if there is no stanza
	Timeline int    `json:"timeline"`          // newest that it has of the database cluster whose backups are elsewhere; 0 for none
}

// seeOwn looks at the cluster's own place, for what it has of the database
// cluster with the given system identifier.
func (s Stanza) seeOwn(ctx context.Context, h *resource.Host, system uint64) *OwnSeen {
	out, err := s.run(ctx, h, "--output=json", "info")
	var answer infoAnswer
	if err == nil {
		answer, _, err = parseAnswers(out, s.Name)
	}
	if err != nil {
		return &OwnSeen{Problem: err.Error()}
	}
	seen := OwnSeen{System: answer.system(answer.current())}
	for _, a := range answer.Archive {
		if answer.system(a.Database.ID) == system {
			seen.Timeline = max(seen.Timeline, timelineOf(a.Max))
		}
	}
	return &seen
}
