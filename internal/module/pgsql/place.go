package pgsql

import (
	"maps"
	"slices"
	"strings"

	"pigsty/internal/param"
)

// place is where the backups of a cluster are: its stanza in a repository.
type place struct {
	Stanza     string
	Method     string                   // name of the repository in pgbackrest_repo, empty if it has none
	Repository map[string]param.Setting // its options, as pgbackrest_repo has them
}

// place returns where m's cluster has its backups: in the repository that
// pgbackrest_method names.
func (m *Member) place() place {
	p := m.Params
	return place{Stanza: m.Cluster.Name, Method: p.PgbackrestMethod, Repository: p.PgbackrestRepo[p.PgbackrestMethod]}
}

// setting returns an option of the repository, "" if it is not set.
func (p place) setting(name string) string {
	return strings.ReplaceAll(p.Repository[name].Reveal(), "${pg_cluster}", p.Stanza)
}

// kind returns the repository's type.
func (p place) kind() string { return orElse(p.setting("type"), "posix") }

// onHost reports whether the repository is a directory of the host that uses it.
func (p place) onHost() bool { return p.kind() == "posix" && p.setting("host") == "" }

// lines returns the repository's options as pgBackRest's configuration has them.
func (p place) lines() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(p.Repository)) {
		out = append(out, repositoryOption(name)+"="+p.setting(name))
	}
	return out
}

// secrets returns the beginnings of the lines that hold secrets.
func (p place) secrets() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(p.Repository)) {
		if p.Repository[name].IsSecret() {
			out = append(out, repositoryOption(name)+"=")
		}
	}
	return out
}

// words says which place it is, without secrets: "stanza pg-test in the repository
// minio (s3, bucket pgsql at sss.pigsty, path /pgbackrest)".
func (p place) words() string {
	what := []string{p.kind()}
	for _, name := range []string{"s3_bucket", "gcs_bucket", "azure_container"} {
		if v := p.setting(name); v != "" {
			what = append(what, "bucket "+v)
		}
	}
	for _, name := range []string{"s3_endpoint", "azure_endpoint", "gcs_endpoint", "sftp_host", "host"} {
		if v := p.setting(name); v != "" {
			what[len(what)-1] += " at " + v
		}
	}
	if v := p.setting("path"); v != "" {
		what = append(what, "path "+v)
	}
	name := "the repository of pg_pitr"
	if p.Method != "" {
		name = "the repository " + p.Method
	}
	return "stanza " + p.Stanza + " in " + name + " (" + strings.Join(what, ", ") + ")"
}

func repositoryOption(name string) string { return "repo1-" + strings.ReplaceAll(name, "_", "-") }
