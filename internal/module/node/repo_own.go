package node

import (
	"path"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/repo"
	"pigsty/internal/resource"
)

// ownRepositories does with the repository files that the host has what
// node_repo_remove says, and returns the IDs of the steps. Unless the inventory
// writes it they stay: base systems come from wherever the host gets them. They
// also stay where the host would be left without any, or builds the deployment's
// repository from them; there those of an earlier run come back.
func ownRepositories(b *plan.Builder, h *module.Host, replaced bool) []string {
	b = b.Tag("node_repo_remove")
	aside, why := *repositoryFiles[family(h)], ""
	chosen := written(h, "node_repo_remove")
	switch {
	case chosen && !module.Params[Params](h).NodeRepoRemove:
		aside.Back = true
	case chosen && variable(h, "infra_seq") != "" && on(h, "repo_enabled", true):
		aside.Back, aside.Rescue = true, true
		why = "this node builds the deployment's repository from them"
	case !replaced:
		aside.Back, aside.Rescue = true, true
		if chosen {
			why = "node_repo_modules gives this host no repository in their place"
		}
	case !chosen:
		return nil
	}
	var ids []string
	if why != "" {
		ids = append(ids, b.Add(&resource.Impossible{Name: "repository files", Why: why}))
	}
	return append(ids, b.Add(&aside))
}

// repositoryFile is where the host is told of the repositories of a module; those of
// all modules match that of *.
func repositoryFile(h *module.Host, name string) string {
	if family(h) == "rpm" {
		return "/etc/yum.repos.d/" + name + ".repo"
	}
	return "/etc/apt/sources.list.d/" + name + ".list"
}

// NoRepositories removes the repository files that modules of node_repo_modules have
// on h, all but those of keep: what they point to may be gone, too.
func NoRepositories(h *module.Host, keep ...string) *resource.Prune {
	prune := noLonger(repositoryFile(h, "*"))
	for _, name := range keep {
		prune.Keep = append(prune.Keep, path.Base(repositoryFile(h, name)))
	}
	return prune
}

// removeRepositories takes our repositories from the host, with their keys, and gives
// it back what they took the place of.
func removeRepositories(b *plan.Builder, s *module.Site, h *module.Host) {
	aside := *repositoryFiles[family(h)]
	aside.Back = true
	aside.Rescue = !written(h, "node_repo_remove") || !module.Params[Params](h).NodeRepoRemove
	b = b.After(b.Tag("node_repo_remove").Add(&aside))
	b = b.After(b.Add(NoRepositories(h)))
	key := repo.ClientKey
	if family(h) == "rpm" {
		key = repo.ClientKeyRPM
	}
	b.Add(&resource.Absent{Path: key})
	for _, name := range words(module.Params[Params](h).NodeRepoModules) {
		for _, u := range upstreams(s, h, name) {
			if u.armored() {
				b.Add(&resource.Absent{Path: u.keyFile(h)})
			}
		}
	}
}

// repositoryFiles are where hosts are told of repositories, by package family.
var repositoryFiles = map[string]*resource.Aside{
	"deb": {Dir: "/etc/apt/sources.list.d", Globs: []string{"*.list", "*.sources"}, Files: []string{"/etc/apt/sources.list"},
		To: "/etc/apt/backup", Header: module.Managed},
	"rpm": {Dir: "/etc/yum.repos.d", Globs: []string{"*.repo"}, To: "/etc/yum.repos.d/backup", Header: module.Managed},
}
