package host

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"sync"

	"pigsty/internal/resource"
)

// offersFile keeps what the repositories were found to offer.
const offersFile = "/var/lib/pigsty/package-offers.json"

// offered remembers which packages that are not installed the repositories
// offer, for as long as the index stays as it is: asking the package manager
// takes longer than observing all the rest of a host. It is only a memory;
// losing it costs that time once.
type offered struct {
	resource.PackageManager
	index index
	file  string

	mu sync.Mutex
}

// offers is the file's form. A version is empty where there is no candidate.
type offers struct {
	Index    string            `json:"index"` // its state
	Versions map[string]string `json:"versions"`
}

// Candidates implements resource.PackageManager.
func (o *offered) Candidates(ctx context.Context, names ...string) (map[string]string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	state, err := o.index.state()
	if err != nil {
		return nil, err
	}
	// The candidate of an installed package depends on its own version too.
	installed, err := o.Installed(names...)
	if err != nil {
		return nil, err
	}
	known := o.load(state)
	found := map[string]string{}
	var ask []string
	for _, n := range names {
		version, ok := known.Versions[n]
		_, have := installed[n]
		switch {
		case !ok || have:
			ask = append(ask, n)
		case version != "":
			found[n] = version
		}
	}
	if len(ask) == 0 {
		return found, nil
	}
	asked, err := o.PackageManager.Candidates(ctx, ask...)
	if err != nil {
		return nil, err
	}
	maps.Copy(found, asked)
	learnt := false
	for _, n := range ask {
		if _, have := installed[n]; !have {
			known.Versions[n], learnt = asked[n], true
		}
	}
	if learnt && state != "" {
		o.save(known)
	}
	return found, nil
}

// load returns what is known of the index in this state.
func (o *offered) load(state string) offers {
	var known offers
	data, err := os.ReadFile(o.file)
	if err != nil || json.Unmarshal(data, &known) != nil || known.Index != state || known.Versions == nil {
		return offers{Index: state, Versions: map[string]string{}}
	}
	return known
}

// save writes the memory; one that cannot be written, or is cut in half, is done without.
func (o *offered) save(known offers) {
	data, err := json.Marshal(known)
	if err == nil && os.MkdirAll(filepath.Dir(o.file), 0o755) == nil {
		_ = os.WriteFile(o.file, data, 0o644)
	}
}
