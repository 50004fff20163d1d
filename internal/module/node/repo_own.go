package node

import (
	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// ownRepositories does with the repository files that the host has what
// node_repo_remove says, and returns the IDs of the steps. Unless the inventory
// writes it they stay: base systems come from wherever the host gets them. They
// also stay where the host would be left without any, or builds the deployment's
// repository from them.
func ownRepositories(b *plan.Builder, h *module.Host, replaced bool) []string {
	if !written(h, "node_repo_remove") {
		return nil
	}
	b = b.Tag("node_repo_remove")
	impossible := func(why string) []string {
		return []string{b.Add(&resource.Impossible{Name: "repository files", Why: why})}
	}
	aside := *repositoryFiles[family(h)]
	switch {
	case !module.Params[Params](h).NodeRepoRemove:
		aside.Back = true
	case variable(h, "infra_seq") != "" && on(h, "repo_enabled", true):
		return impossible("this node builds the deployment's repository from them")
	case !replaced:
		return impossible("node_repo_modules gives this host no repository in their place")
	}
	return []string{b.Add(&aside)}
}

// repositoryFiles are where hosts are told of repositories, by package family.
var repositoryFiles = map[string]*resource.Aside{
	"deb": {Dir: "/etc/apt/sources.list.d", Globs: []string{"*.list", "*.sources"}, Files: []string{"/etc/apt/sources.list"},
		To: "/etc/apt/backup", Header: module.Managed},
	"rpm": {Dir: "/etc/yum.repos.d", Globs: []string{"*.repo"}, To: "/etc/yum.repos.d/backup", Header: module.Managed},
}
