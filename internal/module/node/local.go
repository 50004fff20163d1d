package node

import (
	"slices"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/repo"
	"pigsty/internal/resource"
)

// UseRepository has h install from the deployment's own repository, if there is one
// for it and node_repo_modules names it.
func UseRepository(b *plan.Builder, s *module.Site, h *module.Host) {
	local := s.Repository(h)
	if local == nil || !slices.Contains(words(module.Params[Params](h).NodeRepoModules), "local") {
		return
	}
	localRepository(b.Early(), s, h, local)
	b.Early().Add(&resource.PackageIndex{})
}

// NoRepository removes from h, if it is told so by us, that there is a repository of
// the deployment.
func NoRepository(h *module.Host) *resource.Prune { return noLonger(repositoryFile(h, "local")) }

// localRepository configures the deployment's own repository, which is what the
// module local of node_repo_modules stands for. Its key comes from the control
// side, so that what hosts install is what was built.
func localRepository(b *plan.Builder, s *module.Site, h *module.Host, r *module.Repository) {
	b = b.After(r.After...)
	if family(h) != "rpm" {
		b.Add(resource.NewFile(repo.ClientKey, s.RepoKey),
			resource.NewFile("/etc/apt/sources.list.d/local.list", header+"deb [signed-by="+repo.ClientKey+"] "+r.URL+" ./\n"))
		return
	}
	// The index must be signed by the deployment, and each package by its
	// upstream. Streams of modules are what the repository was resolved without.
	b.Add(resource.NewFile(repo.ClientKeyRPM, s.RepoKey), &repo.Trust{URL: r.URL, PublicKey: s.RepoKey},
		resource.NewFile("/etc/yum.repos.d/local.repo", header+"\n[local]\nname=packages of this deployment\nbaseurl="+r.URL+
			"\nenabled=1\ngpgcheck=1\nrepo_gpgcheck=1\ngpgkey=file://"+repo.ClientKeyRPM+"\npriority=1\nmodule_hotfixes=1\n"))
}

// Upstreams returns what repo_upstream has for the module called name that fits
// the system of h.
func Upstreams(s *module.Site, h *module.Host, name string) []repo.Upstream {
	var out []repo.Upstream
	for _, u := range upstreams(s, h, name) {
		one := repo.Upstream{Name: u.name, URL: u.url, Key: u.key}
		if family(h) == "rpm" {
			one.URL = u.releasever(h.Facts)
		} else {
			one.URL = aptURL(h.Facts, u)
		}
		out = append(out, one)
	}
	return out
}
