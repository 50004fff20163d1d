package host

import (
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// Where a host is told of the deployment's own repository. One that has it can do
// without the others, which is what a host without network is left with.
const (
	ownList = "/etc/apt/sources.list.d/local.list"
	ownRepo = "/etc/yum.repos.d/local.repo"
)

// aptLists is where apt keeps what it has read of repositories.
const aptLists = "/var/lib/apt/lists"

var (
	// unread matches apt's words for a part of an index that it could not get.
	unread = regexp.MustCompile(`^E: Failed to fetch (\S+)\s+(.*)$`)
	// noAnswer matches why, if the server was not even reached.
	noAnswer = regexp.MustCompile(`(?i)resolv|connect|unreachable|no route|timed out`)
)

// away returns what apt could not get because servers did not answer, from what
// it printed. It is nil if anything else is wrong, or if the repository that own
// (a list of sources) names does not answer either.
func away(output, own string) []*url.URL {
	var out []*url.URL
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		m := unread.FindStringSubmatch(line)
		switch {
		case m != nil:
			u, err := url.Parse(m[1])
			if err != nil || !noAnswer.MatchString(m[2]) || strings.Contains(own, "//"+u.Host) || strings.Contains(own, "//"+u.Hostname()+":") {
				return nil
			}
			out = append(out, u)
		case strings.HasPrefix(line, "E: ") && !strings.HasPrefix(line, "E: Some index files failed to download"):
			return nil
		}
	}
	return out
}

// hosts returns the names of servers, each once.
func hosts(urls []*url.URL) []string {
	var out []string
	seen := map[string]bool{}
	for _, u := range urls {
		if !seen[u.Host] {
			seen[u.Host] = true
			out = append(out, u.Host)
		}
	}
	return out
}

// forget removes from lists what apt once read beside the files at urls: it would
// choose versions by it that cannot be had.
func forget(lists string, urls []*url.URL) error {
	for _, u := range urls {
		stem := strings.ReplaceAll(u.Host+path.Dir(u.Path), "/", "_") + "_"
		files, err := filepath.Glob(filepath.Join(lists, stem+"*"))
		if err != nil {
			return err
		}
		for _, file := range files {
			if err := os.Remove(file); err != nil {
				return err
			}
		}
	}
	return nil
}
